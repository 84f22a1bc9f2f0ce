"""Read one measure of MusicXML: its notes, length, metre and key (see musicxml.py)."""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from xml.etree.ElementTree import Element

from pipelines.symbolic import jumps
from pipelines.symbolic.score import Bar, Note, Unsupported

STEPS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
DIVISIONS = 10080  # of a quarter note, where a file states none
LINES = {"wedge", "bracket", "dashes", "octave-shift", "pedal"}  # directions that last, and have no place of their own
SOUNDS = {
    "dacapo": jumps.DA_CAPO,
    "dalsegno": jumps.DAL_SEGNO,
    "fine": jumps.FINE,
    "segno": jumps.SEGNO,
    "tocoda": jumps.OTHER,
}
"""Attributes of `<sound>`."""
FULL_BAR = ("whole", "breve")  # types of a rest that may mean "the whole bar", whatever the metre


@dataclass
class State:
    """What one measure of a part hands to the next."""

    divisions: int = DIVISIONS  # of a quarter note
    number: int = 0
    bar_length: Fraction = Fraction(4)  # quarter notes, by the last time signature


@dataclass
class _Rest:
    place: tuple  # where music21 finds it among the rests of its bar
    offset: int  # in divisions, from the bar line
    duration: Fraction  # in quarter notes
    full: bool = False  # the file says that it fills the bar
    kind: str = ""  # "whole" or "breve" without dots and tuplets


class Measure:
    """One `<measure>`, element by element, at a moving offset: a class because every element may move the offset."""

    def __init__(self, element: Element, state: State, by_finale: bool):
        self.element, self.state, self.by_finale = element, state, by_finale
        self.offset = 0  # in divisions
        self.notes: list[Note] = []
        self.rests: list[_Rest] = []
        self.end = 0  # of notes, chords and attributes, in divisions
        self.last_start = 0  # of notes and chords
        self.filled = Fraction(0)  # the length of a bar with nothing in it
        self.n_single = self.n_rests = 0
        self.n_sounding = 0  # notes, chords and grace notes
        self.hidden: _Rest | None = None  # a hidden rest that nothing follows
        self.chord: list[Element] = []
        self.metre: tuple[int, int] | None = None
        self.key: tuple[int, str] | None = None
        self.repeats: dict[str, str | None] = {}
        self.marks: frozenset[str] = frozenset()
        voices = {text(each.find("voice")) for each in element if each.tag in ("note", "forward")}
        self.voices = sorted(voices - {""})
        self.voice = ""

    def read(self) -> None:
        children = list(self.element)
        for child, after in pairwise([*children, None]):
            match child.tag:
                case "note":
                    self._note(child, after is not None and after.tag == "note" and after.find("chord") is not None)
                case "backup":
                    self.offset = max(self.offset - _count(child.find("duration")), 0)
                case "forward":
                    self._forward(child)
                case "attributes":
                    self._attributes(child)
                case "barline":
                    repeat = child.find("repeat")
                    self.repeats[child.get("location", "right")] = None if repeat is None else repeat.get("direction")
                case "direction" | "harmony" | "figured-bass" | "sound":
                    self._mark(child)
        self._fill()

    def bar(self) -> Bar:
        """The bar without its endings, which the part knows."""
        return Bar(
            notes=self.notes,
            length=self._length(self.rests),
            number=self._number(),
            metre=self.metre,
            mode=None if self.key is None else self.key[1],
            opens=self.repeats.get("left") == "forward",
            closes_before=self.repeats.get("left") == "backward",
            closes=self.repeats.get("right") is not None,  # at the right bar line every repeat sign closes
            endings=frozenset(),
            marks=self.marks,
        )

    def hangs_over(self) -> bool:
        """Is the last thing in the bar a hidden rest?"""
        if self.hidden is None or len(self.voices) > 1:
            return False
        return self.hidden.offset >= max(self.last_start, *(rest.offset for rest in self.rests))

    def length_without_hidden(self) -> Fraction:
        return self._length([rest for rest in self.rests if rest is not self.hidden])

    def _length(self, rests: list[_Rest]) -> Fraction:
        ends = [self._quarters(rest.offset) + rest.duration for rest in rests]
        return max([self._quarters(self.end), *ends, self.filled])

    def _quarters(self, divisions: int) -> Fraction:
        return _fraction(divisions, self.state.divisions)

    def _note(self, note: Element, chord_follows: bool) -> None:
        self.hidden = None
        self.voice = text(note.find("voice")) or self.voice
        in_chord = chord_follows or note.find("chord") is not None
        if in_chord:
            self.chord.append(note)
            if chord_follows:
                return
            notes, self.chord = self.chord, []
        elif note.find("rest") is not None:
            self.n_rests += 1
            self._rest(note)
            return
        else:
            self.n_single += 1
            notes = [note]
        self.n_sounding += 1
        is_grace = notes[0].find("grace") is not None
        duration = 0 if is_grace else _count(notes[0].find("duration"))
        if not is_grace and all(each.find("unpitched") is None for each in notes):
            ties = [_tie(each) for each in notes]
            shared = next(filter(None, ties), (False, False))  # as music21's chords have it
            place = self._quarters(self.offset), self._quarters(duration)
            self.notes += [Note(*place, _pitch(each), *(tie or shared)) for each, tie in zip(notes, ties, strict=True)]
        self.last_start = max(self.last_start, self.offset)
        self.offset += duration
        self.end = max(self.end, self.offset)

    def _rest(self, note: Element) -> None:
        if note.find("grace") is not None:
            raise Unsupported("a grace rest")
        count, kind = _count(note.find("duration")), text(note.find("type"))
        duration = self._quarters(count)
        full = note.find("rest").get("measure") == "yes" and kind in ("", *FULL_BAR)
        if not kind:
            kind = {4: "whole", 8: "breve"}.get(duration, "")
        elif note.find("dot") is not None or note.find("time-modification") is not None:
            kind = ""
        self.rests.append(_Rest(self._place(), self.offset, duration, full, kind))
        self.offset += count

    def _forward(self, element: Element) -> None:
        self.voice = text(element.find("voice")) or self.voice
        count = _count(element.find("duration"))
        if self.by_finale and text(element.find("duration")):
            duration = self._quarters(count) or Fraction(1)  # music21's rest of no length is one of a quarter
            kind = {4: "whole", 8: "breve"}.get(duration, "")
            self.hidden = _Rest(self._place(), self.offset, duration, kind=kind)
            self.rests.append(self.hidden)
        self.offset += count

    def _place(self) -> tuple:
        if len(self.voices) < 2:
            return 0, self.offset
        if self.voice not in self.voices:
            raise Unsupported("a rest outside of the voices")
        return self.voices.index(self.voice), self.offset

    def _attributes(self, attributes: Element) -> None:
        for child in attributes:
            match child.tag:
                case "divisions":
                    divisions = _count(child)
                    if divisions < 1 or (self.offset and divisions != self.state.divisions):
                        raise Unsupported("other divisions inside of a bar")
                    self.state.divisions = divisions
                case "staves":
                    if int(text(child)) > 1:
                        raise Unsupported("several staves in a part")
                case "key":
                    mode = text(child.find("mode")) if child.find("fifths") is not None else ""
                    if self.key is None or self.offset >= self.key[0]:
                        self.key = self.offset, mode
                case "time":
                    self._time(child)
            self.end = max(self.end, self.offset)

    def _mark(self, mark: Element) -> None:
        """Words and the like have no length, but a bar reaches at least to where they stand."""
        place = self.offset + _count(mark.find("offset"))
        self.marks |= _jumps(mark)
        kinds = {kind.tag for each in mark.iterfind("direction-type") for kind in each}
        if kinds <= LINES and not any("tempo" in sound.attrib for sound in mark.iter("sound")):
            return
        self.end = max(self.end, place)

    def _time(self, time: Element) -> None:
        beats, kinds = ([text(each) for each in time.iterfind(tag)] for tag in ("beats", "beat-type"))
        if not (len(beats) == len(kinds) == 1 and beats[0].isdigit() and kinds[0].isdigit()):
            raise Unsupported("a combined metre, or none")
        if self.offset == 0 and self.metre is None:
            self.metre = int(beats[0]), int(kinds[0])

    def _fill(self) -> None:
        """Rests that stand for a whole bar take its length; a bar with nothing in it is a rest."""
        if self.metre is not None:
            self.state.bar_length = Fraction(4 * self.metre[0], self.metre[1])
        length = self.state.bar_length
        alone = self.n_rests == 1 and not self.n_single
        if alone or any(rest.full for rest in self.rests):
            first = min(self.rests, key=lambda rest: rest.place)
            if first.full or (first.kind in FULL_BAR and first.duration != length):
                first.duration = length
        if not self.n_sounding and not self.rests and not self.end:
            self.filled = length

    def _number(self) -> int:
        """Finale calls bars without a number X1, X2, ...: they have the number of the bar before."""
        raw, last = self.element.get("number", ""), self.state.number
        digits, suffix = re.sub(r"[^0-9]", "", raw), re.sub(r"[0-9]", "", raw)
        number = int(digits) if digits else 0
        if suffix == "X" and number != last + 1:
            number = last
        self.state.number = number
        return number


