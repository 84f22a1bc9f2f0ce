"""The lines of a piece for writers of notation: of each track what sounds, chord by chord, with rests between, and the bars."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from pipelines.notes.tables import Piece


class Chord(NamedTuple):
    """Notes that begin and end together; no pitches: a rest. Times are in quarters."""

    onset: Fraction
    duration: Fraction
    pitches: tuple[int, ...]


def lines(piece: Piece, finest: int) -> list[list[Chord]]:
    """The chords and rests of each track that has notes, from 0 to the piece's length.

    `finest`: parts of a quarter of which all times must be whole. Raises `ValueError` for a piece of several sequences, without
    notes, with times between those parts, or with notes of a track that overlap without beginning and ending together: staff
    notation needs voices there.
    """
    if not len(piece.notes) or piece.notes["sequence"].max() > 0:
        raise ValueError("notation is written of one sequence with notes: write MIDI")
    end = _whole(piece.length, finest, "the end of the piece")
    return [
        _line(piece.notes[piece.notes["track"] == track], track, end, finest)
        for track in np.unique(piece.notes["track"]).tolist()
    ]


def bars(piece: Piece) -> list[tuple[Fraction, Fraction, int, int]]:
    """(start, end, numerator, denominator) of each bar by the piece's metres; of four quarters where it has none."""
    changes = [
        (Fraction(row["onset"]).limit_denominator(960), int(row["numerator"]), int(row["denominator"]))
        for row in piece.metres
    ]
    changes = changes if changes and changes[0][0] == 0 else [(Fraction(0), 4, 4), *changes]
    stops = [*(start for start, *_ in changes[1:]), Fraction(piece.length).limit_denominator(960)]
    found = []
    for (now, numerator, denominator), stop in zip(changes, stops, strict=True):
        while now < stop:
            after = min(now + Fraction(4 * numerator, denominator), stop)
            found.append((now, after, numerator, denominator))
            now = after
    return found


def _line(notes: np.ndarray, track: int, end: Fraction, finest: int) -> list[Chord]:
    found: list[Chord] = []
    now = Fraction(0)
    begun: dict[tuple[Fraction, Fraction], list[int]] = {}
    for onset, duration, pitch in notes[["onset", "duration", "pitch"]].tolist():
        where = f"a note of track {track} at {onset:.3f} quarters"
        place = _whole(onset, finest, where), _whole(onset + duration, finest, where)
        begun.setdefault(place, []).append(int(pitch))
    for (start, stop), pitches in sorted(begun.items()):
        if start < now or stop <= start:
            raise ValueError(
                f"track {track} has notes that overlap, or of no length, at {float(start):.3f} quarters: staff notation has no "
                "place for them; write MIDI"
            )
        if start > now:
            found.append(Chord(now, start - now, ()))
        found.append(Chord(start, stop - start, tuple(sorted(set(pitches)))))
        now = stop
    return [*found, Chord(now, end - now, ())] if now < end else found


def _whole(time: float, finest: int, what: str) -> Fraction:
    parts = round(time * finest)
    if abs(parts - time * finest) > 1e-6 * finest:
        raise ValueError(f"{what} is not on a grid of {finest} parts of a quarter: write MIDI, which has ticks")
    return Fraction(parts, finest)
