"""Intervals are made where groups are many enough, and nothing is concluded where they are not."""

import numpy as np
import pytest
from scipy import stats

from pipelines.evaluation import before_after, clustering, neighbours, paired, probes
from pipelines.evaluation.crossed import lead
from pipelines.metrics import tagging
from pipelines.metrics.intervals import FEWEST, above, bootstrap, reflected, written


def test_the_mean_of_normal_values_has_the_interval_of_student():
    values = np.random.default_rng(0).standard_normal(400)
    found = bootstrap(lambda rows: values[rows].mean(), len(values), 4000, 0)
    expected = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert found == pytest.approx(expected, abs=0.008)


@pytest.mark.parametrize("n", range(1, 7))
def test_of_fewer_than_four_there_is_no_interval(n):
    one = bootstrap(lambda rows: rows.mean(), n, 50, 0)
    two = bootstrap(lambda rows: (rows.mean(), rows.max()), n, 50, 0)
    assert (one is None, two == [None, None]) == (n < FEWEST, n < FEWEST)
    assert reflected(one, 0.5) is None or n >= FEWEST


def test_nothing_is_above_without_an_interval():
    assert above([0.4, 0.6], 0.3) is True and above([0.2, 0.6], 0.3) is False and above(None, 0.3) is None
    assert written([0.25, 0.5]) == "[0.250, 0.500]" and "fewer than 4" in written(None)


@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_every_score_over_groups_keeps_to_it(n_groups):
    """48 clips of 2, 3 or 4 works in two classes: all scores that resample works."""
    generator = np.random.default_rng(n_groups)
    labels, groups = np.tile([0, 1], 24), np.arange(48) % n_groups
    points, names = generator.standard_normal((48, 3)) + labels[:, None], ["a", "b"]
    truth, scores = np.eye(2)[labels].astype(np.float32), generator.random((48, 2))
    clustered = clustering.evaluate(points, labels, names, 2, 20, 5, 0, groups=groups)[0]
    tagged = tagging.evaluate(truth, scores, names, 20, 0, groups)
    right = {"one": labels == 0, "other": generator.random(48) < 0.5}
    found = [
        lead(clustered)["ci95"],
        clustered["ci95"],
        tagged["roc_auc_ci95"],
        tagged["pr_auc_ci95"],
        paired.compare(right, 20, 0, groups)["pairs"][0]["ci95"],
        before_after.accuracy(right, groups, 20, 0)["other"]["difference_ci95"],
        neighbours.agreement(points, labels, names, 3, 20, 0, groups=groups)["ci95"],
    ]
    if n_groups > 2:
        found.append(probes.evaluate(points, labels, names, "knn", 20, 5, 0, groups=groups)[0]["macro_f1_ci95"])
    assert [interval is None for interval in found] == [n_groups < FEWEST] * len(found)
