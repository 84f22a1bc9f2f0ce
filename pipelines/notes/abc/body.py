"""The music of an ABC tune as written bars: notes, chords, rests, ties, tuplets, broken rhythm, bar lines, repeats and endings.

What the standard leaves open, or readers disagree about, is read so:

- An accidental holds to the end of its bar for its letter in all octaves (section 11.3). A tied note keeps it over the bar line.
- `>` and `<` change whatever two notes they stand between, also of unequal length: `A2>B` is 3 and 1/2 units.
- A tie may stand before the note that it leads to (`B3 -B3`), as it does all over the Nottingham collection.
- Rhythm is as written, in hornpipes too.

Not read: grace notes (they have no notated length), chord symbols, lyrics, macros, and decorations but for those of jumps.

Source: The abc music standard 2.1, section 4.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from pipelines.notes.abc import fields
from pipelines.notes.tables import Unreadable
from pipelines.symbolic import jumps
from pipelines.symbolic.score import MAX_BARS, Bar, Note

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
LENGTH = r"(\d{1,4})?(/{1,8})?(\d{1,4})?"
NOTE = rf"(\^\^?|__?|=)?([A-Ga-g])([,']*){LENGTH}"
ONE = re.compile(rf"{NOTE}(-?)")
SKIPPED = r'"[^"\n]{0,500}"|![^!\n]{0,99}!|\+[^+\n]{0,99}\+|\{[^}\n]{0,500}\}|y\d*|[!~.H-Wh-w`\\$*;@#?\s)]|\((?!\d)'
TOKEN = re.compile(
    rf"""(?P<turn>\[[ ]*(?P<turns>\d{{1,3}}(?:[-,]\d{{1,3}})*))
    | (?P<bar>:*\[?\|+\]?:*|::+)(?P<turn_of_bar>\d{{1,3}}(?:[-,]\d{{1,3}})*)?
    | (?P<chord>\[[^\]\[|\n]{{0,500}}\]{LENGTH})
    | (?P<note>{NOTE})
    | (?P<rest>[zx]{LENGTH})
    | (?P<bars>[ZX](\d{{0,3}}))
    | (?P<tuplet>\((\d)(?::(\d?))?(?::(\d?))?)
    | (?P<broken>>{{1,3}}|<{{1,3}})
    | (?P<tie>-)
    | (?P<layer>&)
    | (?P<skipped>{SKIPPED})""",
    re.VERBOSE,
)
NOTES_IN = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}
"""Notes of a tuplet -> the time they take; 5, 7 and 9 take that of 2, in compound metres of 3."""
SIGNS_OF_END = ("||", "|]", ":", "[|")
"""What in a bar line ends an ending, beside the repeat sign."""


class Written(NamedTuple):
    """A written bar. key, tempo: what holds at its beginning. marks: ((offset in quarters, the key or tempo from there on), ...).
    part: of the `P:` before it, or ""."""

    bar: Bar
    key: fields.Key
    tempo: int | None
    marks: tuple[tuple[Fraction, fields.Key | int], ...]
    part: str


@dataclass
class _Event:
    """Notes that begin together, or a rest. pitches: ((pitch, own length / length of the event, tied back), ...)."""

    length: Fraction
    pitches: tuple[tuple[int, Fraction, bool], ...] = ()
    tied_on: frozenset[int] = frozenset()


@dataclass
class Voice:
    """What has been read of a voice, and what holds for the notes that come."""

    unit: Fraction
    beats: tuple[int, int] | None
    key: fields.Key
    tempo: int | None = None
    moved: dict[str, int] = field(default_factory=dict)  # property of K: or V: -> semitones
    bars: list[Written] = field(default_factory=list)
    layers: list[list[_Event]] = field(default_factory=lambda: [[]])
    marks: list[tuple[Fraction, fields.Key | int]] = field(default_factory=list)
    began: tuple[fields.Key, int | None] | None = None  # key and tempo at the beginning of the bar
    altered: dict[str, int] = field(default_factory=dict)  # letter -> semitones, until the bar ends
    sounding: dict[tuple[str, int], set[int]] = field(default_factory=dict)  # before: (letter, octave) -> pitches
    tied: dict[tuple[str, int], set[int]] = field(default_factory=dict)  # those of them that are tied to what comes
    tuplet: tuple[Fraction, int] = (Fraction(1), 0)  # its factor, and how many notes of it are to come
    broken: Fraction | None = None  # the factor of the next note
    part: str = ""
    new_metre: bool = True
    opens: bool = False
    endings: frozenset[int] = frozenset()
    signs: frozenset[str] = frozenset()  # of jumps, in the bar that is being read


def read(voice: Voice, text: str, remarks: Counter) -> None:
    """Read a line of music into a voice; inline fields are left to the caller, and are none of `text`."""
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if not found:
            remarks["characters that mean nothing in ABC"] += 1
            place += 1
            continue
        place = found.end()
        if found["note"]:
            _note(voice, ONE.match(found["note"]))
        elif found["chord"]:
            _chord(voice, found["chord"])
        elif found["rest"]:
            _add(voice, _Event(_length(voice, *re.fullmatch(rf".{LENGTH}", found["rest"]).groups())))
            voice.tied = voice.sounding = {}
        elif found["bars"]:
            _rest_bars(voice, int(found["bars"][1:] or 1))
        elif found["tuplet"]:
            _begin_tuplet(voice, found["tuplet"])
        elif found["broken"]:
            _break(voice, found["broken"])
        elif found["tie"]:
            _tie(voice)
        elif found["layer"]:
            voice.layers.append([])
            voice.tied = voice.sounding = {}
        elif found["bar"]:
            bar_line(voice, found["bar"], found["turn_of_bar"])
        elif found["turn"]:
            end_bar(voice)
            voice.endings = fields.turns(found["turns"])
        elif found["skipped"]:
            voice.signs |= fields.signs(found["skipped"])


def bar_line(voice: Voice, sign: str, turns: str | None) -> None:
    """End the bar, with what its line says of repeats and endings."""
    closes, opens = sign.startswith(":"), sign.endswith(":")
    ended = end_bar(voice)
    if closes and voice.bars and (ended or not voice.opens):
        last = voice.bars[-1]
        voice.bars[-1] = last._replace(bar=last.bar._replace(closes=True))
    if any(each in sign for each in SIGNS_OF_END):
        voice.endings = frozenset()
    voice.opens = voice.opens or opens
    if turns:
        voice.endings = fields.turns(turns)


def end_bar(voice: Voice) -> bool:
    """Write the bar that was being read; False where there was nothing in it."""
    if not any(voice.layers):
        if voice.bars and (ending := voice.signs - {jumps.SEGNO}):  # behind the bar line, of the bar before it
            last = voice.bars[-1]
            voice.bars[-1] = last._replace(bar=last.bar._replace(marks=last.bar.marks | ending))
            voice.signs -= ending
        return False
    if len(voice.bars) >= MAX_BARS:
        raise Unreadable(f"more than {MAX_BARS:,} bars")
    notes, longest = [], Fraction(0)
    for layer in voice.layers:
        offset = Fraction(0)
        for event in layer:
            for pitch, share, back in event.pitches:
                notes.append(Note(offset, event.length * share, pitch, pitch in event.tied_on, back))
            offset += event.length
        longest = max(longest, offset)
    longest = max([longest, *(note.offset + note.duration for note in notes)])
    metre = voice.beats if voice.new_metre else None
    bar = Bar(notes, longest, len(voice.bars) + 1, metre, None, voice.opens, False, False, voice.endings, voice.signs)
    voice.bars.append(Written(bar, *(voice.began or (voice.key, voice.tempo)), tuple(voice.marks), voice.part))
    voice.layers, voice.marks, voice.altered, voice.began, voice.signs = [[]], [], {}, None, frozenset()
    voice.opens = voice.new_metre = False
    return True


def change(voice: Voice, new: fields.Key | int) -> None:
    """Let a key, or a tempo, hold from this place on."""
    if any(voice.layers):
        voice.began = voice.began or (voice.key, voice.tempo)
        voice.marks.append((sum((event.length for event in voice.layers[0]), Fraction(0)), new))
    if isinstance(new, fields.Key):
        voice.key = new
    else:
        voice.tempo = new


def _length(voice: Voice, top: str | None, slashes: str | None, bottom: str | None) -> Fraction:
    """Quarters of a length as written, before tuplets and broken rhythm. `A3/2`, `A/`, `A//`."""
    below = int(bottom) if bottom and slashes else 2 ** len(slashes or "")
    if not below:
        raise Unreadable("a length is divided by 0")
    return voice.unit * Fraction(int(top or 1), below)


def _add(voice: Voice, event: _Event) -> None:
    factor, left = voice.tuplet
    if left:
        event.length *= factor
        voice.tuplet = factor, left - 1
    if voice.broken:
        event.length *= voice.broken
        voice.broken = None
    voice.layers[-1].append(event)


def _sound(voice: Voice, found: re.Match) -> tuple[int, tuple[str, int], bool]:
    """(pitch, (letter, octave), whether the note before is tied to it) of a written note."""
    sign, letter, marks = found[1], found[2], found[3]
    octave = 5 + letter.islower() + marks.count("'") - marks.count(",")
    place = letter.upper(), octave
    if sign:
        voice.altered[place[0]] = fields.ALTER[sign]
    alter = voice.altered.get(place[0], voice.key.alters.get(place[0], 0))
    plain = 12 * octave + STEPS[place[0]] + sum(voice.moved.values())
    pitch = plain + alter
    tied = voice.tied.get(place, set())
    if not sign and tied and pitch not in tied and place[0] not in voice.altered:
        pitch = min(tied)
    if not 0 <= pitch <= 127:
        raise Unreadable(f"the note {found[0]!r:.20} is beyond what MIDI numbers")
    return pitch, place, pitch in tied


def _note(voice: Voice, found: re.Match) -> None:
    pitch, place, back = _sound(voice, found)
    _add(voice, _Event(_length(voice, found[4], found[5], found[6]), ((pitch, Fraction(1), back),)))
    voice.tied, voice.sounding = {}, {place: {pitch}}


def _chord(voice: Voice, text: str) -> None:
    """Notes in brackets; the length of the first, times that behind the bracket, is the chord's."""
    inside, _, behind = text[1:].rpartition("]")
    inside = re.sub(SKIPPED, "", inside)
    pitches, sounding, on, first = [], {}, set(), None
    for found in ONE.finditer(inside):
        pitch, place, back = _sound(voice, found)
        length = _length(voice, found[4], found[5], found[6])
        first = first or length
        pitches.append((pitch, length / first, back))
        sounding.setdefault(place, set()).add(pitch)
        if found[7]:
            on.add(pitch)
    if not first:
        return
    times = _length(voice, *re.fullmatch(LENGTH, behind).groups()) / voice.unit
    _add(voice, _Event(first * times, tuple(pitches), frozenset(on)))
    voice.tied = {place: kept for place, pitches in sounding.items() if (kept := pitches & on)}
    voice.sounding = sounding


def _tie(voice: Voice) -> None:
    """Tie the notes that sound last to the next ones."""
    if last := _last(voice):
        last.tied_on = frozenset(pitch for pitch, *_ in last.pitches)
    elif voice.bars:
        bar = voice.bars[-1].bar
        on = set().union(*voice.sounding.values())
        ends = [note.pitch in on and note.offset + note.duration == bar.length for note in bar.notes]
        bar.notes[:] = [note._replace(tied_on=end) for note, end in zip(bar.notes, ends, strict=True)]
    voice.tied = dict(voice.sounding)


def _last(voice: Voice) -> _Event | None:
    """The event before this place in its bar."""
    return voice.layers[-1][-1] if voice.layers[-1] else None


def _rest_bars(voice: Voice, n: int) -> None:
    """Bars of rest, each of a whole metre."""
    length = 4 * Fraction(*(voice.beats or (4, 4)))
    for number in range(n):
        _add(voice, _Event(length))
        if number < n - 1:
            end_bar(voice)
    voice.tied = voice.sounding = {}


def _begin_tuplet(voice: Voice, text: str) -> None:
    numbers = [int(number) if number else 0 for number in text[1:].split(":")]
    n = numbers[0]
    compound = voice.beats is not None and voice.beats[0] > 3 and voice.beats[0] % 3 == 0
    time = (numbers[1] if len(numbers) > 1 else 0) or NOTES_IN.get(n, 3 if compound else 2)
    count = (numbers[2] if len(numbers) > 2 else 0) or n
    if n < 2:
        raise Unreadable(f"a tuplet of {n} notes")
    voice.tuplet = Fraction(time, n), count


def _break(voice: Voice, signs: str) -> None:
    """Lengthen one of the two notes around the signs by as much as the other loses, of notes of equal length."""
    short = Fraction(1, 2 ** len(signs))
    before, after = (2 - short, short) if signs[0] == ">" else (short, 2 - short)
    if last := _last(voice):
        last.length *= before
        voice.broken = after
