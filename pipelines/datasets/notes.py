"""Single notes of General MIDI programs, rendered: NSynth's eleven instrument families, with the pitch and program of each.

Every combination of 84 programs, the keys and the velocities is one note, held for three quarters of the clip and then
released. The sound is rendered (TimGM6mb.sf2), so figures are about a SoundFont's samples and not about recorded instruments.

**The group of a note is the set of programs that share samples**, read from the SoundFont's tables
(pipelines/symbolic/soundfont_samples.py). Programs of one group are one timbre under several names, of several families too: the
84 programs are 58 groups in TimGM6mb on the keys 36 to 84. The split is by group, so no test timbre is in the training clips.

Level: a note's peak is drawn from `PEAKS_DBFS`, and noise 60 dB below the peak covers digital silence. Otherwise loudness, and
the exact zeros after a short note, would tell the program. A note whose peak as rendered is below `silence_dbfs` is quarantined.

Options of an entry: `lowest`, `highest` and `step` (keys, in semitones), `velocities`, `duration_s`, `sample_rate`, `split`
(shares of the sides), `seed`, `silence_dbfs`; `soundfont` and `soundfont_sha256` as in `scores`: another font has other groups.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile

from pipelines.core import events as time_events
from pipelines.core import splits
from pipelines.core.files import atomic
from pipelines.core.manifest import NOTES
from pipelines.core.tables import column, read_table, write_table
from pipelines.harness import executor
from pipelines.harness.progress import progress
from pipelines.symbolic import render, soundfont_samples, soundfonts

BIBTEX = """@inproceedings{engel2017nsynth,
  author = {Engel, Jesse and Resnick, Cinjon and Roberts, Adam and Dieleman, Sander and Norouzi, Mohammad and Eck, Douglas
    and Simonyan, Karen},
  title = {Neural Audio Synthesis of Musical Notes with {WaveNet} Autoencoders},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  pages = {1068--1077},
  year = {2017}
}"""
LICENSE_INFO = f"S{soundfonts.TIMGM6MB[1:]}. The families are NSynth's (CC BY 4.0); none of its recordings is used."

FAMILIES = {
    "keyboard": range(0, 8),
    "mallet": range(8, 16),
    "organ": range(16, 24),
    "guitar": range(24, 32),
    "bass": range(32, 40),
    "string": (*range(40, 47), 48, 49),  # timpani (47) has no family in NSynth, and 50 and 51 are synthesised
    "vocal": range(52, 55),
    "brass": range(56, 64),
    "reed": range(64, 72),
    "flute": range(72, 80),
    "synth_lead": range(80, 88),
}
FAMILY = {program: family for family, programs in FAMILIES.items() for program in programs}

HELD = 0.75  # of the clip
PEAKS_DBFS = (-24.0, -3.0)
FLOOR_DB = -60.0  # noise, below the peak
BATCH = 48  # notes a task

CLIPS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("title", pa.string(), "program, MIDI note number, velocity"),
        column("tags", pa.list_(pa.string()), "family, program"),
        column("split", pa.string(), "train, validation, test"),
        column(
            "group", pa.string(), "the lowest program that shares samples with this one, directly or through others"
        ),
        column("source", pa.string(), "SoundFont and program"),
        column("licence", pa.string(), "licence of the SoundFont"),
        column("target_family", pa.string(), "instrument family of NSynth"),
        column("target_pitch", pa.string(), "MIDI note number"),
        column("problem", pa.string(), "why the note cannot be used; empty where it can"),
        column("program", pa.int32(), "General MIDI program, 0 to 127"),
        column("velocity", pa.int32(), "MIDI velocity, 1 to 127"),
        column("peak_dbfs", pa.float64(), "peak as rendered, before the level was drawn", unit="dBFS"),
    ]
)


@dataclass(frozen=True)
class Note:
    """A note to render: `peak_dbfs` is asked for, `seed` of the noise."""

    path: Path
    program: int
    pitch: int
    velocity: int
    peak_dbfs: float
    seed: tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Notes that one worker renders."""

    notes: tuple[Note, ...]
    sample_rate: int
    duration_s: float
    soundfont: Path


