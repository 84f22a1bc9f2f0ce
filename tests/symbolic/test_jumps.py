"""Da capo and dal segno: as music21 expands them, and as a person plays ABC and MusicXML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from music21 import bar, converter, note, repeat, stream

from pipelines.notes.abc.read import read
from pipelines.notes.scores import piece_of
from pipelines.symbolic import corpus, jumps, musicxml
from pipelines.symbolic.music21_score import from_score
from pipelines.symbolic.score import as_played


def score(n_bars, fine, segno, repeated):
    """A bar of each pitch from 60 on; the first `repeated` bars are played twice, and the last one says to go back."""
    part = stream.Part()
    for n in range(n_bars):
        measure = stream.Measure(number=n + 1)
        measure.append(note.Note(60 + n, quarterLength=4))
        part.append(measure)
    measures = list(part.getElementsByClass("Measure"))
    measures[fine].append(repeat.Fine())
    if segno is None:
        measures[-1].append(repeat.DaCapoAlFine())
    else:
        measures[segno].insert(0, repeat.Segno())
        measures[-1].append(repeat.DalSegnoAlFine())
    if repeated:
        measures[0].leftBarline = bar.Repeat(direction="start")
        measures[repeated - 1].rightBarline = bar.Repeat(direction="end")
    return part


@given(st.integers(2, 7), st.data())
@settings(max_examples=25, deadline=None)
def test_jumps_are_as_music21_expands_them(n_bars, data):
    fine = data.draw(st.integers(0, n_bars - 2))
    segno = data.draw(st.none() | st.integers(0, fine))
    part = score(n_bars, fine, segno, data.draw(st.integers(0, n_bars - 1)))
    music = from_score(stream.Score([part]))
    assert not music.unfollowed
    assert music.notes["pitch"].tolist() == [each.pitch.midi for each in part.expandRepeats().flatten().notes]


def pitches(body):
    piece = read(f"X:1\nM:2/4\nL:1/4\nK:C\n{body}\n")
    return "".join("CDEFGAB"[[0, 2, 4, 5, 7, 9, 11].index(pitch - 60)] for pitch in piece.notes["pitch"]), piece.remarks


@pytest.mark.parametrize(
    ("body", "played"),
    [
        ('CD|EF"Fine"|GA|BB"D.C."|]', "CDEFGABBCDEF"),
        ('|:CD|E"^Fine"F:|GA|BB|]"_D.C. al Fine"', "CDEFCDEFGABBCDEF"),
        ("CD|!segno!EF!fine!|GA!D.S.!|]", "CDEFGAEF"),
        ("CD|SEF!fine!|GA!D.S.!|]", "CDEFGAEF"),
        ('CD|EF!fine!|GA|BB"D.C.al Fine"|]', "CDEFGABBCDEF"),
        ("CD|EF!fine!|GA|BB!D.C.alfine!|]", "CDEFGABBCDEF"),
        ('|:CD|1 EE:|2 F"fine"F|]GA"da capo"|]', "CDEECDFFGACDFF"),
    ],
)
def test_tunes_that_go_back(body, played):
    assert pitches(body) == (played, {})


@pytest.mark.parametrize(
    ("body", "played"),
    [
        ('CD|EF"D.C."|]', "CDEF"),
        ('CD"Fine"|EF"D.C."|GA|]', "CDEFGA"),
        ('CD"Fine"|EF!D.S.!|]', "CDEF"),
        ('CD"fine"|EF"DC & then go on"|]', "CDEF"),
        ('CD"fine"|EF"fine"|GA!D.C.!|]', "CDEFGA"),
    ],
)
def test_what_leaves_doubt_is_counted(body, played):
    assert pitches(body) == (played, {jumps.UNFOLLOWED: 1})


def test_an_aria_with_a_dal_segno():
    """Handel, Lascia ch'io pianga: 54 bars, of which 13 to 42 are sung again."""
    score = converter.parse(corpus.folder() / "handel/rinaldo/Lascia_chio_pianga.mxl", forceSource=True)
    music = from_score(score)
    assert len(music.bars) == len(score.parts[0].expandRepeats().getElementsByClass("Measure")) == 84
    assert music.bars["number"][54:].tolist() == music.bars["number"][12:42].tolist() and not music.unfollowed
    assert piece_of(music).remarks == {}


SHEET = """<score-partwise><part-list><score-part id="P1"/></part-list><part id="P1">{}</part></score-partwise>"""
NOTE = "<note><pitch><step>{}</step><octave>4</octave></pitch><duration>4</duration></note>"
WORDS = "<direction><direction-type><words>{}</words></direction-type></direction>"


@pytest.mark.parametrize(
    ("second", "last", "played"),
    [
        ('<sound fine="yes"/>', '<sound dacapo="yes"/>', "CDECD"),
        (WORDS.format("Fine"), WORDS.format("D.C. al Fine"), "CDECD"),
        (
            "<direction><direction-type><segno/></direction-type></direction>" + WORDS.format("fine"),
            '<sound dalsegno="1"/>',
            "CDED",
        ),
        ("", WORDS.format("Menuetto da Capo"), "CDE"),
    ],
)
def test_scores_that_go_back(tmp_path, second, last, played):
    beginning = "<attributes><divisions>1</divisions></attributes>"
    bars = [beginning + NOTE.format("C"), second + NOTE.format("D"), NOTE.format("E") + last]
    path = tmp_path / "score.xml"
    path.write_text(SHEET.format("".join(f'<measure number="{n}">{each}</measure>' for n, each in enumerate(bars, 1))))
    music = as_played(musicxml.read(path))
    assert "".join("C D E"[pitch - 60] for pitch in music.notes["pitch"]) == played
    assert piece_of(music).remarks == ({jumps.UNFOLLOWED: 1} if len(played) == 3 else {})
