"""The notes of stems, on a grid of frames and MIDI note numbers: what score-informed separation reads."""

import numpy as np
import pandas as pd

from pipelines.core import events

PITCHES = 128
TARGET = "note"
"""The target of a dataset's events whose label is the stem and whose value is the MIDI note number."""

Notes = list[np.ndarray]
"""Of each stem `(notes, 3)` float64: onset in s, offset in s, MIDI note number."""


def of_clips(dataset: str, names: list[str]) -> dict[str, Notes]:
    """clip_id -> the notes of the stems `names`. Raises `ValueError` where the dataset has no notes."""
    table = events.read(dataset, TARGET)
    return {clip_id: of_stems(part, names) for clip_id, part in table.groupby("clip_id", sort=False)}


def none(names: list[str]) -> Notes:
    """Of a clip without a note."""
    return [np.zeros((0, 3)) for _ in names]


def of_stems(table: pd.DataFrame, names: list[str]) -> Notes:
    """The notes of a clip: columns `label` (the stem), `onset_s`, `offset_s` and `value` (the MIDI note number)."""
    wanted = ["onset_s", "offset_s", "value"]
    return [table.loc[table["label"] == name, wanted].to_numpy(float).reshape(-1, 3) for name in names]


def roll(notes: Notes, n_frames: int, hop_s: float, start_s: float) -> np.ndarray:
    """`(stems, n_frames, PITCHES)` float32: 1 while a note is held; frame k is centred at `start_s + k * hop_s`.

    A note is held in the frames whose centres lie in [onset, offset), as in `events.grid`; one that lies between two centres
    in the later.
    """
    found = np.zeros((len(notes), n_frames, PITCHES), np.float32)
    for stem, table in enumerate(notes):
        first, last = (np.ceil((time - start_s) / hop_s - events.ROUNDING).astype(int) for time in table[:, :2].T)
        last = np.maximum(last, first + 1)
        for a, b, pitch in zip(np.maximum(first, 0), np.maximum(last, 0), table[:, 2].astype(int), strict=True):
            found[stem, a:b, pitch] = 1
    return found


def rolls(clips: list[Notes], places: np.ndarray, n_frames: int, hop: int, rate: int) -> np.ndarray:
    """`(n, stems, n_frames, PITCHES)` of remixes whose stems come from `places` `(n, stems, 2)`: number of the clip, sample."""
    found = np.empty((*places.shape[:2], n_frames, PITCHES), np.float32)
    for row, stem in np.ndindex(*places.shape[:2]):
        clip, first = places[row, stem]
        found[row, stem] = roll([clips[clip][stem]], n_frames, hop / rate, first / rate)[0]
    return found
