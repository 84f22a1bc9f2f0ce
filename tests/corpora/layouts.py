"""Small corpora in their published layouts: real files where their licence lets them be here, else music made for the test."""

import csv
import hashlib
import io
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np

from pipelines.corpora import folder, jsb, maestro, nottingham
from pipelines.datasets.sources.published import Remote
from pipelines.notes.midi.write import write
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array

PUBLISHED = Path(__file__).parent / "published"
MAESTRO = [  # composer, title, split, year, file
    ("Franz Schubert", "Sonata in A Major, 4th Mov.", "train", 2008, "2008/one.midi"),
    ("Franz Schubert", "Sonata in A Major, 4th Mov.", "train", 2011, "2011/two.midi"),
    ("Joseph Haydn", "Sonata Hob. 48", "validation", 2008, "2008/three.midi"),
    ("Alban Berg", "Sonata Op. 1", "test", 2018, "2018/four.midi"),
]


def tune(seed: int) -> bytes:
    """A MIDI file with a random walk of 24 notes."""
    pitches = 60 + np.random.default_rng(seed).integers(-2, 3, 24).cumsum()
    rows = [
        {"pitch": pitch, "velocity": 80, "onset": n / 2, "duration": 0.5} for n, pitch in enumerate(pitches.tolist())
    ]
    maps = array(TEMPOS, [{"quarter_us": 500_000}]), array(METRES, []), array(KEYS, [])
    return write(Piece(array(NOTES, rows), *maps, 12.0, 6.0, 480, 1))[0]


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def make_pop909(root: Path) -> dict:
    shutil.copytree(PUBLISHED / "pop909", root)
    return {"module": "pop909", "local": str(root)}


def make_groove(root: Path) -> dict:
    shutil.copytree(PUBLISHED / "groove", root)
    return {"module": "groove", "local": str(root)}


def make_maestro(root: Path) -> dict:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*maestro.COLUMNS, "audio_filename", "duration"])
    for seed, row in enumerate(MAESTRO):
        writer.writerow([*row, f"{row[-1]}.wav", 6.0])
        put(root / "maestro-v3.0.0" / row[-1], tune(seed))
    put(root / "maestro-v3.0.0" / maestro.TABLE, text.getvalue().encode())
    return {"module": "maestro", "local": str(root)}


def make_lakh(root: Path) -> dict:
    for seed, name in enumerate(("ABBA/Waterloo.mid", "ABBA/Waterloo.1.mid", "Beck/Loser.mid")):
        put(root / "clean_midi" / name, tune(seed))
    return {"module": "lakh_clean", "local": str(root)}


def make_nottingham(root: Path) -> dict:
    """A tune a book, and in the first a second one that is that of the second book in another key."""
    for n, name in enumerate(nottingham.BOOKS):
        letters = np.random.default_rng(n).choice(list("CDEFGABc"), 32)
        bars = ["".join(letters[at : at + 8]) for at in range(0, 32, 8)]
        text = f"X: 1\nT:Tune {n}\n% Nottingham Music Database\nS:EF\nM:4/4\nL:1/8\nK:C\nP:A\n{'|'.join(bars)}|\n\n\n"
        text += "X: 2\nT:Also in A\nM:4/4\nL:1/8\nK:C\nCCGG AAG2|\n\n" if n == 0 else ""
        put(root / "ABC_cleaned" / f"{name}.abc", text.encode("latin-1"))
    return {"module": "nottingham", "local": str(root), "checksums": "ignore"}


def make_jsb(root: Path) -> dict:
    """The published file's layout: random walks of four voices."""
    generator = np.random.default_rng(0)

    def walk() -> list:
        steps = generator.integers(-2, 3, (24, 4)).cumsum(axis=0)
        return np.repeat(steps + np.array([72, 65, 58, 50]), 4, axis=0).tolist()

    put(root / jsb.FILE, json.dumps({side: [walk(), walk()] for side in jsb.SIDES}).encode())
    return {"module": "jsb", "local": str(root)}


def make_folder(root: Path) -> dict:
    """MIDI, a book of two tunes, and MusicXML."""
    put(root / "airs/one.mid", tune(1))
    put(root / "airs/book.abc", b"X:1\nT:a\nK:C\nCDEF|\n\nX:2\nT:b\nL:1/4\nK:G\nGABc|\n")
    note = "<note><pitch><step>E</step><octave>4</octave></pitch><duration>4</duration></note>"
    head = "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
    part = f'<part id="P1"><measure number="1">{head}{note}</measure></part>'
    put(
        root / "songs/score.musicxml",
        f'<score-partwise><part-list><score-part id="P1"/></part-list>{part}</score-partwise>'.encode(),
    )
    put(root / "songs/score.krn", b"**kern\n*M4/4\n=1\n4c\n4d\n4e\n4f\n==\n*-\n")
    put(root / "songs/prose.abc", b"no tune here")
    return {"module": "folder", "path": str(root), "fingerprint": folder.fingerprint(folder.scan(root))}


def served(root: Path, host, name: str) -> Remote:
    """The files below `root` as an archive on `host`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            archive.write(path, path.relative_to(root))
    host.files[f"/{name}"] = buffer.getvalue()
    return Remote(name, (f"{host.url}/{name}",), (f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}",))
