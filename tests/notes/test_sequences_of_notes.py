"""Monophonic events, chords, drum grids and tokens: what comes back of notes, and that what does not is counted."""

import json
import warnings
from pathlib import Path

import needs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corpora import chorales
from pipelines.notes import representations
from pipelines.notes.midi import read
from pipelines.notes.representations import chords, drum_grid, monophonic, satb_grid, tokens
from pipelines.notes.tables import NOTES, array

PUBLISHED = Path(__file__).parents[1] / "corpora/published"
PLACE = ["onset", "duration", "pitch"]
LINE = st.lists(st.tuples(st.integers(0, 24), st.integers(1, 48), st.integers(1, 127)), max_size=12)


def notes_of(*rows, division):
    """(onset, duration, pitch[, channel[, program[, track]]]), times in parts of a quarter."""
    names = ("onset", "duration", "pitch", "channel", "program", "track")
    rows = [{"velocity": 64} | dict(zip(names, row, strict=False)) for row in rows]
    rows = [row | {"onset": row["onset"] / division, "duration": row["duration"] / division} for row in rows]
    return array(NOTES, sorted(rows, key=lambda row: (row["onset"], row["pitch"])))


def a_line(steps, division=12, **more):
    """Notes of a line: (silence before, duration, pitch)."""
    rows, now = [], 0
    for silence, duration, pitch in steps:
        rows.append((now + silence, duration, pitch, *more.values()))
        now += silence + duration
    return notes_of(*rows, division=division)


def placed(notes):
    return [(round(a, 6), round(b, 6), pitch) for a, b, pitch in notes[PLACE].tolist()]


@pytest.fixture(scope="module")
def song():
    return read.read((PUBLISHED / "pop909/POP909/001/001.mid").read_bytes())


@pytest.fixture(scope="module")
def fills():
    return [read.read(path.read_bytes()) for path in sorted((PUBLISHED / "groove").rglob("*.mid"))]


@given(LINE, st.integers(0, 9))
def test_a_line_comes_back_from_its_events(steps, silence):
    line = a_line(steps)
    length = float((line["onset"] + line["duration"]).max(initial=0)) + silence / 12
    events = monophonic.compute(line, length)
    assert placed(monophonic.notes(events)) == placed(line)
    assert events[:, 1].sum() == round(12 * length) and (events[:, 1] > 0).all()
    assert representations.losses(line, monophonic.notes(events)) == {
        "notes": len(line),
        "notes lost": 0,
        "notes moved": 0,
    }


def test_the_highest_note_leads_and_ends_where_the_next_begins():
    notes = notes_of((0, 24, 60), (0, 24, 67), (12, 12, 72), (12, 12, 36, 9), (30, 1, 50), division=12)
    assert monophonic.compute(notes, 3.0).tolist() == [[67, 12], [72, 12], [0, 6], [50, 1], [0, 5]]
    assert representations.losses(notes, monophonic.notes(monophonic.compute(notes, 3.0))) == {
        "notes": 5, "notes lost": 2, "notes moved": 1,
    }  # fmt: skip
    assert monophonic.compute(notes, 3.0, track=1).tolist() == [[0, 36]]


def test_the_melody_of_a_song_is_a_line(song):
    """All notes of the track MELODY come back; the song as a whole loses its accompaniment."""
    melody = song.notes[song.notes["track"] == 1]
    back = monophonic.notes(monophonic.compute(song.notes, song.length, track=1), track=1)
    assert representations.losses(melody, back)["notes lost"] == 0 and (back["track"] == 1).all()
    near = np.abs(np.sort(back["onset"]) - np.sort(melody["onset"]))
    assert near.max() <= 1 / 24 + 1e-9, "half a step"
    whole = representations.losses(song.notes, monophonic.notes(monophonic.compute(song.notes, song.length)))
    assert whole["notes"] == 1556 and 0.2 < whole["notes lost"] / 1556 < 0.8


CHORDS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 16), st.integers(0, 127), st.sampled_from([0, 0, 9])), max_size=14
)


