"""Convert a score's written bars to two arrays, notes and bars, with repeats expanded and ties joined."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipelines.symbolic import jumps

NOTE = np.dtype([("onset", "f8"), ("duration", "f8"), ("pitch", "i4"), ("voice", "i4")])
BAR = np.dtype(
    [("onset", "f8"), ("duration", "f8"), ("number", "i4"), ("numerator", "i4"), ("denominator", "i4"), ("mode", "i4")]
)

# the third above the final decides: 1 major, -1 minor
MODES = {
    "major": 1,
    "ionian": 1,
    "lydian": 1,
    "mixolydian": 1,
    "minor": -1,
    "aeolian": -1,
    "dorian": -1,
    "phrygian": -1,
}

# a few slips of an encoder can be mended bar by bar; where more bars disagree, the parts are out of step
MAX_DISAGREEING_BARS = 0.05

MAX_BARS = 20_000  # a symphony has some 2,000; repeats and endings can ask for millions in a line


class Unsupported(Exception):
    """A reader has no rule for what a score holds: music21 must read it."""


class Note(NamedTuple):
    """A written note. Offset (from the bar line) and duration are in quarter notes, `pitch` is MIDI's."""

    offset: Fraction
    duration: Fraction
    pitch: int
    tied_on: bool
    tied_back: bool


class Bar(NamedTuple):
    """A written bar of one part: the notes of all its voices, and what it says of metre, key and repeats."""

    notes: list[Note]
    length: Fraction  # quarter notes
    number: int
    metre: tuple[int, int] | None  # None: as before
    mode: str | None  # of its last key signature: "" where that states none, None where there is no signature
    opens: bool  # a repeat starts here
    closes_before: bool  # a closing repeat sign at the left bar line, and at the right one
    closes: bool
    endings: frozenset[int]  # the turns its first, second, ... ending is for; empty where it stands in none
    marks: frozenset[str] = frozenset()  # segno, fine and jumps (jumps.py)


class Music(NamedTuple):
    """A piece as it is played. Onsets and durations are in quarter notes.

    `notes` (dtype `NOTE`) are sorted by onset, voice and pitch; voice 0 is the part that stands highest on the page.
    `bars` (dtype `BAR`) cover the piece without gaps; their `mode` is 1 (major), -1 (minor) or 0 (not stated),
    their `number` the one in the score.
    """

    notes: np.ndarray
    bars: np.ndarray
    unfollowed: bool = False  # is there a da capo or dal segno that is not followed?

    @property
    def length(self) -> float:
        """Quarter notes from the first bar line to the last."""
        return float(self.bars["onset"][-1] + self.bars["duration"][-1])


def as_played(parts: list[list[Bar]], mode_stated: bool = True) -> Music:
    """The notes and bars of a score's parts, each a list of written bars, as they are played.

    Grace notes have no notated length and are left out, here and so in the sound; so are rests, chord symbols and
    unpitched notes. `mode_stated` False: do not believe the mode of the key signatures. Raises `ValueError` where
    there are no bars or notes, or the parts do not agree where the bars are.
    """
    parts = [part for part in parts if part]
    if not parts:
        raise ValueError("no bars")
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the parts have different numbers of bars")
    parts = jumps.together(parts)
    order = playing_order(parts[0])
    bars = _bars(parts[0], _bar_lengths(parts), order, mode_stated)
    notes = [note for voice, part in enumerate(parts) for note in _sounding(part, bars, order, voice)]
    if not notes:
        raise ValueError("no notes")
    notes = np.sort(np.array(notes, dtype=NOTE), order=["onset", "voice", "pitch"])
    return Music(notes, bars, jumps.unfollowed(parts[0]))


