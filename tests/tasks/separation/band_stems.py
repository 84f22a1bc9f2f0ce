"""Datasets of two stems, written as stages leave them: what the family's tests fit and score on.

`bands`: noise in two bands. `lines`: two lines of one timbre, which only their notes tell apart.
"""

from pathlib import Path

import mido
import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt

from pipelines.core import events, paths, stems
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.tasks import Run, family

RATE = 4000
SIDES = ("train", "train", "train", "validation", "test", "test", "test", "test")
SMALL = {"n_fft": 256, "hop": 128, "segment_s": 1.0, "excerpt_s": 0.5, "hidden": 16, "layers": 1}
NOTE_S = 0.5


def write(silent: bool = False, seconds: float = 1.5) -> None:
    """Eight clips: `low` is noise below 700 Hz, `high` above 900 Hz. silent: `high` is absent from the last clip."""
    rng, clips = np.random.default_rng(3), []
    for number in range(len(SIDES)):
        noise = rng.normal(0, 0.1, (2, round(seconds * RATE)))
        sounds = [
            sosfilt(butter(8, cut, kind, fs=RATE, output="sos"), one)
            for one, cut, kind in zip(noise, (700, 900), ("low", "high"), strict=True)
        ]
        last = silent and number == len(SIDES) - 1
        clips.append(dict(zip(["low"] if last else ["low", "high"], sounds, strict=False)))
    _store("bands", clips, [])


def write_lines(n_notes: int = 3) -> None:
    """Eight clips of two stems, `one` and `two`, each of notes of half a second with the same partials."""
    rng, clips, rows = np.random.default_rng(5), [], []
    time = np.arange(round(NOTE_S * RATE)) / RATE
    for number in range(len(SIDES)):
        pitches = np.stack([57 + 4 * rng.permutation(5)[:2] for _ in range(n_notes)], axis=1)
        sounds = {}
        for name, line in zip(("one", "two"), pitches, strict=True):
            partials = [[np.sin(2 * np.pi * h * hertz(p) * time) / h for h in (1, 2, 3)] for p in line]
            sounds[name] = 0.1 * np.concatenate([np.exp(-2 * time) * np.sum(one, axis=0) for one in partials])
            onsets = NOTE_S * np.arange(n_notes)
            rows += [(f"{number:016x}", "note", name, t, t + NOTE_S, p) for t, p in zip(onsets, line, strict=True)]
        clips.append(sounds)
    _store("lines", clips, rows)


def hertz(pitch: int) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


def midi_file(path, names: list[str]) -> None:
    """A track a name, with a note each: 60, 61, ..., from 0.5 to 0.75 s."""
    file = mido.MidiFile(ticks_per_beat=480)
    for number, name in enumerate(names):
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        track += [
            mido.Message("note_on", note=60 + number, time=480),
            mido.Message("note_off", note=60 + number, time=240),
        ]
        file.tracks.append(track)
    file.save(path)


def _store(dataset: str, clips: list[dict[str, np.ndarray]], notes: list[tuple]) -> None:
    rows = []
    for number, sounds in enumerate(clips):
        written = np.rint(np.stack(list(sounds.values())) * stems.FULL_SCALE).astype(np.int16)
        rows += stems.write_clip(paths.raw(dataset), f"audio/{number}.flac", list(sounds), written, RATE)
    stems.write_index(paths.raw(dataset), rows)
    ids, n = [f"{number:016x}" for number in range(len(SIDES))], len(SIDES)
    seconds = rows[0]["n_samples"] / RATE
    table = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(n)).assign(
        clip_id=ids,
        path=[f"data/raw/{dataset}/audio/{number}.flac" for number in range(n)],
        sha256=ids,
        split=list(SIDES),
    )
    table = table.assign(group=ids, tags=[[]] * n, duplicate_of=None, duration_s=seconds, sample_rate=RATE, channels=1)
    write_table(
        table.assign(n_bytes=9).astype({"sample_rate": "int32", "channels": "int32"}), paths.manifest(dataset), MANIFEST
    )
    table = pd.DataFrame(notes, columns=events.EVENTS.names) if notes else events.none()
    write_table(table.astype({"value": float}), paths.events(dataset), events.EVENTS)


def run(dataset: str = "bands", model: str = "mask_lstm", **options) -> Run:
    """A run of the family on such a dataset, with one training in models/."""
    defaults = {key: default for key, (default, _) in family("separation").OPTIONS.items()}
    name = f"{dataset}_{model.rpartition('_')[2]}"
    folder = Path(f"models/runs/{name}/2026")
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name=name,
        task="separation",
        dataset=dataset,
        model=model,
        input=paths.raw(dataset) / "stems",
        trainings=((2026, folder),),
        options=defaults | SMALL | options,
        shared={"seed": 2026, "n_bootstrap": 50},
    )
