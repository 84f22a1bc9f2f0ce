"""Words of scores, against music21's own assembly of them."""

import re

import pytest

from pipelines.symbolic import corpus, lyrics, selection

SCORE = """<score-partwise><part-list><score-part id="a"/><score-part id="b"/></part-list>
<part id="a"><measure><note><lyric number="1"><text>Ah</text></lyric></note></measure></part>
<part id="b"><measure>
<note><lyric number="1"><syllabic>begin</syllabic><text>Mei</text></lyric><lyric number="2"><text>Du</text></lyric></note>
<note><lyric number="1"><syllabic>end</syllabic><text>ster</text></lyric></note><note/>
<note><lyric number="1"><syllabic>single</syllabic><text>komm</text></lyric></note>
</measure></part></score-partwise>"""


def test_words_are_those_of_the_part_with_most_of_them_a_verse_a_line(tmp_path):
    path = tmp_path / "score.xml"
    path.write_text(SCORE)
    assert lyrics.read(path) == "Meister komm\nDu"
    path.write_text("<html/>")
    assert lyrics.read(path) == "" and lyrics.read(tmp_path / "score.krn") == ""


@pytest.mark.parametrize("place", ["bach/bwv110.7.mxl", "monteverdi/madrigal.3.1.mxl"])
def test_words_are_music21s(place):
    from music21 import converter, text

    path = corpus.folder() / place
    assert _joined(lyrics.read(path).splitlines()[0]) in [
        _joined(text.assembleLyrics(part)) for part in converter.parse(path).parts
    ]


def _joined(words):
    return re.sub(r"\s+", " ", re.sub(r"-+\s*", "", words)).strip()


def test_only_the_styles_that_are_asked_for_are_chosen():
    entry = {"styles": ["chorale", "trecento"], "clips_per_style": 1, "duration_s": 5.0, "seed": 1}
    assert list(selection.choose(entry, {})) == ["chorale", "trecento"]