def _jumps(mark: Element) -> frozenset[str]:
    """What a direction, or a sound element, says of jumps: by its words, its signs, or for players."""
    found = set().union(*(jumps.sign(text(words)) for words in mark.iter("words")))
    for sound in mark.iter("sound"):
        found |= {name for attribute, name in SOUNDS.items() if sound.get(attribute, "no") != "no"}
    return frozenset(found | {jumps.SEGNO for _ in mark.iter("segno")})


def _pitch(note: Element) -> int:
    pitch = note.find("pitch")
    step, octave = (text(pitch.find(tag)) if pitch is not None else "" for tag in ("step", "octave"))
    alter = text(pitch.find("alter")) if pitch is not None else ""
    if step not in STEPS or not octave or (not alter and text(note.find("accidental")) not in ("", "natural")):
        raise Unsupported("a pitch without step or octave, or with an accidental alone")
    value = 12 * (int(octave) + 1) + STEPS[step] + float(alter or 0)
    if value != int(value) or not 0 <= value <= 127:
        raise Unsupported("a pitch between semitones, or beyond MIDI's")
    return int(value)


def _tie(note: Element) -> tuple[bool, bool] | None:
    """(tied to the next, tied to the one before); None without a tie."""
    kinds = [kind for tie in note.iterfind("tie") if (kind := tie.get("type"))]
    if not kinds:
        return None
    if len(kinds) > 1 and not {"start", "stop"} <= set(kinds):
        raise Unsupported("several ties of one kind")
    return "start" in kinds, "stop" in kinds


@functools.cache
def _fraction(count: int, divisions: int) -> Fraction:
    return Fraction(count, divisions)


def _count(element: Element | None) -> int:
    """A whole number of divisions; 0 without one."""
    if element is None:
        return 0
    found = text(element)
    if not found.removeprefix("-").isdigit():
        raise Unsupported(f"{found!r} divisions")
    return int(found)


def text(element: Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""
