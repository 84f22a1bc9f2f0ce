"""NSynth: 305,979 notes of 4 s from 1,006 instruments of eleven families (Engel et al. 2017), in its published split.

Layout: `nsynth-train`, `nsynth-valid` and `nsynth-test`, each with `examples.json` and `audio/<note>.wav` (16 kHz). Every
instrument is on one side; the group is the instrument. `valid` is called validation here.

Targets: `family`, `pitch` (MIDI note number), `source` (acoustic, electronic, synthetic), `instrument`. The ten qualities
(bright, dark, fast_decay, ...), of which a note may have several or none, are its tags.

Known defects, counted in the record of the stage and kept, because published scores are on all notes: the 71 notes of the test
instrument brass_acoustic_046, which are noise; waveforms that several notes share (32 rows of one); and pitches outside 21 to
108, which no piano has. `defects: leave_out` leaves out the notes of that instrument, and all but the first of each waveform.

`local`: the folder of the three. It is needed: nobody publishes checksums of the archives, and what cannot be verified is not
downloaded. `sides`: those to read (default: all three). `families`: those to use (default: all).
"""

import json
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.core.files import sha256
from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError
from pipelines.harness import executor
from pipelines.harness.progress import progress

BIBTEX = """@inproceedings{engel2017nsynth,
  author = {Engel, Jesse and Resnick, Cinjon and Roberts, Adam and Dieleman, Sander and Norouzi, Mohammad and Eck, Douglas
    and Simonyan, Karen},
  title = {Neural Audio Synthesis of Musical Notes with {WaveNet} Autoencoders},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  pages = {1068--1077},
  year = {2017}
}"""
LICENSE_INFO = "NSynth: CC BY 4.0, Google Inc. (magenta.tensorflow.org/datasets/nsynth)"

SIDES = {"train": "nsynth-train", "validation": "nsynth-valid", "test": "nsynth-test"}
FAMILIES = (
    "bass", "brass", "flute", "guitar", "keyboard", "mallet", "organ", "reed", "string", "synth_lead", "vocal",
)  # fmt: skip
KEYS = ("instrument_str", "instrument_family_str", "instrument_source_str", "pitch", "velocity", "qualities_str")
NOISE = "brass_acoustic_046"
"""An instrument of the test side whose notes are noise."""
PIANO = range(21, 109)

OPTIONS = ("defects", "families", "local", "sides")


def build(raw_dir: Path, entry: dict) -> dict:
    """Read the lists in the `local` folder, and hash the waveforms. Writes clips.parquet."""
    published.check_keys(entry, OPTIONS)
    defects = published.option(entry, "defects", "keep", ("keep", "leave_out"))
    sides, families = entry.get("sides", list(SIDES)), entry.get("families", list(FAMILIES))
    for name, given, known in (("sides", sides, SIDES), ("families", families, FAMILIES)):
        if unknown := sorted(set(given) - set(known)):
            raise DatasetError(f"{name}: {', '.join(unknown)} in params.yaml; there is {', '.join(known)}")
    if not entry.get("local"):
        raise DatasetError(
            "NSynth's archives have no published checksums, so they are not downloaded: download them from "
            "magenta.tensorflow.org/datasets/nsynth, unpack them, and name their folder in params.yaml: `local: <folder>`"
        )
    found = [row for side in SIDES if side in sides for row in _notes(Path(entry["local"]), side)]
    notes = [note for note in found if note["family"] in families]
    left_out = Counter({"of other families": len(found) - len(notes)})
    hashes = list(
        progress(
            executor.run(_digest, [note["path"] for note in notes], sound_s=4.0 * len(notes)), "hash notes", len(notes)
        )
    )
    n_equal = Counter(hash_ for hash_ in hashes if hash_)
    counted = {
        f"notes of {NOISE}, which are noise": sum(note["instrument"] == NOISE for note in notes),
        "notes that share a waveform": sum(n for n in n_equal.values() if n > 1),
        "notes that share the most frequent waveform": max(n_equal.values(), default=0),
        "pitches outside 21 to 108": sum(note["pitch"] not in PIANO for note in notes),
    }
    rows, seen = [], set()
    for note, hash_ in zip(notes, hashes, strict=True):
        if defects == "leave_out" and (note["instrument"] == NOISE or hash_ in seen):
            left_out["noise, or a waveform that another note has"] += 1
            continue
        seen |= {hash_} - {""}
        rows.append(_row(note, hash_))
    return published.save(rows, raw_dir, left_out, **{"known defects": counted})


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def _notes(folder: Path, side: str) -> list[dict]:
    """The notes of a side, in the order of their names. Raises `DatasetError` where the list is not as published."""
    place = published.given(folder) / SIDES[side]
    path = place / "examples.json"
    if not published.given(folder).is_dir():
        raise DatasetError(f"local: {folder} is not a folder: give the one that contains {', '.join(SIDES.values())}")
    if not path.is_file():
        raise DatasetError(f"{path} is missing: unpack {SIDES[side]} there, or leave {side} out of `sides`")
    try:
        listed = json.loads(published.read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is no JSON ({error}): it is damaged; unpack it again") from error
    found = []
    for name in sorted(listed):
        note = listed[name]
        if not isinstance(note, dict) or (missing := [key for key in KEYS if key not in note]):
            raise DatasetError(f"{path}: {name} has no {', '.join(missing) if isinstance(note, dict) else 'table'}")
        found.append(
            {
                "name": name,
                "side": side,
                "path": place / "audio" / f"{name}.wav",
                "instrument": note["instrument_str"],
                "family": note["instrument_family_str"],
                "source": note["instrument_source_str"],
                "pitch": int(note["pitch"]),
                "velocity": int(note["velocity"]),
                "qualities": [str(one) for one in note["qualities_str"]],
            }
        )
    return found


def _row(note: dict, digest: str) -> dict:
    return published.row(
        note["path"].absolute(),
        title=f"{note['instrument']}, note {note['pitch']}, velocity {note['velocity']}",
        tags=note["qualities"],
        split=note["side"],
        group=note["instrument"],
        source=f"NSynth, {SIDES[note['side']]}, {note['name']}",
        licence=LICENSE_INFO,
        sha256=digest,
        problem="" if digest else f"{note['path']} is missing: unpack {SIDES[note['side']]} again",
        target_family=note["family"],
        target_pitch=str(note["pitch"]),
        target_source=note["source"],
        target_instrument=note["instrument"],
    )


def _digest(path: Path) -> str:
    """SHA-256; empty of a file that is not there."""
    return sha256(path) if path.is_file() else ""
