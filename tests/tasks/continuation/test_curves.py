"""Areas under curves beside scikit-learn, thresholds and matchings beside all there are."""

from itertools import permutations

import numpy as np
import pytest
import toy_windows
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.tasks.continuation.fit import curves, pairs
from pipelines.tasks.continuation.fit.pairs import KINDS, TRUE
from pipelines.tasks.continuation.score import matching

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40)


@settings(max_examples=50, deadline=None)
@given(ROWS)
def test_areas_are_those_of_scikit_learn(rows):
    true, score = np.array([one[0] for one in rows]), np.array([float(one[1]) for one in rows])
    if true.all() or not true.any():
        assert np.isnan(curves.roc_auc(true, score)) and np.isnan(curves.average_precision(true, score))
    else:
        assert curves.roc_auc(true, score) == pytest.approx(roc_auc_score(true, score))
        assert curves.average_precision(true, score) == pytest.approx(average_precision_score(true, score))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=8, max_size=40))
def test_the_threshold_is_the_best_there_is(rows):
    kind = np.array([*KINDS, TRUE])[[0, 1, 2, 3, *(one[0] for one in rows)]]
    score = np.array([0.0, 1.0, 2.0, 3.0, *(float(one[1]) for one in rows)])

    def accuracy(edge):
        said = score >= edge
        return np.mean([(said[kind == TRUE].mean() + 1 - said[kind == each].mean()) / 2 for each in KINDS])

    assert accuracy(curves.threshold(kind, score)) == pytest.approx(max(map(accuracy, np.unique(score))))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**16))
def test_the_matching_is_the_best_of_all(n, seed):
    rng = np.random.default_rng(seed)
    matrix = rng.random((n, n))
    best = max(permutations(range(n)), key=lambda order: matrix[range(n), order].sum())
    assert matching.matched(matrix, rng).tolist() == [float(row == column) for row, column in enumerate(best)]
    assert matching.alone(matrix).tolist() == [float(matrix[row].argmax() == row) for row in range(n)]


def test_what_depends_on_one_side_alone_changes_no_matching():
    """So log p(B | A) and log p(B | A) - log p(B) are matched alike, and only by A alone do they differ."""
    rng = np.random.default_rng(5)
    matrix, rows, columns = rng.random((9, 9)), 3 * rng.random((9, 1)), 3 * rng.random((1, 9))
    assert np.array_equal(matching.matched(matrix, rng), matching.matched(matrix + rows + columns, rng))
    assert np.array_equal(matching.alone(matrix), matching.alone(matrix + rows))
    assert not np.array_equal(
        matching.alone(matrix + 10 * np.eye(9)), matching.alone(matrix + 10 * np.eye(9) + 9 * columns)
    )


def test_equal_scores_find_no_more_than_chance():
    rng = np.random.default_rng(0)
    assert matching.alone(np.zeros((8, 8))).tolist() == [1 / 8] * 8
    found = np.mean([matching.matched(np.zeros((8, 8)), rng) for _ in range(400)])
    assert found == pytest.approx(1 / 8, abs=0.03), "not the order in which they stand"


def test_a_model_that_knows_finds_all_and_every_group_asks_once_a_round():
    windows = toy_windows.windows(6, 7, groups=["a", "a", "b", "c", "d", "d"])
    data = pairs.draw(windows, True, np.random.default_rng(0))
    rounds = matching.rounds(data, np.random.default_rng(1))
    for rows in rounds:
        assert sorted(windows.group[data.a[rows]]) == ["a", "b", "c", "d"] and data.true[rows].all()
    assert len(set(np.concatenate(rounds).tolist())) > len(rounds[0])

    def knows(a, b):
        of = {grid.tobytes(): number for number, grid in enumerate(windows.grids)}
        return np.array([float(of[y.tobytes()] - of[x.tobytes()] == 1) for x, y in zip(a, b, strict=True)])

    found = matching.hits(data, knows, 1)
    asked = np.isfinite(found["retrieved"])
    assert (found["retrieved"][asked] == 1).all() and (found["matched"][asked] == 1).all()
    assert (found["drawn"][asked] == 1 / 4).all() and not asked[~data.true].any()
