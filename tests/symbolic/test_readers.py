"""The readers of MusicXML, Humdrum and ABC give what music21 gives, note for note and bar for bar."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from music21 import abcFormat, converter

from pipelines.core.params import PARAMS
from pipelines.symbolic import corpus, humdrum, musicxml, selection
from pipelines.symbolic.music21_score import from_score
from pipelines.symbolic.score import Music, Unsupported, as_played

SAMPLE = (
    "bach/bwv113.8.mxl",  # the archive has other files too
    "bach/bwv66.6.mxl",  # voices, a pickup
    "monteverdi/madrigal.3.1.mxl",
    "trecento/Fava_Dicant_nunc_iudei.xml",
    "haydn/opus1no1/movement4.mxl",  # hidden rests of Finale, one of no length
    "palestrina/Agnus_00.krn",
)


def by_music21(path: Path | str) -> Music:
    return from_score(converter.parse(path, forceSource=True, storePickle=False))


def assert_same(found: Music, expected: Music) -> None:
    assert np.array_equal(found.notes, expected.notes)
    assert np.array_equal(found.bars, expected.bars)


@pytest.mark.parametrize("name", SAMPLE)
def test_a_score_is_what_music21_makes_of_it(name):
    path = corpus.folder() / name
    try:
        expected = by_music21(path)
    except ValueError as refused:
        with pytest.raises(ValueError, match=re.escape(str(refused))):
            as_played(corpus.READERS[path.suffix](path))
    else:
        assert_same(as_played(corpus.READERS[path.suffix](path)), expected)


@pytest.mark.system
def test_every_tenth_score_of_the_demo_is_what_music21_makes_of_it(monkeypatch):
    """music21 takes two to four minutes for all 684 scores: `CONSERVATORY_FUZZ=1` compares them all."""
    step = 1 if os.environ.get("CONSERVATORY_FUZZ") else 10
    entry = yaml.safe_load(Path(PARAMS).read_text(encoding="utf-8"))["datasets"]["scores"]
    read = []
    monkeypatch.setattr(
        selection.executor, "run", lambda function, tasks: (read.append(task) or function(task) for task in tasks)
    )
    selection.choose(entry, {})
    assert len(read) > 600
    for piece in read[::step]:
        path = corpus.folder() / piece.path
        try:
            expected = by_music21(path) if piece.number < 0 else tune_by_music21(path, piece.number)
        except ValueError as refused:
            assert selection.read_or_reason(piece) == str(refused)
            continue
        if piece.style not in corpus.STATED_MODE:
            expected.bars["mode"] = 0
        assert_same(corpus.read(piece), expected)


def tune_by_music21(path: Path, number: int) -> Music:
    text = abcFormat.ABCFile.extractReferenceNumber(path.read_text(encoding="utf-8", errors="replace"), number)
    return from_score(abcFormat.translate.abcToStreamScore(abcFormat.ABCFile().readstr(text)))


@pytest.mark.parametrize("number", [1, 9, 100])
def test_a_tune_without_beams_is_the_tune(number):
    path = corpus.folder() / "airdsAirs/book1.abc"
    assert_same(
        corpus.read(corpus.Piece("aird", "w", "t", "airdsAirs/book1.abc", number)), tune_by_music21(path, number)
    )


METRE = "<attributes><time><beats>{}</beats><beat-type>{}</beat-type></time></attributes>"
KEY = "<attributes><divisions>2</divisions><key><fifths>0</fifths><mode>minor</mode></key></attributes>"


def note(step: str, duration: int, inside: str = "", octave: int = 4, before: str = "") -> str:
    pitch = f"<pitch><step>{step}</step><octave>{octave}</octave></pitch>"
    return f"<note>{before}{pitch}<duration>{duration}</duration>{inside}</note>"


def sheet(*bars: str, software: str = "MuseScore") -> str:
    bars = (KEY + METRE.format(4, 4) + bars[0], *bars[1:])
    measures = "".join(f'<measure number="{number}">{bar}</measure>' for number, bar in enumerate(bars, 1))
    encoding = f"<identification><encoding><software>{software}</software></encoding></identification>"
    parts = f'<part-list><score-part id="P1"/></part-list><part id="P1">{measures}</part>'
    return f"<score-partwise>{encoding}{parts}</score-partwise>"


WHOLE = note("C", 8)
REST = "<note><rest/><duration>{}</duration>{}</note>"
TIED, TIED_BACK = note("C", 8, '<tie type="start"/>'), note("C", 4, '<tie type="stop"/>')
CHORD = note("E", 4, '<tie type="start"/>') + note("G", 4, before="<chord/>")
GRACE = note("D", 8).replace("<note>", "<note><grace/>").replace("<duration>8</duration>", "<type>eighth</type>")
BACK, ON = "<backup><duration>8</duration></backup>", "<forward><duration>4</duration></forward>"
LATER = "<direction><direction-type>{}</direction-type><offset>2</offset></direction>"
AGAIN, FROM_HERE = '<repeat direction="backward"/>', '<barline location="left"><repeat direction="forward"/></barline>'
ENDING = '<barline location="{}">{}<ending number="{}" type="{}"/></barline>'
FIRST = ENDING.format("left", "", "1", "start") + WHOLE + ENDING.format("right", AGAIN, "1", "stop")
SECOND = ENDING.format("left", "", "2", "start") + WHOLE + ENDING.format("right", "", "2", "discontinue")
BARS = {
    "ties, one of them of a whole chord": [TIED, TIED_BACK + CHORD],
    "an accidental": [WHOLE.replace("</step>", "</step><alter>-1</alter>")],
    "grace notes": [GRACE + WHOLE],
    "a rest of four quarters in three": [note("C", 6), REST.format(8, "<type>whole</type>"), note("C", 6)],
    "a rest without type that fills a bar": [WHOLE, REST.format(8, ""), WHOLE],
    "a bar without anything": [WHOLE, "", WHOLE],
    "a short first bar": [note("C", 2), WHOLE],
    "two voices": [note("C", 8, "<voice>1</voice>") + BACK + note("E", 6, "<voice>2</voice>")],
    "a forward": [note("C", 4) + ON, WHOLE],
    "a forward at the end": [WHOLE, note("C", 4) + ON],
    "words behind the last note": [note("C", 4) + LATER.format("<words>x</words>"), WHOLE],
    "a wedge behind the last note": [note("C", 4) + LATER.format('<wedge type="crescendo"/>'), WHOLE],
    "repeats": [FROM_HERE + WHOLE, f"{WHOLE}<barline>{AGAIN}</barline>"],
    "endings": [WHOLE, FIRST, SECOND],
    "another metre": [WHOLE, METRE.format(3, 8) + note("C", 3)],
    "an unpitched note": [WHOLE + "<note><unpitched/><duration>8</duration></note>"],
}


@pytest.mark.parametrize("software", ["MuseScore", "Finale 2005"])
@pytest.mark.parametrize("case", BARS)
def test_written_by_hand(tmp_path, case, software):
    path = tmp_path / "score.xml"
    path.write_text(sheet(*BARS[case], software=software))
    assert_same(as_played(musicxml.read(path)), by_music21(path))


@pytest.mark.parametrize(
    ("bar", "reason"),
    [
        ("<attributes><staves>2</staves></attributes>" + WHOLE, "staves"),
        (METRE.format("3+2", 8) + WHOLE, "metre"),
        (WHOLE.replace("</octave>", "</octave><alter>0.5</alter>"), "semitones"),
        (WHOLE.replace("8", "8.5"), "divisions"),
    ],
)
def test_what_has_no_rule_is_left_to_music21(tmp_path, bar, reason):
    path = tmp_path / "score.xml"
    path.write_text(sheet(bar))
    with pytest.raises(Unsupported, match=reason):
        musicxml.read(path)


KERN = "**kern\t**kern\n*M4/2\t*M4/2\n=1\t=1\n{}\n==\t==\n*-\t*-\n"


@pytest.mark.parametrize(
    "rows",
    ["[0C\t1cc#\n.\t2.r\n.\t4dd-\n=2\t=2\n1C]\t0r\n0.D_\t1g", "3c\t1c\n3d\t.\n3e\t.\n0r\t0r"],
    ids=["ties and dots", "triplets"],
)
def test_humdrum_written_by_hand(tmp_path, rows):
    path = tmp_path / "score.krn"
    path.write_text(KERN.format(rows))
    assert_same(as_played(humdrum.read(path)), by_music21(path))


@pytest.mark.parametrize("rows", ["1c 1e\t1g", "1c\t1g\n=:|!\t=:|!", "8qc\t1g", "*^\t*\n1c\t1e\t1g"])
def test_chords_repeats_graces_and_splits_are_left_to_music21(tmp_path, rows):
    path = tmp_path / "score.krn"
    path.write_text(KERN.format(rows))
    with pytest.raises(Unsupported):
        humdrum.read(path)
