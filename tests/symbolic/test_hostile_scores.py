"""Scores that ask for more than there is: memory, time, or a file of somebody else's. (MIDI is not read anywhere.)"""

import resource
import zipfile

import pytest

from pipelines.symbolic import corpus
from pipelines.symbolic.score import MAX_BARS

TUNE = "X:1\nT:a tune\nM:4/4\nL:1/4\nK:C\n{}\n"
SHEET = (
    '<?xml version="1.0"?>{entities}<score-partwise version="3.1"><part-list><score-part id="P1"><part-name>{name}</part-name>'
    '</score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>{beats}</beats>'
    "<beat-type>4</beat-type></time></attributes>{left}<note><pitch><step>C</step><octave>4</octave></pitch><duration>{length}"
    "</duration></note>{right}</measure></part></score-partwise>"
)
FINE = {"entities": "", "name": "m", "beats": "4", "left": "", "length": "4", "right": ""}
LAUGHS = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
ENDING = '<barline location="{}"><ending number="1-2000000000" type="{}"/>{}</barline>'

TUNES = {
    "a metre of a thousand million": (TUNE.replace("4/4", "999999999/1").format("C"), "an impossible number"),
    "a metre in the tune": (TUNE.format("C [M:999999999/1] D |"), "an impossible number"),
    "an ending for each of a thousand million turns": (
        TUNE.format("|: C4 |1-99999999 D4 :|2 E4|]"),
        "an impossible number",
    ),
    "a note of a thousand million": (TUNE.format('"D7"d2 e999999999 f | D |'), "an impossible number"),
    "a note of ages": (TUNE.format("C99999999999999999999 | D |"), "an impossible number"),
    "nothing": ("", "music21 cannot read"),
    "no tune of that number": (TUNE.replace("X:1", "X:2").format("C"), "music21 cannot read"),
}
SHEETS = {
    "a metre of a thousand million": ({"beats": "1099511627776"}, "an impossible number"),
    "entities of entities": (
        {"entities": f'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">{LAUGHS}]>', "name": "&j;"},
        "cannot read",
    ),
    "another's file": (
        {"entities": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', "name": "&e;"},
        "cannot read",
    ),
    "endless endings": (
        {"left": ENDING.format("left", "start", ""), "right": ENDING.format("right", "stop", "<repeat/>")},
        "an impossible number",
    ),
    "no note": ({"length": ""}, "music21 cannot read"),
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "folder", lambda: tmp_path)

    def read(name, content, number=-1):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return corpus.read(corpus.Piece("aird", "w", "t", name, number))

    return read


@pytest.fixture
def little_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


@pytest.mark.parametrize("case", TUNES)
def test_a_tune_that_means_harm(read, little_memory, case):
    text, message = TUNES[case]
    with pytest.raises(ValueError, match=message):
        read("tune.abc", text, 1)


@pytest.mark.parametrize("case", SHEETS)
def test_a_sheet_that_means_harm(read, little_memory, case):
    changed, message = SHEETS[case]
    with pytest.raises(ValueError, match=message):
        read("sheet.xml", SHEET.format(**FINE | changed))


def test_what_is_fine_is_read(read):
    assert len(read("sheet.xml", SHEET.format(**FINE)).notes) == 1
    assert len(read("tune.abc", TUNE.format("|: C4 |1 D4 :|2 E4|]"), 1).notes) == 4


def test_a_bomb_in_a_zip(read, tmp_path, little_memory):
    path = tmp_path / "bomb.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", b" " * (corpus.MAX_BYTES + 1))
    with pytest.raises(ValueError, match="unpacks to more than"):
        read("bomb.mxl", path.read_bytes())


@pytest.mark.fault
def test_repeats_that_would_be_written_out_for_ever(read):
    """Each bar is the ending of 999 turns."""
    left = '<barline location="left"><ending number="1-999" type="start"/><repeat direction="forward"/></barline>'
    right = '<barline location="right"><ending number="1-999" type="stop"/><repeat direction="backward"/></barline>'
    whole = SHEET.format(**FINE | {"left": left, "right": right})
    start, end = whole.index("<measure"), whole.index("</part>")
    bars = "".join(whole[start:end].replace('number="1"', f'number="{n}"') for n in range(1, MAX_BARS // 999 + 2))
    with pytest.raises(ValueError, match="more than 20,000 bars"):
        read("sheet.xml", whole[:start] + bars + whole[end:])


@pytest.mark.parametrize("start", [1, 30, 60])
def test_a_zip_that_is_spoilt(read, tmp_path, start):
    """Found by fuzzing: zipfile's errors are no ValueErrors."""
    path = tmp_path / "whole.mxl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", SHEET.format(**FINE))
    with pytest.raises(ValueError, match="music21 cannot read"):
        read("spoilt.mxl", path.read_bytes()[start:])
