"""POP909: piano arrangements of 909 Chinese pop songs by professional musicians, with beats, chords and keys (Wang et al. 2020).

    pop909: {module: pop909, imports: pipelines/notes/midi, local: /music/POP909-Dataset,
             split: {train: 0.8, validation: 0.1, test: 0.1}, seed: 2026}

`local` is a folder with `POP909/<number>/<number>.mid` in any depth (github.com/music-x-lab/POP909-Dataset). It is not
downloaded: the repository publishes no checksum. There is no published split. A song is its own group; a song's other
`versions` are not read.

Track 1 is the sung melody (`MELODY`), 2 the second melody or lead instrument (`BRIDGE`), 3 the piano (`PIANO`); a file whose
tracks have other names is quarantined. Annotations become events of the piece, in seconds: `beat` (an instant, `downbeat` or
`beat`; of beat_midi.txt, whose second and third columns mark beats that are strong in 2/4 or 4/4, and downbeats), `chord`
(chord_midi.txt, as Harte writes chords) and `key` (key_audio.txt). What begins after the last note's end is left out, what
ends after it is cut there.

Target: `key`, that which holds longest. It was estimated from the recording, not written by a musician, as were chords and beats.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import mido
import pandas as pd

from pipelines import corpora
from pipelines.core.events import GIVEN
from pipelines.datasets.sources import published
from pipelines.notes.midi import read as midi
from pipelines.notes.tables import Piece, Unreadable

BIBTEX = """@inproceedings{wang2020pop909,
  title = {{POP909}: A Pop-song Dataset for Music Arrangement Generation},
  author = {Ziyu Wang and Ke Chen and Junyan Jiang and Yiyi Zhang and Maoran Xu and Shuqi Dai and Guxian Bin and Gus Xia},
  booktitle = {Proceedings of the 21st International Society for Music Information Retrieval Conference},
  year = {2020}
}"""
LICENSE_INFO = "POP909: MIT (github.com/music-x-lab/POP909-Dataset); the songs are under copyright"
TRACKS = ("MELODY", "BRIDGE", "PIANO")
BEATS, CHORDS, KEYS = "beat_midi.txt", "chord_midi.txt", "key_audio.txt"


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a song. Raises `ValueError` where `local` has none."""
    rows = []
    for path in published.files_below(entry["local"]):
        if path.suffix == ".mid" and path.stem == path.parent.name:
            spans = _spans(path.with_name(KEYS))
            held = (
                pd.Series([end - start for start, end, _ in spans], dtype=float)
                .groupby([label for *_, label in spans])
                .sum()
            )
            rows.append(
                {
                    "path": str(path),
                    "title": f"POP909 {path.stem}",
                    "source": f"POP909, {path.parent.name}/{path.name}",
                    "target_key": held.idxmax() if len(held) else None,
                }
            )
    if not rows:
        raise ValueError(f"{entry['local']} has no <number>/<number>.mid: give the folder of POP909 as `local`")
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    """A song. Raises `Unreadable` also where its tracks are not melody, bridge and piano."""
    piece = midi.read(content)
    names = tuple(track.name.strip() for track in mido.MidiFile(file=io.BytesIO(content)).tracks[1:])
    if names != TRACKS:
        raise Unreadable(f"its tracks are {', '.join(names) or 'none'}, and not {', '.join(TRACKS)}")
    return piece


def events(paths: Sequence[str], pieces: Sequence[Piece]) -> pd.DataFrame:
    """Beats, chords and keys of the songs (`core.events.GIVEN`)."""
    rows = []
    for path, piece in zip(map(Path, paths), pieces, strict=True):
        for start, end, target, label in _annotations(path.parent):
            if start < piece.length_s:
                rows.append((str(path), target, label, start, min(end, piece.length_s)))
    return pd.DataFrame(rows, columns=GIVEN)


def _annotations(folder: Path) -> list[tuple[float, float, str, str]]:
    beats = [
        (at, at, "beat", "downbeat" if float(marks.split()[-1]) else "beat") for at, marks in _lines(folder / BEATS, 1)
    ]
    spans = [
        (*row[:2], name, row[2]) for name, file in (("chord", CHORDS), ("key", KEYS)) for row in _spans(folder / file)
    ]
    return [*beats, *spans]


def _spans(path: Path) -> list[tuple[float, float, str]]:
    """(start, end, label) of a file of three columns."""
    return [(start, *_cut(path, rest)) for start, rest in _lines(path, 2)]


def _cut(path: Path, rest: str) -> tuple[float, str]:
    end, label = rest.split(maxsplit=1)
    try:
        return float(end), label.strip()
    except ValueError as error:
        raise ValueError(f"{path}: {end!r} is no time in seconds") from error


def _lines(path: Path, more: int) -> list[tuple[float, str]]:
    """(time, the rest) of each line, which has at least so many words more. No file, no lines."""
    found = []
    for number, line in enumerate(published.read_text(path).splitlines() if path.is_file() else [], start=1):
        words = line.split(maxsplit=1)
        try:
            if len(words) < 2 or len(words[1].split()) < more:
                raise ValueError
            found.append((float(words[0]), words[1]))
        except ValueError as error:
            if line.strip():
                raise ValueError(f"{path}, line {number}: {line[:60]!r} is no annotation of POP909") from error
    return found
