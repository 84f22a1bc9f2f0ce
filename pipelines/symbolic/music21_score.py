"""Convert music21's scores and ABC tunes to written bars; `score.as_played` converts those to notes and bars."""

from fractions import Fraction

from pipelines.symbolic import jumps
from pipelines.symbolic.score import Bar, Music, Note, as_played

MARKS = {
    "Segno": jumps.SEGNO,
    "Fine": jumps.FINE,
    "DaCapo": jumps.DA_CAPO,
    "DaCapoAlFine": jumps.DA_CAPO,
    "DalSegno": jumps.DAL_SEGNO,
    "DalSegnoAlFine": jumps.DAL_SEGNO,
}
"""Class of music21 -> mark."""
WORDS = ("RepeatExpression", "TextExpression")
NOT_NOTES = frozenset(("Harmony", "Unpitched", "PercussionChord"))  # music21 counts chord symbols among the notes


def from_score(score, mode_stated: bool = True) -> Music:
    """The notes and bars of a music21 `Score`; arguments and errors are those of `score.as_played`."""
    return as_played([written_bars(part) for part in score.parts], mode_stated)


def tune_bars(text: str) -> list[list[Bar]]:
    """The written bars of each voice of one ABC tune, as music21 reads it.

    music21 also groups the notes under beams, which takes two thirds of its time and says nothing of notes or bars.
    """
    from music21 import abcFormat, stream  # seconds to import: only where a score is needed

    class Unbeamed(stream.Part):
        def makeBeams(self, **options):  # noqa: N802
            return self

    voices = abcFormat.ABCFile().readstr(text).splitByVoice()
    # what stands before the first voice holds for all of them
    handlers = voices if len(voices) == 1 else [voices[0] + voice for voice in voices[1:]]
    return [written_bars(abcFormat.translate.abcToStreamPart(handler, Unbeamed())) for handler in handlers]


def written_bars(part) -> list[Bar]:
    """The measures of a music21 `Part`, in their order."""
    measures = list(part.getElementsByClass("Measure"))
    endings = _endings(measures)
    return [_bar(measure, ending) for measure, ending in zip(measures, endings, strict=True)]


def _bar(measure, endings: frozenset[int]) -> Bar:
    metre = measure.timeSignature
    modes = [getattr(key, "mode", None) or "" for key in measure.getElementsByClass("KeySignature")]
    return Bar(
        notes=_notes(measure),
        length=Fraction(measure.duration.quarterLength),
        number=measure.number,
        metre=None if metre is None else (metre.numerator, metre.denominator),
        mode=modes[-1] if modes else None,
        opens=_repeat(measure.leftBarline, "start"),
        closes_before=_repeat(measure.leftBarline, "end"),
        closes=_repeat(measure.rightBarline, "end"),
        endings=endings,
        marks=frozenset().union(*(_marks(each) for each in measure.getElementsByClass(WORDS))),
    )


def _marks(words) -> frozenset[str]:
    """The mark of a jump that a music21 `RepeatExpression` is, or a text that it has not taken for one."""
    if "RepeatExpression" in words.classes:
        return frozenset((MARKS.get(type(words).__name__, jumps.OTHER),))
    return jumps.sign(words.content or "")


def _notes(measure) -> list[Note]:
    notes = []
    for element in measure.flatten().notes:
        if not NOT_NOTES.isdisjoint(element.classes) or element.duration.isGrace:
            continue
        for note in element.notes if element.isChord else (element,):
            tie = note.tie or element.tie
            on, back = (tie.type in kinds if tie else False for kinds in (("start", "continue"), ("stop", "continue")))
            offset, duration = Fraction(element.offset), Fraction(element.quarterLength)
            notes.append(Note(offset, duration, int(note.pitch.midi), on, back))
    return notes


def _repeat(barline, direction: str) -> bool:
    return barline is not None and getattr(barline, "direction", None) == direction


def _endings(measures: list) -> list[frozenset[int]]:
    """The turns of each measure's ending; empty where it stands in none."""
    index = {id(measure): i for i, measure in enumerate(measures)}
    endings = [frozenset()] * len(measures)
    brackets = {id(b): b for measure in measures for b in measure.getSpannerSites("RepeatBracket")}
    for bracket in brackets.values():
        spanned = [index[id(m)] for m in bracket.getSpannedElements() if id(m) in index]
        for i in range(min(spanned), max(spanned) + 1):
            endings[i] = frozenset(bracket.numberRange)
    return endings
