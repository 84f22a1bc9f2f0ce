"""Scores in ABC, Humdrum and MusicXML, plain and zipped: notes and bars, or `ValueError`. (No other format is read.)"""

import io
import zipfile

import numpy as np
import pytest
from bytes_of import files, fuzz
from hypothesis import given

from pipelines.symbolic import corpus

pytestmark = pytest.mark.fault

ABC = b'X:1\nT:a tune\nM:4/4\nL:1/8\nK:D\n|: "D"d2 (3efg [ac]4 | z2 f>e d4 :|1 a8 :|2 b8 ||\nM:3/4\n d2-d2 e2 | f6 |]\n'
KERN = b"**kern\t**kern\n*M4/4\t*M4/4\n*k[b-]\t*k[b-]\n=1\t=1\n4c\t2e\n4d\t.\n4e\t2g\n4f\t.\n=2\t=2\n1c\t1c\n==\t==\n*-\t*-\n"
XML = b"""<?xml version="1.0"?><score-partwise version="3.1">
<part-list><score-part id="P1"><part-name>m</part-name></score-part></part-list>
<part id="P1"><measure number="1"><attributes><divisions>2</divisions><key><fifths>-1</fifths><mode>minor</mode></key>
<time><beats>4</beats><beat-type>4</beat-type></time></attributes>
<barline location="left"><repeat direction="forward"/></barline>
<note><pitch><step>C</step><alter>1</alter><octave>4</octave></pitch><duration>4</duration><tie type="start"/></note>
<note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>4</duration></note>
<note><rest/><duration>4</duration></note></measure>
<measure number="2"><note><pitch><step>C</step><octave>4</octave></pitch><duration>8</duration></note>
<barline location="right"><repeat direction="backward"/></barline></measure></part></score-partwise>"""
WORDS = (b"999999999", b"-1", b"1/0", b":|", b"|:", b"[", b"<", b">", b"&a;", b"\xff", b"\n", b"0")
KINDS = {"tune.abc": (ABC, 1), "piece.krn": (KERN, -1), "piece.xml": (XML, -1)}


def zipped(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("score.xml", content)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "folder", lambda: tmp_path)

    def read(name, content, number=-1):
        (tmp_path / name).write_bytes(content)
        try:
            music = corpus.read(corpus.Piece("aird", "w", "t", name, number))
        except ValueError:
            return None
        assert len(music.notes) and np.isfinite(music.notes["onset"]).all() and (music.notes["duration"] > 0).all()
        assert np.isfinite(music.length)
        return music

    return read


@pytest.mark.parametrize("name", KINDS)
def test_spoilt_scores(read, name):
    valid, number = KINDS[name]

    @fuzz
    @given(files(valid, words=WORDS))
    def target(content):
        read(name, content, number)

    assert read(name, valid, number)
    target()


def test_spoilt_zips(read):
    @fuzz
    @given(files(zipped(XML), zipped(XML[:200])))
    def target(content):
        read("piece.mxl", content)

    assert read("piece.mxl", zipped(XML))
    target()
