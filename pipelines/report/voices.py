"""Pieces in voices on a grid of 16ths on a page: a piano roll, a player, a MIDI file.

A note is `[voice, pitch, first step, steps]`, the highest voice 0; a step is a 16th.
"""

import base64
from collections.abc import Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipelines.notes import grids
from pipelines.notes.midi.write import write
from pipelines.notes.tables import KEYS, METRES, TEMPOS, Piece, array
from pipelines.report import pictures, players
from pipelines.report.context import Context
from pipelines.symbolic import render

STEPS = 4
"""Of a quarter."""
TEMPO, ORGAN = 80.0, 19  # quarters a minute, and a church organ in General MIDI
STEP_S = 60 / TEMPO / STEPS
SAMPLE_RATE, LEVEL_DBFS, TAIL_S = 16_000, -20.0, 1.0


def piece_of(grid: np.ndarray, tempo: float = TEMPO, program: int = ORGAN) -> Piece:
    """The note table of a grid `(steps, voices)` of MIDI numbers, 0 for silence; a track a voice. tempo: quarters a minute."""
    notes, quarter_s = grids.notes(grid), 60 / tempo
    notes["onset_s"], notes["duration_s"] = quarter_s * notes["onset"], quarter_s * notes["duration"]
    notes["program"] = program
    return Piece(
        notes=notes,
        tempos=array(TEMPOS, [{"quarter_us": round(1e6 * quarter_s)}]),
        metres=array(METRES, [{"numerator": 4, "denominator": 4}]),
        keys=array(KEYS, []),
        length=len(grid) / STEPS,
        length_s=quarter_s * len(grid) / STEPS,
        division=480,
        n_tracks=grid.shape[1],
    )


def midi(notes: Sequence[Sequence[int]]) -> Markup:
    """The address of a link to the notes as a MIDI file, which is in the address itself; "" of a piece without notes."""
    if not notes:
        return Markup("")
    n_steps, n_voices = max(first + steps for *_, first, steps in notes), 1 + max(voice for voice, *_ in notes)
    grid = np.zeros((n_steps, n_voices), np.uint8)
    for voice, pitch, first, steps in notes:
        grid[first : first + steps, voice] = pitch
    return Markup("data:audio/midi;base64," + base64.b64encode(write(piece_of(grid))[0]).decode())


def roll(notes: Sequence[Sequence[int]], first: int, steps: int, run: Sequence[int] | None = None) -> dict | None:
    """`steps` steps from step `first` on, as `pictures.piano_roll` draws them. run: (voice, first step, step after the last) of
    the notes that are marked."""
    table = _table(notes)
    if run:
        voice, start, end = run
        inside = (table["onset_s"] >= start * STEP_S - 1e-6) & (table["onset_s"] < end * STEP_S - 1e-6)
        table["marked"] = (table["voice"] == voice) & inside
    return pictures.piano_roll(table, first * STEP_S, steps * STEP_S)


def hear(context: Context, title: str, notes: Sequence[Sequence[int]], first: int, steps: int) -> int | None:
    """The number of the player of these steps (`players.hear`), None where no note begins in them."""
    table, length_s = _table(notes), steps * STEP_S
    table["onset_s"] -= first * STEP_S
    table = table[(table["onset_s"] >= 0) & (table["onset_s"] < length_s)]
    if table.empty:
        return None
    samples = render.mix(table.to_records(index=False), SAMPLE_RATE, length_s + TAIL_S, LEVEL_DBFS)
    return players.hear(context, title, (samples * 32767).astype(np.int16), SAMPLE_RATE)


def _table(notes: Sequence[Sequence[int]]) -> pd.DataFrame:
    table = pd.DataFrame(notes, columns=["voice", "pitch", "onset_s", "duration_s"]).assign(program=ORGAN, velocity=64)
    return table.astype({"onset_s": float, "duration_s": float}).assign(
        onset_s=lambda rows: rows["onset_s"] * STEP_S, duration_s=lambda rows: rows["duration_s"] * STEP_S
    )