@given(CHORDS)
def test_chords_say_what_sounds(rows):
    """Step by step the classes and the bass are those of the notes, and voiced chords have the same chords."""
    notes = notes_of(*rows, division=4)
    events = chords.compute(notes, 0.0)
    steps = np.repeat(events[:, :2], events[:, 2], axis=0)
    for step, (classes, bass) in enumerate(steps.tolist()):
        sounding = [pitch for a, b, pitch, channel in rows if a <= step < a + b and channel != 9]
        assert {n for n in range(12) if classes >> n & 1} == {pitch % 12 for pitch in sounding}
        assert bass == min(sounding, default=chords.SILENCE)
    assert (np.diff(events[:, :2], axis=0) != 0).any(axis=1).all(), "a new event is another chord"
    if events[:, 1].max(initial=0) <= 116:  # above, a class above the bass has no MIDI number
        assert chords.compute(chords.voiced(events), steps.shape[0] / 4).tolist() == events.tolist()


def test_chords_of_a_chorale():
    """Its chords, given voices again, are its chords: nothing but octaves, voices and repetitions is lost."""
    piece = chorales.read(Path(chorales.pieces({})["path"][3]), b"")
    events = chords.compute(piece.notes, piece.length)
    assert chords.compute(chords.voiced(events), piece.length).tolist() == events.tolist()
    grid = satb_grid.compute(piece.notes, piece.length)[:, :4]
    bass = np.repeat(events[:, 1], events[:, 2])
    assert (bass == grid.min(axis=1)).all() and len(events) < len(grid)


def test_drums(fills):
    hits = notes_of(
        (0, 0, 36, 9), (0, 0, 35, 9), (5, 1, 22, 9), (7, 1, 26, 9), (8, 1, 60, 9), (8, 1, 36, 0), division=8
    )
    hits["velocity"] = [90, 40, 50, 60, 70, 80]
    grid = drum_grid.compute(hits, 0.0)
    assert [(int(a), list(drum_grid.DRUMS)[b], int(grid[a, b])) for a, b in np.argwhere(grid)] == [
        (0, "bass", 90), (3, "closed_hihat", 50), (4, "open_hihat", 60),
    ]  # fmt: skip
    pitches = [pitch for each in drum_grid.DRUMS.values() for pitch in each]
    assert len(pitches) == len(set(pitches)) == 25 and len(grid[0]) == 9
    for piece in fills:
        assert np.isin(piece.notes["pitch"], pitches).all(), "the TD-11 has no others"
        fine = drum_grid.compute(piece.notes, piece.length, steps_per_quarter=480)
        strokes = {
            (round(480 * onset), drum_grid.COLUMN[pitch]) for onset, pitch in piece.notes[["onset", "pitch"]].tolist()
        }
        assert {(int(a), int(b)) for a, b in np.argwhere(fine)} == strokes


@pytest.fixture
def miditok():
    return needs.package("miditok", "tokens")


@pytest.mark.parametrize("scheme", tokens.SCHEMES)
def test_notes_on_the_grid_come_back_from_tokens(miditok, scheme):
    """Of any notes of two programs and drums, of which no two of a pitch and program overlap."""

    @given(LINE, LINE, LINE)
    @settings(max_examples=15, deadline=None)
    def kept(one, other, drums):
        lines = ([(min(a, 8), min(b, 48), min(p, 126)) for a, b, p in line] for line in (one, other, drums))
        parts = [
            a_line(line, 8, channel=channel, program=program)
            for line, channel, program in zip(lines, (0, 0, 9), (0, 40, 0), strict=True)
        ]
        notes = np.concatenate(parts)
        found = tokens.compute(notes, 0.0, scheme=scheme)
        back = tokens.notes(found, scheme=scheme)
        assert representations.losses(notes, back) == {"notes": len(notes), "notes lost": 0, "notes moved": 0}
        of = lambda rows: sorted(rows[["onset", "pitch", "program"]][rows["channel"] != 9].tolist())  # noqa: E731
        assert of(back) == of(notes)
        assert len(found) == 0 or found.shape[1] == (6 if scheme == "octuple" else 1)

    kept()


