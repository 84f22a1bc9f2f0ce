"""Humdrum **kern to written bars, as music21 reads it and thirty times as fast.

Only what vocal polyphony in the corpus is made of: one note or rest a token, one bar line for all voices. Anything else (chords,
repeats, grace notes, voices that split) raises `Unsupported`, and music21 reads the score (`corpus.read`).
tests/symbolic/test_readers.py compares both.

Source: https://www.humdrum.org/rep/kern/; music21/humdrum/spineParser.py.
"""

import re
from fractions import Fraction
from pathlib import Path

from pipelines.symbolic.score import Bar, Note, Unsupported

TOKEN = re.compile(r"(\[?)(\d+)(\.*)(?:r|(([a-g])\5*|([A-G])\6*)(#*|-*))([\]_]?)")
BAR_LINE = re.compile(r"=(\d+)")
METRE = re.compile(r"\*M(\d+)/(\d+)")
SILENT = re.compile(r"\*(I[a-z]+\d*|clef[A-Gv0-9]+|[A-Ga-g?]:[A-Za-z]+|-)?")  # of no meaning here
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


def read(path: Path) -> list[list[Bar]]:
    """The written bars of each voice of a .krn file, the highest first. Raises `Unsupported`."""
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("!!")]
    if not rows or set(rows[0]) != {"**kern"} or {len(row) for row in rows} != {len(rows[0])}:
        raise Unsupported("no table of **kern alone, or voices that split")
    return [_voice(tokens[1:]) for tokens in reversed(list(zip(*rows, strict=True)))]


def _voice(tokens: tuple[str, ...]) -> list[Bar]:
    bars: list[Bar] = []
    metre, mode, over = None, None, False
    for token in tokens:
        if token == "." or token.startswith("!") or SILENT.fullmatch(token):
            continue
        if token == "==":
            over = True
        elif over:
            raise Unsupported("music after the end")
        elif found := BAR_LINE.fullmatch(token):
            bars.append(Bar([], Fraction(0), int(found[1]), metre, mode, False, False, False, frozenset()))
            metre = mode = None
        elif token.startswith(("*M", "*k[")):
            if bars and bars[-1].length:
                raise Unsupported("another metre or key inside of a bar")
            change = _signature(token)
            if bars:
                bars[-1] = bars[-1]._replace(**change)
            else:
                metre, mode = change.get("metre", metre), change.get("mode", mode)
        elif bars:
            bars[-1] = _with_note(bars[-1], token)
        else:
            raise Unsupported(f"{token!r} before the first bar")
    if bars and not any(bar.number == 1 for bar in bars):
        bars[0] = bars[0]._replace(number=1)
    return bars


def _signature(token: str) -> dict:
    if token.startswith("*k["):
        return {"mode": ""}
    found = METRE.fullmatch(token)
    if not found or found[2].startswith("0"):
        raise Unsupported(token)
    return {"metre": (int(found[1]), int(found[2]))}


def _with_note(bar: Bar, token: str) -> Bar:
    found = TOKEN.fullmatch(token)
    if not found or (found[2].startswith("0") and found[2] != "0"):
        raise Unsupported(token)
    opening, length, dots, name, *_, accidental, closing = found.groups()
    duration = Fraction(8) if length == "0" else Fraction(4, int(length))
    duration *= 2 - Fraction(1, 2 ** len(dots))
    if name:
        tied_on, tied_back = bool(opening) or closing == "_", bool(closing) and not opening
        bar.notes.append(Note(bar.length, duration, _pitch(name, accidental), tied_on, tied_back))
    return bar._replace(length=bar.length + duration)


def _pitch(name: str, accidental: str) -> int:
    """Middle C is c, the octave above it cc, the one below it C."""
    octave = 4 + (len(name) - 1 if name.islower() else -len(name))
    return 12 * (octave + 1) + STEPS[name[0].lower()] + accidental.count("#") - accidental.count("-")
