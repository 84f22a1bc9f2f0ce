"""What the notes say, on music whose texture, metre and mode are known."""

import numpy as np
import pytest
from music21 import converter

from pipelines.symbolic import corpus, excerpt, labels
from pipelines.symbolic.score import BAR


def clip(style: str, path: str, number: int = -1) -> excerpt.Excerpt:
    return excerpt.cut(corpus.read(corpus.Piece(style, "", "", path, number)), 0, 80.0, 30.0, again=True)


def test_texture_of_a_hymn_a_mass_and_a_tune():
    assert labels.texture(clip("chorale", "bach/bwv269.mxl").notes) == "homophonic"
    assert labels.texture(clip("palestrina", "palestrina/Agnus_00.krn").notes) == "contrapuntal"
    assert labels.texture(clip("aird", "airdsAirs/book1.abc", 1).notes) == "monophonic"


def voices(*onsets: list[float], duration: float = 1.0) -> np.ndarray:
    rows = [(onset, duration, 60 + 7 * v, v) for v, starts in enumerate(onsets) for onset in starts]
    return np.array(sorted(rows), dtype=excerpt.SOUND)


def test_texture_by_its_definition():
    together, apart = np.arange(0, 8, 1.0), np.arange(0.5, 8.5, 1.0)
    assert labels.togetherness(voices(together, together)) == 1
    assert labels.togetherness(voices(together, apart)) == pytest.approx(0, abs=0.1)
    # three of four voices together are enough; the fourth is apart: 24 of 32 notes
    assert labels.texture(voices(together, together, together, apart)) == "homophonic"
    assert labels.texture(voices(together, together, apart, apart)) == "contrapuntal"
    assert labels.polyphony(voices(together, [])) == 0
    assert labels.polyphony(voices(together, [0.0, 2.0])) == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("signature", "metre"),
    [
        *((signature, "duple") for signature in ((4, 4), (2, 2), (4, 2), (2, 4))),
        *((signature, "triple") for signature in ((3, 4), (3, 8), (3, 2))),
        *((signature, "compound") for signature in ((6, 8), (9, 8), (6, 4))),
        *((signature, "") for signature in ((5, 4), (7, 8))),
    ],
)
def test_metre(signature, metre):
    pickup = (0.0, 0.5, 0, 1, 8, 0)
    assert labels.metre(np.array([pickup, *[(0.5, 3.0, 1, *signature, 0)] * 4], dtype=BAR)) == metre


@pytest.mark.parametrize("path", ["bach/bwv269.mxl", "bach/bwv66.6.mxl", "bach/bwv7.7.mxl", "bach/bwv10.7.mxl"])
def test_mode_by_profile_is_music21s(path):
    score = converter.parse(corpus.folder() / path, forceSource=True, storePickle=False)
    music = corpus.read(corpus.Piece("palestrina", "", "", path))  # a style whose signatures state no mode
    notes = np.zeros(len(music.notes), dtype=excerpt.SOUND)
    notes["pitch"], notes["duration_s"] = music.notes["pitch"], music.notes["duration"]
    assert labels.mode(notes) == score.analyze("KrumhanslSchmuckler").mode
    assert set(music.bars["mode"]) == {0}


def test_what_the_source_states_counts():
    notes = clip("chorale", "bach/bwv269.mxl").notes
    assert (labels.mode(notes, -1), labels.mode(notes, 1), labels.mode(notes, 0)) == ("minor", "major", "major")


def test_tempo_bands_cover_the_range():
    assert [labels.tempo_band(bpm) for bpm in (56, 75.9, 76, 104, 143.9)] == ["slow", "slow", "medium", "fast", "fast"]
    with pytest.raises(ValueError, match="144"):
        labels.tempo_band(144)
