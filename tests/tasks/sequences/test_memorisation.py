"""What pieces share: against a search by definition, in other keys, and for copies that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_corpus import pieces

from pipelines.tasks.sequences.models import kneser_ney
from pipelines.tasks.sequences.score import memorisation, originality

FEW = st.lists(
    st.lists(st.lists(st.integers(59, 62), min_size=4, max_size=4), min_size=1, max_size=40), min_size=1, max_size=3
)


def lines(piece):
    """The (interval, steps) events of each voice, in plain Python; None is the interval of a silence."""
    for voice in piece.T.tolist():
        runs = []
        for pitch in voice:
            if runs and runs[-1][0] == pitch:
                runs[-1][1] += 1
            else:
                runs.append([pitch, 1])
        last, found = None, []
        for pitch, steps in runs:
            if pitch and last is None:
                last = pitch
                continue
            found.append((pitch - last if pitch else None, steps))
            last = pitch or last
        yield found


def by_definition(piece, training):
    """(longest shared run, share of absent n-grams for each n or None)."""
    there = [line for other in training for line in lines(other)]
    grams = [
        {tuple(line[k : k + n]) for line in there for k in range(len(line) - n + 1)}
        for n in range(max(map(len, there), default=0) + 1)
    ]
    mine = list(lines(piece))

    def own(n):
        return [tuple(line[k : k + n]) for line in mine for k in range(len(line) - n + 1)]

    longest = max((n for n in range(1, len(grams)) if set(own(n)) & grams[n]), default=0)
    absent = [
        np.mean([gram not in (grams[n] if n < len(grams) else ()) for gram in own(n)]) if own(n) else None
        for n in (8, 16, 24)
    ]
    return longest, absent


@given(FEW, FEW)
@settings(max_examples=60, deadline=None)
def test_it_is_what_a_search_finds(first, second):
    first, second = ([np.array(piece, np.uint8) for piece in one] for one in (first, second))
    found = memorisation.compare(first, memorisation.events(second))
    for number, piece in enumerate(first):
        longest, absent = by_definition(piece, second)
        assert found["longest"][number] == longest
        assert (found["nearest"][number] >= 0) == (longest > 0)
        for n, share in zip((8, 16, 24), absent, strict=True):
            value = found[f"absent_{n}"][number]
            assert np.isnan(value) if share is None else value == pytest.approx(share)


@pytest.mark.parametrize("n", [7, 8, 11, 23, 24, 40, 70])
def test_a_copy_in_another_key_is_found_whole(n):
    """`n` notes of the bass of a piece in another piece's alto, five semitones up."""
    rng = np.random.default_rng(n)
    training = [rng.integers(40, 80, (100, 4)).astype(np.uint8) for _ in range(4)]
    piece = rng.integers(1, 20, (120, 4)).astype(np.uint8)
    piece[7 : 7 + n + 1, 2] = training[2][5 : 5 + n + 1, 3] + 5
    changes = np.flatnonzero(np.diff(piece[7 : 7 + n + 1, 2].astype(int)))
    found = memorisation.compare([piece], memorisation.events(training))
    # notes of one pitch in a row are one event, and the ends may be longer than in training
    assert len(changes) - 1 <= found["longest"][0] <= len(changes) + 1 and found["nearest"][0] == 2
    own, there = (
        memorisation.span(music, memorisation.events(music), found[key][0], found["longest"][0])
        for music, key in (([piece], "first"), (training, "first_there"))
    )
    assert own[0] == 2 and there[0] == 3
    a, b = piece[own[1] : own[2], 2].astype(int), training[2][there[1] : there[2], 3].astype(int)
    assert (a == b + 5).all() and len(a) >= found["longest"][0]


def test_a_training_piece_shares_everything():
    music = pieces(3, steps=200)
    found = memorisation.compare(music, memorisation.events(music))
    assert found["nearest"].tolist() == [0, 1, 2]
    assert not np.nansum([found[f"absent_{n}"] for n in (8, 16, 24)])
    most = [max(map(len, lines(piece))) for piece in music]
    assert found["longest"].tolist() == most


def test_the_table_has_people_beside_the_model():
    training, people = pieces(6, steps=240), pieces(5, 1, steps=240)
    copies = [piece[:60] for piece in training[:4]]
    found = originality.table(copies, people, ["a", "b", "c", "d", "a"], training, 100, 1)
    assert found["generated"]["absent_8"]["mean"] < 0.1 and found["people"]["absent_8"]["mean"] > 0
    assert found["generated"]["longest"]["ci95"][0] > found["people"]["longest"]["mean"]
    assert found["worst"]["nearest"] == found["worst"]["piece"]
    assert found["people"]["n"] == 5 and found["people"]["events"] < 4 * 60, "cut to the length of the generated pieces"
    assert originality.table(copies, people, ["a"] * 5, training, 100, 1)["people"]["longest"]["ci95"] is None


def test_what_a_model_remembers_is_given_back():
    """n-grams of music in which two steps say what follows give back the pieces they have read, and nothing of others."""
    training, others = (
        list(np.random.default_rng(seed).integers(40, 80, (9, 70, 4)).astype(np.uint8)) for seed in (1, 2)
    )
    arrays, _ = kneser_ney.fit(training, [], {"n": 9, "transpose": 0, "context": "all"}, 0)
    model = kneser_ney.build(arrays, {})
    known, new = (
        originality.extraction(lambda n, rng: kneser_ney.begin(model, n, rng), each, 50, 1)
        for each in (training, others)
    )
    assert known["cells"] > 0.95 and known["whole"] > 0.8 and new["cells"] < 0.2 and new["whole"] == 0
    assert known["ci95"][0] > new["ci95"][1] and known["n"] == 9
    assert originality.extraction(None, pieces(2, steps=20), 50, 1)["cells"] is None
