"""How often intervals hold what they are about, simulated: the table of docs/reading_the_report.md. Nominal: 95 times in 100."""

import re

import numpy as np
import pytest
from helpers import PROJECT

from pipelines.evaluation import before_after, clustering
from pipelines.metrics import tagging
from pipelines.metrics.intervals import equal_passes

pytestmark = pytest.mark.system
N_DRAWS = 100


def tagged(generator, n_works, clips_a_work, n_tags=8):
    """Clips of works whose scores are alike: truth, scores, works."""
    works = np.repeat(np.arange(n_works), clips_a_work)
    truth = (generator.random((n_works, n_tags)) < 0.25)[works].astype(int)
    of_work, of_clip = generator.standard_normal((n_works, n_tags))[works], generator.standard_normal(truth.shape)
    return truth, 1.2 * truth + 0.8 * of_work + 0.6 * of_clip, works


def clustered(generator, n_works, clips_a_work, separation, means):
    """Clips of works of eight classes, in 16 dimensions."""
    works = np.repeat(np.arange(n_works), clips_a_work)
    labels = generator.integers(0, len(means), n_works)[works]
    of_work = 0.7 * generator.standard_normal((n_works, means.shape[1]))[works]
    return (
        separation * means[labels] + of_work + 0.7 * generator.standard_normal((len(works), means.shape[1])),
        labels,
        works,
    )


def test_of_taggers(report):
    """144 clips: of as many works, and of 48."""
    for clips_a_work in (1, 3):
        truth, scores, _ = tagged(np.random.default_rng(0), 40_000, clips_a_work)
        values = tagging.macro_scores(truth, scores)
        held = dict.fromkeys(("roc_auc", "pr_auc", "roc_auc by clips"), 0)
        for seed in range(N_DRAWS):
            truth, scores, works = tagged(np.random.default_rng(seed + 1), 144 // clips_a_work, clips_a_work)
            found = tagging.evaluate(truth, scores, list("abcdefgh"), 200, seed, works)
            for key in ("roc_auc", "pr_auc"):
                held[key] += found[f"{key}_ci95"][0] <= values[key] <= found[f"{key}_ci95"][1]
            if clips_a_work == 1:
                continue
            by_clips = tagging.evaluate(truth, scores, list("abcdefgh"), 200, seed)
            held["roc_auc by clips"] += by_clips["roc_auc_ci95"][0] <= values["roc_auc"] <= by_clips["roc_auc_ci95"][1]
        report(f"ROC-AUC, {144 // clips_a_work} works", held["roc_auc"])
        report(f"PR-AUC, {144 // clips_a_work} works", held["pr_auc"])
        if clips_a_work == 3:
            report("ROC-AUC, 48 works, if clips were resampled", held["roc_auc by clips"])


@pytest.mark.parametrize(("clusters_are", "separation"), [("weak", 0.3), ("good", 0.9)])
def test_of_clusterings(report, clusters_are, separation):
    """192 clips of 96 works: accuracy on new clips, by the held-out figure and by the matched one."""
    means, held = np.random.default_rng(7).standard_normal((8, 16)), {"held-out": 0, "matched": 0}
    for seed in range(N_DRAWS // 2):
        generator = np.random.default_rng(seed)
        points, labels, works = clustered(generator, 96, 2, separation, means)
        record, _, _ = clustering.evaluate(points, labels, list("abcdefgh"), 10, 200, 1, seed, groups=works)
        clusters = clustering.kmeans(points, 8, 10, seed)
        centres = np.stack([points[clusters == number].mean(axis=0) for number in range(8)])
        fresh, actual, _ = clustered(generator, 3000, 1, separation, means)
        of_fresh = ((fresh[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
        table = clustering.contingency(actual, of_fresh, 8) / len(fresh)
        values = []
        for _ in range(20):  # named by half of the works, as the held-out figure is
            half = np.isin(works, generator.permutation(96)[:48])
            values.append(table[clustering.match(labels[half], clusters[half], 8), np.arange(8)].sum())
        low, high = record["crossed"]["ci95"]
        held["held-out"] += low <= np.mean(values) <= high
        low, high = record["ci95"]
        held["matched"] += low <= table[clustering.match(labels, clusters, 8), np.arange(8)].sum() <= high
    report(f"held-out accuracy, {clusters_are} clusters", held["held-out"], N_DRAWS // 2)
    report(f"matched accuracy, {clusters_are} clusters, as if of new clips", held["matched"], N_DRAWS // 2)


@pytest.mark.parametrize("correlation", [0.4, 0.8])
def test_an_equal_challenger_passes_as_often_as_the_gate_says(correlation):
    """Of 144 clips, accuracies of .5, a margin of .1."""
    passed, said, margin = 0, [], 0.1
    for seed in range(N_DRAWS):
        generator = np.random.default_rng(seed)
        shared = generator.random(144) < correlation
        one, other = generator.random((2, 144)) < 0.5
        right = {"champion": one, "challenger": np.where(shared, one, other)}
        low, high = before_after.accuracy(right, None, 200, seed)["challenger"]["difference_ci95"]
        passed += low > -margin
        said.append(equal_passes(high - low, margin))
    assert passed / N_DRAWS == pytest.approx(np.mean(said), abs=0.09)


@pytest.fixture
def report():
    """Compare a coverage with the one that the docs tell, within three deviations of the simulation."""
    table = dict(
        re.findall(r"^\| (.+?) \| (\d+) \|$", (PROJECT / "docs/reading_the_report.md").read_text(), re.MULTILINE)
    )

    def told(what: str, held: int, n: int = N_DRAWS) -> None:
        share = int(table[what]) / 100
        error = 3 * np.sqrt(max(share * (1 - share), 0.02) / n)
        assert held / n == pytest.approx(share, abs=error), (
            f"{what}: {100 * held / n:.0f} in 100, and the docs say {table[what]}"
        )

    return told
