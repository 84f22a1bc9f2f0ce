"""A piece written as MIDI and read again is the same piece."""

import io
from dataclasses import replace

import mido
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.notes.midi.read import read
from pipelines.notes.midi.write import write
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array

NOTE = st.fixed_dictionaries(
    {
        "track": st.integers(0, 3),
        "channel": st.integers(0, 15),
        "program": st.integers(0, 127),
        "pitch": st.integers(58, 62),  # few: many are struck again while they sound
        "velocity": st.integers(1, 127),
        "start": st.integers(0, 40),
        "ticks": st.integers(0, 40),
    }
)
DIVISIONS = st.sampled_from([1, 24, 96, 120, 220, 480, 960, 1024, 10_080])
TEMPO = st.tuples(st.integers(0, 50), st.integers(1, 0xFFFFFF))
METRE = st.tuples(st.integers(0, 50), st.integers(1, 255), st.integers(0, 7))
KEY = st.tuples(st.integers(0, 50), st.integers(-7, 7), st.sampled_from(["major", "minor"]))


def piece_of(notes, division, tempos=(), metres=(), keys=()):
    """Times are in ticks. Notes of one pitch end in the order in which they begin, as MIDI has it."""
    ends = {}
    for note in notes:
        place = note.get("sequence", 0), note["track"], note["channel"], note["pitch"]
        ends.setdefault(place, []).append(note["start"] + note["ticks"])
    ends = {place: sorted(ticks, reverse=True) for place, ticks in ends.items()}
    rows = []
    for note in sorted(notes, key=lambda note: note["start"]):
        end = ends[note.get("sequence", 0), note["track"], note["channel"], note["pitch"]].pop()
        rows.append(note | {"onset": note["start"] / division, "duration": (end - note["start"]) / division})
    maps = [
        array(TEMPOS, [{"onset": at / division, "quarter_us": us} for at, us in sorted(tempos)]),
        array(METRES, [{"onset": at / division, "numerator": n, "denominator": 1 << d} for at, n, d in sorted(metres)]),
        array(KEYS, [{"onset": at / division, "fifths": n, "mode": mode} for at, n, mode in sorted(keys)]),
    ]
    n_tracks = 1 + max((note["track"] for note in notes), default=0)
    return Piece(array(NOTES, rows), *maps, 100 / division, 0.0, division, n_tracks)


def rows(table, *names):
    return sorted(table[list(names)].tolist())


def in_ticks(piece):
    times = [np.rint(piece.notes[name] * piece.division).astype(int).tolist() for name in ("onset", "duration")]
    return sorted(zip(*times, piece.notes[list(EXACT)].tolist(), strict=True))


EXACT = ("sequence", "track", "channel", "program", "pitch", "velocity")


@given(
    st.lists(NOTE, max_size=20),
    DIVISIONS,
    st.lists(TEMPO, max_size=3),
    st.lists(METRE, max_size=3),
    st.lists(KEY, max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_round_trip(notes, division, tempos, metres, keys):
    piece = piece_of(notes, division, tempos, metres, keys)
    content, exchanged = write(piece)
    found = read(content, 1e12)
    assert exchanged == 0 and found.remarks == {}
    assert rows(found.notes, *EXACT) == rows(piece.notes, *EXACT)
    assert in_ticks(found) == in_ticks(piece)
    assert rows(found.tempos, "onset", "quarter_us") == rows(piece.tempos, "onset", "quarter_us")
    assert rows(found.metres, "onset", "numerator", "denominator") == rows(
        piece.metres, "onset", "numerator", "denominator"
    )
    assert rows(found.keys, "onset", "fifths", "mode") == rows(piece.keys, "onset", "fifths", "mode")
    assert (found.length, found.division, found.n_tracks) == (piece.length, division, piece.n_tracks)
    again, _ = write(found)
    assert again == content, "what was read is written as it was"


@given(st.lists(NOTE, min_size=1, max_size=12), DIVISIONS)
@settings(max_examples=50, deadline=None)
def test_round_trip_of_independent_sequences(notes, division):
    notes = [note | {"sequence": note["track"]} for note in notes]
    piece = piece_of(notes, division)
    found = read(write(piece)[0], 1e12)
    if piece.notes["sequence"].max() > 0:
        assert rows(found.notes, *EXACT, "onset") == rows(piece.notes, *EXACT, "onset")


def test_crossed_ends_are_counted():
    """A note inside another of its pitch: MIDI cannot say which of them a release ends."""
    piece = piece_of([], 480)
    notes = [
        {"pitch": 60, "velocity": 64, "onset": 0, "duration": 4},
        {"pitch": 60, "velocity": 64, "onset": 1, "duration": 1},
        {"pitch": 62, "velocity": 64, "onset": 1, "duration": 1},
    ]
    content, exchanged = write(replace(piece, notes=array(NOTES, notes)))
    assert exchanged == 2
    assert rows(read(content).notes, "onset", "duration", "pitch") == [(0, 2, 60), (1, 1, 62), (1, 3, 60)]


def test_another_division_rounds_to_its_ticks():
    notes = array(NOTES, [{"pitch": 60, "velocity": 64, "onset": 1 / 3, "duration": 1 / 3}])
    found = read(write(replace(piece_of([], 480), notes=notes), 4)[0])
    assert rows(found.notes, "onset", "duration") == [(0.25, 0.5)]


def test_mido_reads_it():
    notes = [{"track": 1, "channel": 2, "program": 40, "pitch": 60, "velocity": 64, "start": 0, "ticks": 10}]
    file = mido.MidiFile(file=io.BytesIO(write(piece_of(notes, 480, tempos=[(0, 400_000)]))[0]))
    assert [message.type for message in file.tracks[0]] == ["set_tempo", "end_of_track"]
    assert [message.type for message in file.tracks[1]] == ["program_change", "note_on", "note_off", "end_of_track"]
    assert np.isclose(file.length, 100 / 480 * 0.4)