def test_of_the_warnings_of_miditok_only_that_of_bars_is_silent(miditok, monkeypatch):
    notes = notes_of((0, 4, 60), (64, 4, 62), division=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(tokens.compute(notes, 0.0, scheme="octuple", bars=3)) == 1
    score = tokens._score
    monkeypatch.setattr(tokens, "_score", lambda notes: warnings.warn("another", stacklevel=1) or score(notes))
    with pytest.warns(UserWarning, match="another"):
        tokens.compute(notes, 0.0)


def test_what_tokens_lose(miditok):
    """What is longer than twelve quarters, what lies between the steps, and which of two overlapping notes ends first."""
    notes = notes_of(
        (0, 1, 60), (0, 1, 60), (0, 8, 127), (1, 160, 62), (2.4, 1, 64), (8, 16, 70), (16, 4, 70), division=8
    )
    lost = {"notes": 7, "notes lost": 0}
    for scheme, moved in {"remi": 2, "octuple": 2, "midi_like": 3}.items():
        back = tokens.notes(tokens.compute(notes, 0.0, scheme=scheme), scheme=scheme)
        assert representations.losses(notes, back) == lost | {"notes moved": moved}, scheme


@pytest.mark.parametrize("scheme", tokens.SCHEMES)
def test_real_music_and_its_losses(miditok, scheme, song, fills):
    """Every note comes back here; with miditok's own settings drums of the TD-11 and the bars after the sixtieth do not."""
    for piece in (song, *fills):
        back = tokens.notes(tokens.compute(piece.notes, piece.length, scheme=scheme), scheme=scheme)
        assert representations.losses(piece.notes, back)["notes lost"] == 0
    few = tokens.notes(tokens.compute(song.notes, song.length, scheme=scheme, bars=60), scheme=scheme, bars=60)
    assert representations.losses(song.notes, few)["notes lost"] == (255 if scheme == "octuple" else 0)
    default = getattr(miditok, tokens.SCHEMES[scheme])(miditok.TokenizerConfig(use_programs=True))
    low = sum(
        len(track.notes)
        for piece in fills
        for track in default.decode(default.encode(tokens._score(piece.notes))).tracks
    )
    assert (
        sum(len(piece.notes) for piece in fills) - low
        == sum(np.isin(piece.notes["pitch"], (22, 26)).sum() for piece in fills)
        > 0
    )


@pytest.mark.parametrize("scheme", ["remi", "tsd", "midi_like", "structured"])
def test_learned_tokens_say_what_the_schemes_own_say(miditok, scheme, song, fills):
    """The same notes come back of a piece that was learned from and of others, from fewer tokens."""
    learned = tokens.learn([song.notes], scheme=scheme, bpe=30)
    assert learned == tokens.learn([song.notes], scheme=scheme, bpe=30), "the same bytes again"
    n_own = len(tokens.load(scheme, 8, 512).vocab)
    assert len(json.loads(json.loads(learned)["_model"])["model"]["merges"]) == 30
    for piece in (song, *fills):
        plain = tokens.compute(piece.notes, piece.length, scheme=scheme)
        short = tokens.compute(piece.notes, piece.length, scheme=scheme, bpe=30, learned=learned)
        assert short.max() < n_own + 30 and len(short) <= len(plain)
        back = tokens.notes(short, scheme=scheme, bpe=30, learned=learned)
        assert (back == tokens.notes(plain, scheme=scheme)).all()
    assert len(tokens.compute(song.notes, song.length, scheme=scheme, learned=learned)) < 0.9 * len(
        tokens.compute(song.notes, song.length, scheme=scheme)
    )


def test_what_no_token_can_be_learned_from(miditok, song):
    assert tokens.learn([song.notes]) == ""
    with pytest.raises(ValueError, match="bpe: octuple has no single stream"):
        tokens.learn([song.notes], scheme="octuple", bpe=9)
    with pytest.raises(ValueError, match="bpe: no training piece has notes"):
        tokens.learn([song.notes[:0]], bpe=9)


def test_a_scheme_that_there_is_not():
    with pytest.raises(ValueError, match="scheme: abc in params.yaml; there is remi, tsd"):
        tokens.load("abc", 8, 512)