def build(raw_dir: Path, entry: dict) -> dict:
    """Render, group and split. Writes audio/<family>/*.flac, notes.parquet and clips.parquet."""
    font = soundfonts.find(entry.get("soundfont"), entry.get("soundfont_sha256"))
    frame = plan(entry, font)
    batches = []
    for first in range(0, len(frame), BATCH):
        notes = tuple(_note(raw_dir, row, entry["seed"]) for row in frame[first : first + BATCH].itertuples())
        batches.append(Batch(notes, entry["sample_rate"], entry["duration_s"], font))
    rendered = progress(executor.run(_render, batches), "render notes", total=len(frame), size=len)
    frame["peak_dbfs"] = [peak for peaks in rendered for peak in peaks]
    quiet = frame["peak_dbfs"] < entry["silence_dbfs"]
    reason = f"silent: its peak is below {entry['silence_dbfs']:g} dBFS as rendered"
    frame["problem"] = np.where(quiet, reason, "")
    write_table(frame[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    write_table(_sounding(frame, entry["duration_s"]), raw_dir / "notes.parquet", NOTES)
    return _figures(frame, font, entry)


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """The contract's columns, from the table that `build` left."""
    table = read_table(raw_dir / "clips.parquet", CLIPS)
    return table[CLIPS.names[: CLIPS.names.index("program")]]


def events(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """Target `instrument`: the family, while the key is held; the release that follows is not part of the event."""
    notes = read_table(raw_dir / "notes.parquet", NOTES)
    ends = notes["onset_s"] + notes["duration_s"]
    return time_events.activity(notes.assign(label=notes["program"].map(FAMILY), offset_s=ends), "instrument")


def plan(entry: dict, font: Path) -> pd.DataFrame:
    """A row of `CLIPS` for each note, without `problem` and `peak_dbfs`, and its `pitch`. Raises `ValueError` where the SoundFont
    lacks a program."""
    lowest, highest = entry["lowest"], entry["highest"]
    groups = timbres(font, (lowest, highest))
    licence = soundfonts.licence(font)
    rows = [
        {
            "path": f"audio/{FAMILY[program]}/{program:03d}-{pitch:03d}-{velocity:03d}.flac",
            "title": f"program {program}, note {pitch}, velocity {velocity}",
            "tags": [f"family:{FAMILY[program]}", f"program:{program}"],
            "group": f"program {groups[program]}",
            "source": f"{font.name}, program {program}",
            "licence": licence,
            "target_family": FAMILY[program],
            "target_pitch": str(pitch),
            "program": program,
            "velocity": velocity,
            "pitch": pitch,
        }
        for program, pitch, velocity in product(
            FAMILY, range(lowest, highest + 1, entry["step"]), sorted(entry["velocities"])
        )
    ]
    if not rows:
        raise ValueError(f"no key lies between {lowest} and {highest} (lowest and highest in params.yaml)")
    frame = pd.DataFrame(rows)
    return frame.assign(split=splits.assign(frame["group"], frame["target_family"], entry["split"], entry["seed"]))


def timbres(font: Path, keys: tuple[int, int]) -> dict[int, int]:
    """Program of `FAMILY` -> the lowest program of its group. Samples that other keys play do not count. Raises `ValueError`
    where the SoundFont lacks one."""
    played = soundfont_samples.samples(font, keys)
    if missing := [program for program in FAMILY if not played.get(program)]:
        raise ValueError(f"{font} has no sample for the programs {missing}: a General MIDI SoundFont is needed")
    return soundfont_samples.groups({program: played[program] for program in FAMILY})


def _note(raw_dir: Path, row, seed: int) -> Note:
    of_note = (seed, row.program, row.pitch, row.velocity)
    peak = float(np.random.default_rng(of_note).uniform(*PEAKS_DBFS))
    return Note(raw_dir / row.path, row.program, row.pitch, row.velocity, peak, (*of_note, 1))


def _render(batch: Batch) -> list[float]:
    """Write the notes of a batch; their peaks as rendered, in dBFS."""
    peaks = []
    for note in batch.notes:
        sound, peak = play(note, batch.sample_rate, batch.duration_s, batch.soundfont)
        with atomic(note.path) as temporary:
            soundfile.write(temporary, sound, batch.sample_rate, format="FLAC", subtype="PCM_16")
        peaks.append(peak)
    return peaks


def play(note: Note, sample_rate: int, duration_s: float, soundfont: Path) -> tuple[np.ndarray, float]:
    """(mono float32 `(samples,)` at the level asked for, with the noise floor; peak as rendered in dBFS)."""
    values = (0, note.program, note.pitch, note.velocity, 0.0, HELD * duration_s)
    sound = render.render(*(np.array([value]) for value in values), sample_rate, duration_s, soundfont)
    peak = float(np.abs(sound).max())
    sound = sound * np.float32(10 ** (note.peak_dbfs / 20) / max(peak, 1e-9))
    noise = np.random.default_rng(note.seed).uniform(-1, 1, len(sound)).astype(np.float32)
    sound += noise * np.float32(10 ** ((note.peak_dbfs + FLOOR_DB) / 20))
    return sound, round(20 * np.log10(max(peak, 1e-9)), 2)


def _sounding(frame: pd.DataFrame, duration_s: float) -> pd.DataFrame:
    notes = frame[["path", "program", "pitch", "velocity"]].assign(voice=0, onset_s=0.0, duration_s=HELD * duration_s)
    return notes.astype({name: "int32" for name in ("program", "pitch", "velocity", "voice")})[NOTES.names]


def _figures(frame: pd.DataFrame, font: Path, entry: dict) -> dict:
    everywhere = soundfont_samples.groups(soundfont_samples.samples(font))
    sizes = frame.groupby("group")["program"].nunique()
    families = frame.groupby("group")["target_family"].nunique()
    return {
        "soundfont": font.name,
        "notes": len(frame),
        "programs": len(FAMILY),
        "groups": len(sizes),
        "programs that share samples": int(sizes[sizes > 1].sum()),
        "groups of several families": int((families > 1).sum()),
        "largest group, all programs and keys": max(
            list(everywhere.values()).count(one) for one in everywhere.values()
        ),
        "quarantined as silent": int((frame["problem"] != "").sum()),
        "groups per family": {
            family: {side: int(part.loc[part["split"] == side, "group"].nunique()) for side in splits.SIDES}
            for family, part in frame.groupby("target_family")
        },
    }
