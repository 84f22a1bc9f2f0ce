"""Miniatures of real_notes, NSynth, ESC-50 and TinySOL in their published layouts: metadata as published, and made sound."""

import csv
import io
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import copies

from pipelines.datasets import esc50, nsynth, real_notes, tinysol

NOTES = {"violin": ("A3", "As4", "C5"), "tuba": ("As1", "D3"), "piano": ("C4", "Ds4")}
NSYNTH = {  # note: (side, source, family, qualities)
    "bass_synthetic_033-022-050": ("train", "synthetic", "bass", ["dark"]),
    "bass_synthetic_033-018-127": ("train", "synthetic", "bass", []),
    "guitar_acoustic_010-060-075": ("validation", "acoustic", "guitar", ["bright", "fast_decay"]),
    "brass_acoustic_046-090-075": ("test", "acoustic", "brass", []),
    "reed_acoustic_011-109-075": ("test", "acoustic", "reed", ["reverb"]),
    "reed_acoustic_011-070-075": ("test", "acoustic", "reed", []),
    "reed_acoustic_011-070-100": ("test", "acoustic", "reed", []),  # the waveform of the one before
}
ESC50 = [  # fold, source recording, take, target, category, in ESC-10
    (1, "100032", "A", 0, "dog", True),
    (2, "117271", "A", 10, "rain", True),
    (3, "144028", "A", 20, "crying_baby", True),
    (3, "144028", "B", 20, "crying_baby", True),
    (4, "182039", "A", 36, "vacuum_cleaner", False),
    (5, "203128", "A", 49, "hand_saw", False),
]
TINYSOL = [  # folder, abbreviation, name, pitch, its number, dynamics, fold, made from another
    ("Strings/Violin", "Vn", "Violin", "G4", 67, "ff", 0, False),
    ("Strings/Violin", "Vn", "Violin", "A4", 69, "pp", 1, True),
    ("Brass/Bass_Tuba", "BTb", "Bass Tuba", "F1", 29, "ff", 2, False),
    ("Keyboards/Accordion", "Acc", "Accordion", "C4", 60, "mf", 3, False),
    ("Winds/Flute", "Fl", "Flute", "C5", 72, "mf", 4, False),
]


def make_real_notes(folder: Path) -> dict:
    """Packages as npm unpacks them, and a file that is no note."""
    for number, (name, notes) in enumerate(NOTES.items()):
        place = folder / f"tonejs-instrument-{name}-mp3"
        for seed, note in enumerate(notes):
            copies.sound(place / f"{note}.mp3", 10 * number + seed)
        copies.sound(place / "silence.mp3", 99)
        (place / "index.js").write_text("export default {}")
    return {"module": "real_notes", "local": str(folder), "instruments": list(NOTES)}


def serve_real_notes(folder: Path, host, patch) -> dict:
    for name in NOTES:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(folder / f"tonejs-instrument-{name}-mp3", "package")
        served = copies.put(host, real_notes.remote(name).name, buffer.getvalue())
        known = (*real_notes.INSTRUMENTS[name][:2], served.checksums[0].removeprefix("sha256:"))
        patch.setitem(real_notes.INSTRUMENTS, name, known)
        package = f"/tonejs-instrument-{name}-mp3/-/{served.name}"
        host.files[package] = host.files[f"/{served.name}"]
    patch.setattr(real_notes, "HOST", host.url)
    return {"module": "real_notes", "instruments": list(NOTES)}


def make_nsynth(folder: Path) -> dict:
    examples: dict[str, dict] = {}
    for seed, (name, (side, source, family, qualities)) in enumerate(NSYNTH.items()):
        instrument, pitch, velocity = name.split("-")
        place = folder / nsynth.SIDES[side]
        examples.setdefault(side, {})[name] = {
            "note": seed,
            "note_str": name,
            "instrument": seed,
            "instrument_str": instrument,
            "pitch": int(pitch),
            "velocity": int(velocity),
            "sample_rate": copies.RATE,
            "qualities": [0] * 10,
            "qualities_str": qualities,
            "instrument_family": 0,
            "instrument_family_str": family,
            "instrument_source": 0,
            "instrument_source_str": source,
        }
        copies.sound(place / "audio" / f"{name}.wav", seed)
        (place / "examples.json").write_text(json.dumps(examples[side], indent=4))
    *_, first, second = (folder / "nsynth-test" / "audio" / f"{name}.wav" for name in NSYNTH)
    shutil.copy(first, second)
    return {"module": "nsynth", "local": str(folder)}


def make_esc50(folder: Path) -> dict:
    rows = []
    for seed, (fold, recording, take, target, category, esc10) in enumerate(ESC50):
        name = f"{fold}-{recording}-{take}-{target}.wav"
        copies.sound(folder / "audio" / name, seed)
        rows.append([name, fold, target, category, esc10, recording, take])
    write(folder / "meta" / "esc50.csv", [esc50.COLUMNS, *rows])
    return {"module": "esc50", "local": str(folder)}


def serve_esc50(folder: Path, host, patch) -> dict:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in sorted(folder.rglob("*.*")):
            archive.write(path, f"ESC-50-master/{path.relative_to(folder)}")
    patch.setattr(esc50, "ARCHIVE", copies.put(host, "ESC-50-master.zip", whole.getvalue()))
    return {"module": "esc50"}


def make_tinysol(folder: Path) -> dict:
    header = ["Path", "Fold", "Family", "Instrument (abbr.)", "Instrument (in full)", "Technique (abbr.)"]
    header += [
        "Technique (in full)",
        "Pitch",
        "Pitch ID",
        "Dynamics",
        "Dynamics ID",
        "Instance ID",
        "String ID",
        "Resampled",
    ]
    rows = []
    for seed, (place, short, name, pitch, number, dynamics, fold, shifted) in enumerate(TINYSOL):
        path = f"{place}/ordinario/{short}-ord-{pitch}-{dynamics}-N.wav"
        copies.sound(folder / "TinySOL" / path, seed)
        family = place.partition("/")[0]
        rows.append([path, fold, family, short, name, "ord", "ordinario", pitch, number, dynamics, 0, 0, ""])
        rows[-1].append(str(shifted).upper())
    write(folder / tinysol.TABLE.name, [header, *rows])
    return {"module": "tinysol", "local": str(folder)}


def serve_tinysol(folder: Path, host, patch) -> dict:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder / "TinySOL", "TinySOL")
    patch.setattr(tinysol, "ARCHIVE", copies.put(host, "TinySOL.tar.gz", buffer.getvalue()))
    patch.setattr(tinysol, "TABLE", copies.put(host, tinysol.TABLE.name, (folder / tinysol.TABLE.name).read_bytes()))
    return {"module": "tinysol"}


def write(path: Path, rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