def _bar_lengths(parts: list[list[Bar]]) -> list[Fraction]:
    """Quarter notes in each written bar: what most of the parts with notes in it say.

    Parts that rest do not count: some files have a breve's rest in a bar of a semibreve. Raises `ValueError` where
    the parts with notes disagree in more than `MAX_DISAGREEING_BARS` of the bars.
    """
    lengths, disagreeing = [], 0
    for column in range(len(parts[0])):
        bars = [part[column] for part in parts]
        playing = [bar for bar in bars if bar.notes]
        counts = Counter(bar.length for bar in playing or bars)
        disagreeing += len(counts) > 1 and bool(playing)
        # a part that stops short is likelier to lack its rest than the others to have too much
        lengths.append(max(counts, key=lambda length: (counts[length], length)))
    if disagreeing > max(2, MAX_DISAGREEING_BARS * len(lengths)):
        raise ValueError(f"the parts disagree about the length of {disagreeing} of {len(lengths)} bars")
    return lengths


def playing_order(bars: list[Bar]) -> list[int]:
    """Indices of a part's written bars in the order they are played, from repeat signs and numbered endings.

    A closing sign without an opening one goes back to the last closing sign, or to the start. (music21's `Expander`
    goes back to the start each time, so that a tune `A :| B :|` is played A A B A A B and 64 bars of variations on
    Yankee Doodle become 16,368; where every closing sign has an opening one the two agree.) A da capo or dal segno
    that leaves no doubt is followed (jumps.py).
    """
    opens, closes, endings = [bar.opens for bar in bars], [bar.closes for bar in bars], [bar.endings for bar in bars]
    for i, bar in enumerate(bars[1:]):
        closes[i] = closes[i] or bar.closes_before
    for i, (here, after) in enumerate(pairwise(endings)):
        closes[i] = closes[i] or bool(here and after and here != after)  # a first ending whose sign was forgotten
    order, i, start, turn = [], 0, 0, 1
    while i < len(bars):
        after_ending = i > 0 and endings[i - 1] and not endings[i]
        if i > start and (opens[i] or (after_ending and turn > 1)):
            start, turn = i, 1
        if endings[i] and turn not in endings[i]:
            i += 1
            continue
        order.append(i)
        if len(order) > MAX_BARS:
            raise ValueError(f"more than {MAX_BARS:,} bars once its repeats are written out")
        if closes[i]:
            if turn < _turns(endings, i):
                turn, i = turn + 1, start
                continue
            start, turn = i + 1, 1
        i += 1
    return order + jumps.again(bars)


def _turns(endings: list[frozenset[int]], i: int) -> int:
    """How often the music that ends at bar `i` is played: twice, or as often as it has endings from there on."""
    turns = 2
    while i < len(endings) and endings[i]:
        turns, i = max(turns, *endings[i]), i + 1
    return turns


def _bars(part: list[Bar], lengths: list[Fraction], order: list[int], mode_stated: bool) -> np.ndarray:
    written, metre, mode = [], (4, 4), 0
    for bar, length in zip(part, lengths, strict=True):
        if bar.mode is not None:
            mode = MODES.get(bar.mode, 0) if mode_stated else 0
        metre = bar.metre or metre
        written.append((length, bar.number, *metre, mode))
    bars, onset = [], Fraction(0)
    for i in order:
        length, *rest = written[i]
        bars.append((onset, length, *rest))
        onset += length
    return np.array(bars, dtype=BAR)


def _sounding(part: list[Bar], bars: np.ndarray, order: list[int], voice: int) -> list[tuple]:
    """One part's notes as played: cut at the bar's end where they hang over it by mistake, tied notes joined."""
    notes, held = [], {}  # pitch -> index of the note that a tie may lengthen
    for bar, i in zip(bars, order, strict=True):
        start, length = bar["onset"], bar["duration"]
        for offset, duration, pitch, forward, back in sorted(part[i].notes):
            onset, duration = start + float(offset), min(float(duration), length - float(offset))
            if duration <= 0:
                continue
            previous = held.pop(pitch, None)
            if back and previous is not None and abs(sum(notes[previous][:2]) - onset) < 1e-6:
                notes[previous] = (notes[previous][0], onset + duration - notes[previous][0], pitch, voice)
                current = previous
            else:
                notes.append((onset, duration, pitch, voice))
                current = len(notes) - 1
            if forward:
                held[pitch] = current
    return notes
