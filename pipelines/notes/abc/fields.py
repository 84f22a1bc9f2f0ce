"""Short texts of ABC: values of fields (unit length, metre, key, tempo, transposition, order of parts), turns of endings, jumps.

Source: The abc music standard 2.1, section 3.1.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from pipelines.notes.tables import Unreadable
from pipelines.symbolic import jumps
from pipelines.symbolic.score import MODES

MAX_PARTS = 1000
ORDER = "FCGDAEB"  # of sharps
SHARPS = {"ion": 0, "maj": 0, "mix": -1, "dor": -2, "aeo": -3, "min": -3, "m": -3, "phr": -4, "loc": -5, "lyd": 1}
"""Mode -> sharps of its signature more than those of the major key of the same tonic."""
FULL = {"ion": "ionian", "mix": "mixolydian", "dor": "dorian", "aeo": "aeolian", "phr": "phrygian", "lyd": "lydian"}
KEY = re.compile(r"([A-G])([#b]?)[ \t]*((?:[A-Za-z]+(?![A-Za-z=]))?)")
CLEFS = ("treble", "bass", "alto", "tenor", "perc", "none")
ACCIDENTAL = re.compile(r"(?:^|[ \t])(\^\^?|__?|=)([A-Ga-g])(?![A-Za-z])")
ALTER = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
FRACTION = re.compile(r"(\d{1,4})/(\d{1,4})")
TEMPO = re.compile(r"((?:\d{1,4}/\d{1,4}[ \t]*)+)=[ \t]*(\d{1,4}(?:\.\d{1,3})?)")
PART = re.compile(r"([A-Za-z])(\d{0,3})|(\()|\)(\d{0,3})")


class Key(NamedTuple):
    """alters: letter -> semitones. fifths: sharps of the signature, flats negative. mode: major, minor, or "" of no key."""

    alters: dict[str, int]
    fifths: int
    mode: str


def unit(value: str) -> Fraction:
    """Quarters of the unit length that `L:` names."""
    if not (found := FRACTION.search(value)) or not int(found[1]) or not int(found[2]):
        raise Unreadable(f"L:{value:.20} names no length, such as 1/8")
    return 4 * Fraction(int(found[1]), int(found[2]))


def metre(value: str) -> tuple[int, int] | None:
    """(numerator, denominator) of `M:`; None of `none`. 2+3/8 is 5/8."""
    named = {"C": (4, 4), "C|": (2, 2), "none": None, "": None}
    if value.strip() in named:
        return named[value.strip()]
    found = re.fullmatch(r"\(?(\d{1,3}(?:[ \t]*\+[ \t]*\d{1,3})*)\)?[ \t]*/[ \t]*(\d{1,3})", value.strip())
    top = sum(map(int, re.findall(r"\d+", found[1]))) if found else 0
    if not found or not 0 < top < 256 or int(found[2]) not in (1, 2, 4, 8, 16, 32, 64, 128):
        raise Unreadable(f"M:{value:.20} is no metre, such as 6/8")
    return top, int(found[2])


def default_unit(beats: tuple[int, int] | None) -> Fraction:
    """Quarters of the unit length where a tune has no `L:`: a 16th in metres below 3/4, else an 8th."""
    return Fraction(1, 4) if beats and Fraction(*beats) < Fraction(3, 4) else Fraction(1, 2)


def key(value: str) -> Key:
    """The key that `K:` names. Bagpipe keys: HP has no signature, Hp two sharps."""
    value = value.partition("%")[0].strip()
    accidentals = {letter.upper(): ALTER[sign] for sign, letter in ACCIDENTAL.findall(value)}
    if value.startswith(("HP", "Hp")):
        return Key({"F": 1, "C": 1} if value.startswith("Hp") else {}, 2 * value.startswith("Hp"), "")
    found = KEY.match(value)
    word = found[3] if found else ""
    mode = word if word == "m" else "" if word in CLEFS else word[:3].lower()
    if not found or (mode and mode not in SHARPS and mode != "exp"):
        if found is None and (not value or re.match(r"none|[\^_=]|[a-z]+=", value)):
            return Key(accidentals, 0, "")
        raise Unreadable(f"K:{value:.20} is no key, such as Am or D dorian")
    if mode == "exp":
        return Key(accidentals, 0, "")
    fifths = ORDER.index(found[1]) - 1 + 7 * {"#": 1, "b": -1, "": 0}[found[2]] + SHARPS.get(mode, 0)
    if not -7 <= fifths <= 7:
        raise Unreadable(f"K:{value:.20} needs {abs(fifths)} sharps or flats: at most 7 are written")
    alters = {letter: 1 for letter in ORDER[: max(fifths, 0)]} | {letter: -1 for letter in ORDER[7 + min(fifths, 0) :]}
    minor = mode in ("m", "min", "loc") or MODES.get(FULL.get(mode, "major")) == -1
    return Key(alters | accidentals, fifths, "minor" if minor else "major")


def tempo(value: str, length: Fraction) -> int | None:
    """Microseconds a quarter that `Q:` names, None of words alone. `length`: the unit length, of the old form `Q:120`."""
    bare = re.sub(r'"[^"]*"', "", value).strip()
    if found := TEMPO.search(bare):
        beat = 4 * sum((Fraction(int(a), int(b)) for a, b in FRACTION.findall(found[1]) if int(b)), Fraction(0))
        rate = float(found[2])
    elif found := re.fullmatch(r"(?:C[ \t]*=[ \t]*)?(\d{1,4})", bare):
        beat, rate = length, float(found[1])
    else:
        return None
    if not beat or not 1 <= rate * beat <= 10_000:
        raise Unreadable(f"Q:{value:.30} is no tempo, such as 1/4=120")
    return round(60e6 / (rate * float(beat)))


def transposition(value: str) -> dict[str, int]:
    """Semitones by which `K:` or `V:` moves what is written, of each property that it states: `octave=-1`, `transpose=2`,
    `clef=treble-8`. One that it does not state stays as it was (section 4.6)."""
    value = re.sub(r'"[^"]*"', "", value)  # names of a voice
    found = {}
    if octaves := re.search(r"\boctave=([+-]?\d)\b", value):
        found["octave"] = 12 * int(octaves[1])
    if semitones := re.search(r"\btranspose=([+-]?\d\d?)\b", value):
        found["transpose"] = int(semitones[1])
    if clef := re.search(r"(?<![^\s=])(?:treble|bass|alto|tenor|G2|F4)(?:([+-])8\b|(?!\S))", value):
        found["clef"] = 12 * int(f"{clef[1]}1") if clef[1] else 0
    return found


def parts(value: str) -> str:
    """The letters of `P:` in a header, in the order of playing: `A2(BC)2` is AABCBC."""
    open_groups: list[str] = [""]
    for letter, times, opening, closing in PART.findall(value.partition("%")[0]):
        if opening:
            open_groups.append("")
        elif letter:
            open_groups[-1] += letter * int(times or 1)
        elif len(open_groups) > 1:
            group = open_groups.pop()
            open_groups[-1] += group * min(int(closing or 1), MAX_PARTS)
        if len(open_groups[-1]) > MAX_PARTS or len(open_groups) > 20:
            raise Unreadable(f"P:{value:.30} plays more than {MAX_PARTS} parts")
    return "".join(open_groups)


def turns(text: str) -> frozenset[int]:
    """The turns that an ending is for: `1`, `1,3`, `1-3`."""
    found = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        found.update(range(int(first), min(int(last or first), int(first) + 99) + 1) if first else ())
    return frozenset(found)


def signs(text: str) -> frozenset[str]:
    """The sign of a jump that a text, a decoration or its letter is; empty for any other."""
    if text == "S":
        return frozenset((jumps.SEGNO,))
    return jumps.sign(text.strip('"!+')) if text[0] in '"!+' else frozenset()
