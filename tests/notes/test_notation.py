"""Pieces written as ABC and MusicXML: what is read again, by this project's readers and by music21, is what was written."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import symusic
from hypothesis import given, settings
from hypothesis import strategies as st
from music21 import converter

from pipelines.corpora import folder
from pipelines.notes import musicxml, writing
from pipelines.notes.abc import fields
from pipelines.notes.abc import read as abc_read
from pipelines.notes.abc import write as abc_write
from pipelines.notes.lines import bars
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array

PLACE = ["onset", "duration", "pitch", "track"]
LENGTHS = [Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(7, 4), Fraction(1, 3), Fraction(5)]
CHORD = st.tuples(st.sampled_from(LENGTHS), st.sets(st.integers(36, 96), max_size=3))
VOICE = st.lists(CHORD, min_size=1, max_size=10)
METRE = st.sampled_from([(4, 4), (3, 4), (6, 8), (5, 8)])
KEY = st.sampled_from(
    [(0, "major"), (-7, "major"), (7, "major"), (-3, "minor"), (5, "minor"), (7, "minor"), (-7, "minor")]
)


def piece_of(voices, metre=(4, 4), key=(0, "major"), quarter_us=750_000):
    """voices: of each its (duration, pitches), none for a rest."""
    rows, length = [], Fraction(0)
    for track, voice in enumerate(voices):
        now = Fraction(0)
        for duration, pitches in voice:
            rows += [
                {"track": track, "pitch": p, "velocity": 64, "onset": float(now), "duration": float(duration)}
                for p in sorted(pitches)
            ]
            now += duration
        length = max(length, now)
    return Piece(
        notes=array(NOTES, sorted(rows, key=lambda row: (row["onset"], row["track"], row["pitch"]))),
        tempos=array(TEMPOS, [{"quarter_us": quarter_us}]),
        metres=array(METRES, [dict(zip(("numerator", "denominator"), metre, strict=True))]),
        keys=array(KEYS, [dict(zip(("fifths", "mode"), key, strict=True))]),
        length=float(length),
        length_s=float(length) * quarter_us / 1e6,
        division=12,
        n_tracks=len(voices),
    )


def placed(notes):
    """Tracks by their order among those with notes: a part without any is not written."""
    tracks = np.unique(notes["track"]).tolist()
    return sorted(
        (round(a, 6), round(b, 6), pitch, tracks.index(track)) for a, b, pitch, track in notes[PLACE].tolist()
    )


@given(st.lists(VOICE, min_size=1, max_size=3), METRE, KEY, st.integers(250_000, 2_000_000))
@settings(max_examples=60, deadline=None)
def test_abc_reads_what_it_wrote(voices, metre, key, quarter_us):
    piece = piece_of(voices, metre, key, quarter_us)
    if not len(piece.notes):
        return
    found = abc_read.read(abc_write.write(piece, "a title").decode())
    assert placed(found.notes) == placed(piece.notes) and found.length == pytest.approx(piece.length)
    assert found.metres.tolist() == piece.metres.tolist() and found.keys[["fifths", "mode"]].tolist() == [key]
    assert found.tempos["quarter_us"][0] == pytest.approx(quarter_us, rel=1e-4)


@given(st.lists(CHORD.filter(lambda chord: chord[0].denominator != 3), min_size=1, max_size=10))
@settings(max_examples=40, deadline=None)
def test_abc2midi_reads_it_so_too(voice):
    """Without triplets: abc2midi ties no notes of a length such as 4/3."""
    piece = piece_of([voice], key=(-3, "minor"))
    if not len(piece.notes):
        return
    score = symusic.Score.from_abc(abc_write.write(piece).decode())
    theirs = sorted(note.pitch for track in score.tracks for note in track.notes)
    assert theirs == sorted(piece.notes["pitch"].tolist())


@pytest.mark.parametrize("fifths", range(-7, 8))
@pytest.mark.parametrize("mode", ["major", "minor"])
def test_names_of_keys(fifths, mode):
    assert fields.key(abc_write.key_name(fifths, mode))[1:] == (fifths, mode)


def test_accidentals_are_written_where_they_are_needed():
    voice = [(Fraction(1), {pitch}) for pitch in (66, 65, 78, 77, 66)]
    text = abc_write.write(piece_of([voice], key=(1, "major"))).decode()
    assert "V:1\nF4 =F4 ^f4 =f4 |F4 |\n" in text


EXAMPLES = {
    "two voices, a tie over the bar line and a rest": (
        [[(Fraction(3), {60}), (Fraction(2), {62, 65}), (Fraction(1), {71})], [(Fraction(2), {48}), (Fraction(4), ())]],
        (4, 4),
    ),
    "triplets in 3/4": ([[(Fraction(1, 3), {60 + n}) for n in range(9)]], (3, 4)),
    "6/8": ([[(Fraction(1, 2), {60 + n}) for n in range(7)]], (6, 8)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_musicxml_reads_what_it_wrote(name, in_tmp):
    """By the project's reader, and by music21."""
    piece = piece_of(*EXAMPLES[name], key=(-2, "minor"))
    content = musicxml.write(piece, "a title")
    assert placed(_again(content)) == placed(piece.notes)
    assert content == musicxml.write(piece, "a title"), "equal pieces give equal bytes"
    score = converter.parseData(content, format="musicxml").stripTies()
    theirs = sorted(
        (round(float(each.getOffsetInHierarchy(score)), 6), pitch.midi)
        for each in score.recurse().notes for pitch in each.pitches
    )  # fmt: skip
    assert theirs == [
        (onset, pitch) for onset, _, pitch, _ in sorted(placed(piece.notes), key=lambda row: (row[0], row[2]))
    ]
    assert (
        score.parts[0].recurse().getElementsByClass("KeySignature")[0].sharps == -2
        and b"Music21</creator>" not in content
    )


def _again(content: bytes):
    path = Path("again.musicxml")
    path.write_bytes(content)
    return folder.read(path, content).notes


def test_bars_follow_the_metres():
    metres = [{"numerator": 3, "denominator": 4}, {"onset": 5, "numerator": 2, "denominator": 2}]
    piece = piece_of([[(Fraction(10), {60})]])
    changed = Piece(**{**vars(piece), "metres": array(METRES, metres)})
    assert [(float(a), float(b), n) for a, b, n, _ in bars(changed)] == [(0, 3, 3), (3, 5, 3), (5, 9, 2), (9, 10, 2)]
    again = abc_read.read(abc_write.write(changed).decode())
    assert again.metres[["onset", "numerator"]].tolist() == [(0, 3), (5, 2)] and placed(again.notes) == placed(
        changed.notes
    )


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        ([(0, 2, 60), (1, 2, 64)], "overlap"),
        ([(0, 0.123, 60)], "not on a grid of 96"),
        ([(0, 0, 60)], "of no length"),
        ([], "one sequence with notes"),
    ],
)
@pytest.mark.parametrize("suffix", [".abc", ".musicxml"])
def test_what_notation_has_no_place_for(notes, reason, suffix):
    names = ("onset", "duration", "pitch")
    piece = piece_of([[(Fraction(4), {60})]])
    table = array(NOTES, [dict(zip(names, row, strict=True)) | {"velocity": 64} for row in notes])
    with pytest.raises(ValueError, match=reason):
        writing.content(Piece(**{**vars(piece), "notes": table}), Path(f"a{suffix}"))


def test_an_ending_that_is_none():
    with pytest.raises(ValueError, match=r"a\.pdf: notes are written as \.mid, "):
        writing.content(piece_of([[(Fraction(1), {60})]]), Path("a.pdf"))
