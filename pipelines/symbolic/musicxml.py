"""MusicXML to written bars, eight times as fast as music21 and with the same result.

music21 builds an object for every slur, word and beam of a score; a clip needs notes, bars and repeats. This module and
`musicxml_measure` read those as music21 10.5 does, with its rules for rests that fill a bar, for hidden rests of Finale, and for
measure numbers. Anything else (several staves in a part, combined metres) raises `Unsupported`, and music21 reads the score
(`corpus.read`). tests/symbolic/test_readers.py compares both.

Source: https://www.w3.org/2021/06/musicxml40/; music21/musicxml/xmlToM21.py.
"""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from pipelines.symbolic.musicxml_measure import Measure, State, text
from pipelines.symbolic.score import Bar, Unsupported

SUFFIXES = (".musicxml", ".xml", ".mxl")


def read(path: Path) -> list[list[Bar]]:
    """The written bars of each part of a .mxl, .xml or .musicxml file. Raises `Unsupported`."""
    root = root_of(path)
    parts = {part.get("id") for part in root.iterfind("part-list/score-part")}
    by_finale = _by_finale(root)
    return [_part(part, by_finale) for part in root.iterfind("part") if part.get("id") in parts]


def root_of(path: Path) -> ElementTree.Element:
    """The document of a file. Raises `Unsupported` where it has no score by parts."""
    try:
        if not zipfile.is_zipfile(path):
            root = ElementTree.parse(path).getroot()
        else:
            with zipfile.ZipFile(path) as archive:
                names = [
                    name for name in archive.namelist() if "META-INF" not in name and Path(name).suffix in SUFFIXES
                ]
                if not names:
                    raise Unsupported("no score in the archive")
                root = ElementTree.fromstring(archive.read(names[0]))  # the others are its parts, once more
    except (ElementTree.ParseError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unsupported(str(error)) from error
    if root.tag != "score-partwise":
        raise Unsupported(root.tag)
    return root


def _by_finale(root: ElementTree.Element) -> bool:
    """Finale writes `<forward>` for hidden rests, and music21 counts them as rests."""
    programs = [program for each in root.iterfind("identification/encoding/software") if (program := text(each))]
    return bool(programs) and "Finale" in programs[0]


def _part(part: ElementTree.Element, by_finale: bool) -> list[Bar]:
    state, endings, bars, measure = State(), [], [], None
    for index, element in enumerate(part.iterfind("measure")):
        measure = Measure(element, state, by_finale)
        measure.read()
        _follow_endings(element, index, endings)
        bars.append(measure.bar())
    if measure is not None and measure.hangs_over():  # Finale closes a short last bar with a hidden rest
        bars[-1] = bars[-1]._replace(length=measure.length_without_hidden())
    turns = [frozenset()] * len(bars)
    for first, last, numbers, _ in endings:
        turns[first : last + 1] = [frozenset(numbers)] * (last - first + 1)
    return [bar._replace(endings=numbers) for bar, numbers in zip(bars, turns, strict=True)]


def _follow_endings(measure: ElementTree.Element, index: int, endings: list[list]) -> None:
    """Extend `endings`, each [first bar, last bar, turns, is open], by what a measure's bar lines say."""
    for ending in measure.iterfind("barline/ending"):
        if not endings or not endings[-1][3]:
            endings.append([index, index, [0], True])
        current = endings[-1]
        current[1] = index
        if ending.get("type") == "start":
            current[2] = _turns(ending.get("number"))
            if found := re.match(r"^(\d+)\.?$", ending.text or ""):  # Finale's second endings are <ending number="1">2.
                current[2] = [int(found[1])]
        else:
            current[3] = ending.get("type") not in ("stop", "discontinue")


def _turns(number: str | None) -> list[int]:
    if number == "":
        return [0]
    if number is None or number.isdigit():
        return [int(number or 1)]
    if re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)+", number):
        return [int(each) for each in number.split(",")]
    raise Unsupported(f"ending {number!r}")
