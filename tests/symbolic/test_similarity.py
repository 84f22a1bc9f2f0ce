"""The same music is found in another key, book, note value or harmonisation; other music is not."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.symbolic import corpus, similarity
from pipelines.symbolic.score import Music


def read(style: str, path: str, number: int = -1) -> Music:
    return corpus.read(corpus.Piece(style, "", "", path, number))


TUNES = [read("aird", "airdsAirs/book1.abc", number) for number in (1, 2, 3, 4, 5, 6, 7, 8)]


def changed(music: Music, semitones: int, factor: float) -> Music:
    notes, bars = music.notes.copy(), music.bars.copy()
    notes["pitch"] += semitones
    for table in (notes, bars):
        table["onset"] *= factor
        table["duration"] *= factor
    return Music(notes, bars)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 7), st.integers(-11, 11), st.sampled_from([0.5, 1.0, 2.0]))
def test_a_transposed_copy_in_other_note_values_is_the_same_music_and_the_other_tunes_are_not(index, semitones, factor):
    pieces = [*TUNES, changed(TUNES[index], semitones, factor)]
    groups = [f"tune {i}" for i in range(len(pieces))]
    pairs = similarity.same_music([similarity.lines(music) for music in pieces], groups)
    assert [(i, j) for i, j, _ in pairs] == [(index, len(TUNES))]
    merged = similarity.merge(groups, pairs)
    assert merged[index] == merged[-1]
    assert len(set(merged)) == len(TUNES)


def test_an_ornamented_copy_is_still_the_same():
    rng = np.random.default_rng(0)
    notes = TUNES[0].notes.copy()
    notes["pitch"][rng.choice(len(notes), len(notes) // 6, replace=False)] += 2
    pairs = similarity.same_music(
        [similarity.lines(TUNES[0]), similarity.lines(Music(notes, TUNES[0].bars))], ["a", "b"]
    )
    assert len(pairs) == 1


def test_one_hymn_in_five_harmonisations_and_one_tune_in_two_books():
    """O Haupt voll Blut und Wunden, of which BWV 135.6 has the tune in the bass, and Sukey Bids Me."""
    passion = ["244.44", "244.54", "270", "271", "135.6"]
    pieces = [read("chorale", f"bach/bwv{number}.mxl") for number in [*passion, "269", "66.6", "253"]]
    pieces += [read("aird", "airdsAirs/book1.abc", 140), read("ryan", "ryansMammoth/SukeyBidsMeReel.abc")]
    groups = [*passion, "269", "66.6", "253", "aird", "ryan"]
    pairs = similarity.same_music([similarity.lines(music) for music in pieces], groups)
    merged = similarity.merge(groups, pairs)
    assert len(set(merged[:5])) == 1
    assert merged[8] == merged[9]
    assert len(set(merged)) == 5


def test_pairs_within_a_group_are_not_compared():
    lines = similarity.lines(TUNES[0])
    assert similarity.same_music([lines, lines], ["one", "one"]) == []
    assert [pair[:2] for pair in similarity.same_music([lines, lines], ["one", "two"])] == [(0, 1)]


def test_merging_is_transitive_and_leaves_the_rest_alone():
    assert similarity.merge(list("abcde"), [(3, 1, 0.1), (1, 2, 0.2)]) == list("abbbe")


def test_agreement_is_symmetric():
    first, second = similarity.lines(TUNES[0])[0], similarity.lines(TUNES[3])[0]
    assert similarity.excess(first, second) == similarity.excess(second, first) < 0
    assert similarity.excess(first, first) > 0.4
