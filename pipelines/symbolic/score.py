"""A music21 score as two arrays: its notes and its bars, with the repeats written out and the ties joined."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np

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

NOT_NOTES = frozenset(("Harmony", "Unpitched", "PercussionChord"))  # music21 counts chord symbols among the notes

# a few slips of an encoder can be mended bar by bar; where more bars disagree, the parts are out of step
MAX_DISAGREEING_BARS = 0.05

MAX_BARS = 20_000  # a symphony has some 2,000; repeats and endings can ask for millions in a line


class Music(NamedTuple):
    """A piece as it is played. Onsets and durations are in quarter notes.

    `notes` (dtype `NOTE`) are sorted by onset, voice and pitch; voice 0 is the part that stands highest on the page.
    `bars` (dtype `BAR`) cover the piece without gaps; their `mode` is 1 (major), -1 (minor) or 0 (not stated),
    their `number` the one in the score.
    """

    notes: np.ndarray
    bars: np.ndarray

    @property
    def length(self) -> float:
        """Quarter notes from the first bar line to the last."""
        return float(self.bars["onset"][-1] + self.bars["duration"][-1])


def from_score(score, mode_stated: bool = True) -> Music:
    """The notes and bars of a music21 `Score`.

    Grace notes have no notated length and are left out, here and so in the sound; so are rests, chord symbols and
    unpitched notes. `mode_stated` False: do not believe the mode of the key signatures. Raises `ValueError` where
    there are no bars or notes, or the parts do not agree where the bars are.
    """
    parts = [part for part in (list(part.getElementsByClass("Measure")) for part in score.parts) if part]
    if not parts:
        raise ValueError("no bars")
    if len({len(part) for part in parts}) > 1:
        raise ValueError("the parts have different numbers of bars")
    contents = [[_contents(measure) for measure in part] for part in parts]
    order = playing_order(parts[0])
    bars = _bars(parts[0], _bar_lengths(parts, contents), order, mode_stated)
    notes = [note for voice, part in enumerate(contents) for note in _sounding(part, bars, order, voice)]
    if not notes:
        raise ValueError("no notes")
    return Music(np.sort(np.array(notes, dtype=NOTE), order=["onset", "voice", "pitch"]), bars)


def _contents(measure) -> list[tuple[Fraction, Fraction, int, bool, bool]]:
    """(offset, duration, pitch, tied to the next, tied to the one before) of a bar's notes, in all its voices."""
    contents = []
    for element in measure.flatten().notes:
        if not NOT_NOTES.isdisjoint(element.classes) or element.duration.isGrace:
            continue
        for note in element.notes if element.isChord else (element,):
            tie = note.tie or element.tie
            forward, back = (
                tie.type in kinds if tie else False for kinds in (("start", "continue"), ("stop", "continue"))
            )
            offset, duration = Fraction(element.offset), Fraction(element.quarterLength)
            contents.append((offset, duration, int(note.pitch.midi), forward, back))
    return contents


def _bar_lengths(parts: list[list], contents: list[list]) -> list[Fraction]:
    """Quarter notes in each written bar: what most of the parts with notes in it say.

    Parts that rest do not count: some files have a breve's rest in a bar of a semibreve. Raises `ValueError` where
    the parts with notes disagree in more than `MAX_DISAGREEING_BARS` of the bars.
    """
    lengths, disagreeing = [], 0
    for column in range(len(parts[0])):
        measures = [part[column] for part in parts]
        playing = [m for m, part in zip(measures, contents, strict=True) if part[column]]
        counts = Counter(Fraction(measure.duration.quarterLength) for measure in playing or measures)
        disagreeing += len(counts) > 1 and bool(playing)
        # a part that stops short is likelier to lack its rest than the others to have too much
        lengths.append(max(counts, key=lambda length: (counts[length], length)))
    if disagreeing > max(2, MAX_DISAGREEING_BARS * len(lengths)):
        raise ValueError(f"the parts disagree about the length of {disagreeing} of {len(lengths)} bars")
    return lengths


def playing_order(measures: list) -> list[int]:
    """Indices of a part's written measures in the order they are played, from repeat signs and numbered endings.

    A closing sign without an opening one goes back to the last closing sign, or to the start. (music21's `Expander`
    goes back to the start each time, so that a tune `A :| B :|` is played A A B A A B and 64 bars of variations on
    Yankee Doodle become 16,368; where every closing sign has an opening one the two agree.) Da capo and dal segno are
    not followed.
    """
    opens = [_repeat(m.leftBarline, "start") for m in measures]
    closes = [_repeat(m.rightBarline, "end") for m in measures]
    for i, measure in enumerate(measures[1:]):
        closes[i] = closes[i] or _repeat(measure.leftBarline, "end")
    endings = _endings(measures)
    for i, (here, after) in enumerate(pairwise(endings)):
        closes[i] = closes[i] or bool(here and after and here != after)  # a first ending whose sign was forgotten
    order, i, start, turn = [], 0, 0, 1
    while i < len(measures):
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
    return order


def _repeat(barline, direction: str) -> bool:
    return barline is not None and getattr(barline, "direction", None) == direction


def _turns(endings: list[frozenset[int]], i: int) -> int:
    """How often the music that ends at measure `i` is played: twice, or as often as it has endings from there on."""
    turns = 2
    while i < len(endings) and endings[i]:
        turns, i = max(turns, *endings[i]), i + 1
    return turns


def _endings(measures: list) -> list[frozenset[int]]:
    """For each measure, the turns its first, second, ... ending is for; empty where it stands in none."""
    index = {id(measure): i for i, measure in enumerate(measures)}
    endings = [frozenset()] * len(measures)
    brackets = {id(b): b for measure in measures for b in measure.getSpannerSites("RepeatBracket")}
    for bracket in brackets.values():
        spanned = [index[id(m)] for m in bracket.getSpannedElements() if id(m) in index]
        for i in range(min(spanned), max(spanned) + 1):
            endings[i] = frozenset(bracket.numberRange)
    return endings


def _bars(measures: list, lengths: list[Fraction], order: list[int], mode_stated: bool) -> np.ndarray:
    written, metre, mode = [], (4, 4), 0
    for measure, length in zip(measures, lengths, strict=True):
        for key in measure.getElementsByClass("KeySignature"):
            mode = MODES.get(getattr(key, "mode", None), 0) if mode_stated else 0
        if measure.timeSignature is not None:
            metre = (measure.timeSignature.numerator, measure.timeSignature.denominator)
        written.append((length, measure.number, *metre, mode))
    bars, onset = [], Fraction(0)
    for i in order:
        length, *rest = written[i]
        bars.append((onset, length, *rest))
        onset += length
    return np.array(bars, dtype=BAR)


def _sounding(contents: list[list], bars: np.ndarray, order: list[int], voice: int) -> list[tuple]:
    """One part's notes as played: cut at the bar's end where they hang over it by mistake, tied notes joined."""
    notes, held = [], {}  # pitch -> index of the note that a tie may lengthen
    for bar, i in zip(bars, order, strict=True):
        start, length = bar["onset"], bar["duration"]
        for offset, duration, pitch, forward, back in sorted(contents[i]):
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
