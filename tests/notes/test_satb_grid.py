"""The SATB grid: what it keeps of four voices, and that what it loses is counted or absent."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora import chorales
from pipelines.notes import grids
from pipelines.notes.representations import melody_grid, satb_grid
from pipelines.notes.tables import NOTES, array

PLACE = ["onset", "duration", "pitch", "track"]
LINE = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(1, 127)), max_size=6)


def notes_of(*rows):
    """(track, onset in steps, duration in steps, pitch)"""
    named = [{"track": t, "onset": a / 4, "duration": b / 4, "pitch": p, "velocity": 64} for t, a, b, p in rows]
    return array(NOTES, sorted(named, key=lambda row: row["onset"]))


def placed(notes):
    return sorted(notes[PLACE].tolist())


@given(st.lists(LINE, min_size=4, max_size=4))
def test_four_lines_on_the_grid_come_back(lines):
    """Notes of a line: (duration, silence before it, pitch)."""
    rows = []
    for track, line in enumerate(line for line in lines if line):
        now = 0
        for duration, silence, pitch in line:
            rows.append((track, now + silence, duration, pitch))
            now += silence + duration
    notes = notes_of(*rows)
    grid = satb_grid.compute(notes, 0.0)
    assert placed(satb_grid.notes(grid)) == placed(notes) and not grid[:, 8].any()


def test_a_note_is_held_or_repeated():
    grid = satb_grid.compute(notes_of((0, 0, 2, 60), (0, 2, 2, 60), (2, 1, 3, 48)), 1.25)
    assert grid[:, :4].tolist() == [[60, 0, 0, 0], [60, 48, 0, 0], [60, 48, 0, 0], [60, 48, 0, 0], [0, 0, 0, 0]]
    assert grid[:, 4:8].tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert placed(grids.notes(grid[:, :4])) == [(0, 1, 60, 0), (0.25, 0.75, 48, 1)], "without onsets it is one note"


def test_what_is_lost():
    short = satb_grid.compute(notes_of((0, 0, 0.5, 60), (0, 0.5, 0.25, 62), (0, 0.75, 1.25, 64)), 0.5)
    assert short[:, 0].tolist() == [60, 64], "a note between two steps is gone, an end moves to the next step"
    five = satb_grid.compute(notes_of(*((track, 0, 1, 60 + track) for track in range(6))), 0.25)
    assert five.tolist() == [[60, 61, 62, 63, 1, 1, 1, 1, 2]]
    chord = satb_grid.compute(notes_of((0, 0, 2, 60), (0, 0, 2, 64), (0, 1, 1, 55)), 0.5)
    assert chord[:, [0, 8]].tolist() == [[64, 1], [55, 2]]


def test_a_melody_is_its_later_and_higher_notes():
    grid = melody_grid.compute(notes_of((0, 0, 2, 60), (1, 0, 2, 64), (0, 3, 1, 55), (2, 3.5, 2, 57)), 1.25)
    assert grid.tolist() == [[64, 1, 1], [64, 0, 1], [0, 0, 0], [55, 1, 0], [57, 1, 0], [57, 0, 0]]
    assert placed(melody_grid.notes(grid)) == [(0, 0.5, 64, 0), (0.75, 0.25, 55, 0), (1.0, 0.5, 57, 0)]
    lower = melody_grid.compute(notes_of((0, 0, 2, 60), (1, 0, 2, 64)), 0.5, track=0)
    assert lower.tolist() == [[60, 1, 0], [60, 0, 0]]


def test_chorales_come_back():
    """A note of a real chorale that does not come back has an onset or an end off the grid, and all others do."""
    listed = chorales.pieces({})
    n_notes = n_kept = n_pieces = 0
    for path in listed["path"][3::45]:
        piece = chorales.read(Path(path), b"")
        if piece.n_tracks != 4:
            continue
        before, after = (
            set(placed(notes)) for notes in (piece.notes, satb_grid.notes(satb_grid.compute(piece.notes, piece.length)))
        )
        times = np.array([(4 * onset, 4 * (onset + duration)) for onset, duration, *_ in before - after]).reshape(-1, 2)
        assert (np.abs(times - np.rint(times)).max(axis=1, initial=0) > 1e-6).all()
        n_notes, n_kept, n_pieces = n_notes + len(before), n_kept + len(before & after), n_pieces + 1
    assert n_pieces >= 7 and n_kept > 0.99 * n_notes
