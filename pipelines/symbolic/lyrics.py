"""The words under the notes of a score, as text."""

from pathlib import Path

from pipelines.symbolic import musicxml
from pipelines.symbolic.musicxml_measure import text
from pipelines.symbolic.score import Unsupported

GOES_ON = ("begin", "middle")


def read(path: Path) -> str:
    """The words of a MusicXML score: those of the part with the most syllables, verse after verse; "" of a score without words,
    or in another format.

    All voices of most vocal works sing the same words. Syllables of a word are joined, whether the file marks them (`syllabic`:
    begin, middle, end) or writes a hyphen: how an editor writes syllables tells who made the file.
    """
    if path.suffix not in musicxml.SUFFIXES:
        return ""
    try:
        root = musicxml.root_of(path)
    except Unsupported:
        return ""
    parts = [_verses(part) for part in root.iterfind("part")]
    most = max(parts, key=lambda verses: sum(map(len, verses.values())), default={})
    return "\n".join("".join(verse).strip() for _, verse in sorted(most.items()))


def _verses(part) -> dict[str, list[str]]:
    """Number of a verse -> its syllables, each with the space that follows it."""
    verses: dict[str, list[str]] = {}
    for lyric in part.iterfind("measure/note/lyric"):
        syllables = [found for each in lyric.iterfind("text") if (found := text(each))]
        if syllables:
            kind, said = lyric.find("syllabic"), " ".join(syllables)
            goes_on = said.endswith("-") or (kind is not None and text(kind) in GOES_ON)
            verses.setdefault(lyric.get("number", "1"), []).append(said.rstrip("-") + ("" if goes_on else " "))
    return verses
