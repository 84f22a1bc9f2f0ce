"""Leaks against planted copies, and scores with and without them against arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from pipelines.evaluation import leaks

pytestmark = pytest.mark.filterwarnings("error")
FEW = {"n_permutations": 50, "seed": 0}


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["train", "valid", "test"])), min_size=2))
def test_exact_equals_brute_force(clips):
    hashes, splits = zip(*clips, strict=True)
    if len({split == "test" for split in splits}) < 2:
        with pytest.raises(ValueError, match="'test'"):
            leaks.exact(hashes, splits, **FEW)
        return
    record, flagged = leaks.exact(hashes, splits, **FEW)
    n = len(clips)
    pairs = [[a, b] for a in range(n) for b in range(a + 1, n) if hashes[a] == hashes[b] and splits[a] != splits[b]]
    assert sorted(record["pairs"]) == pairs
    expected = {row for pair in pairs for row in pair if splits[row] == "test"}
    assert set(np.flatnonzero(flagged)) == expected and record["n_flagged"] == len(expected)
    assert record["share"] == pytest.approx(len(expected) / splits.count("test")) and record["n"] == n


def test_the_interval_and_the_chance():
    hashes = np.arange(100)
    hashes[50:60] = hashes[:10]  # ten copies of what trains, among the 50 that test
    splits = np.repeat(["train", "test"], 50)
    record, _ = leaks.exact(hashes, splits, n_permutations=2000, seed=0)
    assert record["share"] == 0.2 and record["n_test"] == 50
    assert record["ci95"] == pytest.approx([beta.ppf(0.025, 10, 41), beta.ppf(0.975, 11, 40)])
    assert record["chance"] == pytest.approx(10 * (50 / 99) / 50, abs=0.005)  # pairs split by chance, 50/99 each


def test_groups_on_two_sides():
    members = ["bach", "bach", "josquin", None, None, "", "", np.nan, "ryan", "ryan"]
    splits = ["train", "test", "test", "train", "test", "train", "test", "test", "test", "test"]
    record, flagged = leaks.groups(members, splits, **FEW)
    assert record["groups"] == ["bach"] and record["n_groups"] == 3
    assert np.flatnonzero(flagged).tolist() == [1] and record["n_flagged"] == 1
    record, _ = leaks.groups(["a", "a", "b", "b"], ["train", "valid", "test", "test"], **FEW)
    assert record["groups"] == ["a"] and record["n_flagged"] == 0  # no test clip is concerned
    record, _ = leaks.groups([None, None], ["train", "test"], **FEW)
    assert record["groups"] == [] and record["n_groups"] == 0


def planted(n=600, d=24, copies=12, noise=0.01, seed=0):
    """Clips in loose clusters; the last `copies` are the first ones with a little noise, on the other side."""
    rng = np.random.default_rng(seed)
    points = 2 * rng.standard_normal((10, d))[rng.integers(0, 10, n)] + rng.standard_normal((n, d))
    points[n - copies :] = points[:copies] + noise * rng.standard_normal((copies, d))
    return points, np.where(np.arange(n) < n // 2, "train", "test")


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("scale", [1, 1e-4, 1e4])
def test_planted_near_copies_are_found_and_no_other(noise, scale):
    points, splits = planted(noise=noise)
    record, flagged = leaks.near(scale * points, splits, **FEW)
    assert sorted(pair[:2] for pair in record["pairs"]) == [[i, 588 + i] for i in range(12)]
    assert np.flatnonzero(flagged).tolist() == list(range(588, 600)) and record["n_flagged"] == 12
    cosines = [pair[2] for pair in record["pairs"]]
    assert cosines == sorted(cosines, reverse=True) and min(cosines) >= record["threshold"]
    assert record["chance"] == pytest.approx(12 / 600, abs=0.01)  # half of the pairs would be split, 300 clips test


@pytest.mark.parametrize("d", [4, 32, 256])
def test_without_copies_none_is_found(d):
    record, flagged = leaks.near(*planted(d=d, copies=0), **FEW)
    assert not flagged.any() and record["pairs"] == [] and record["share"] == 0.0 and record["ci95"][0] == 0.0
    assert record["threshold"] < 1


def test_a_given_threshold_equals_brute_force():
    points, splits = planted(n=1500)  # more than a block
    record, _ = leaks.near(points, splits, **FEW, threshold=0.95)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    a, b = np.nonzero(np.triu(unit @ unit.T >= 0.95, 1) & (splits[:, None] != splits))
    assert sorted(pair[:2] for pair in record["pairs"]) == np.stack([a, b], axis=1).tolist()
    assert record["threshold"] == 0.95


def test_copies_within_a_side_are_no_leak():
    points, splits = planted()
    splits = np.where(np.arange(600) % 588 < 12, "test", "train")
    record, flagged = leaks.near(points, splits, **FEW)
    assert not flagged.any() and record["pairs"] == [] and record["chance"] > 0


def test_within_a_dataset_the_first_of_its_like_is_kept():
    record, flagged = leaks.exact(["a", "b", "a", "c", "a", "b"], None, **FEW)
    assert flagged.tolist() == [False, False, True, False, True, True]
    assert sorted(record["pairs"]) == [[0, 2], [0, 4], [1, 5]]
    assert (record["n"], record["n_flagged"], record["share"]) == (6, 3, 0.5) and "n_test" not in record
    assert record["ci95"] == pytest.approx([beta.ppf(0.025, 3, 4), beta.ppf(0.975, 4, 3)])
    record, flagged = leaks.groups(["bach", None, "bach", None, "ryan"], None, **FEW)
    assert record["groups"] == ["bach"] and np.flatnonzero(flagged).tolist() == [2] and record["n_groups"] == 2
    points, _ = planted()
    record, flagged = leaks.near(points, None, **FEW)
    assert sorted(pair[:2] for pair in record["pairs"]) == [[i, 588 + i] for i in range(12)]
    assert np.flatnonzero(flagged).tolist() == list(range(588, 600)) and record["n_flagged"] == 12


def test_the_score_with_and_without():
    rng = np.random.default_rng(0)
    flagged = np.arange(400) < 100
    right = np.where(flagged, True, rng.random(400) < 0.6)
    record = leaks.without(right, flagged, 400, 0, labels=np.array(["a", "b"])[(np.arange(400) % 4 > 0).astype(int)])
    assert record["n"] == 400 and record["n_flagged"] == 100
    assert record["all"]["score"] == pytest.approx(right.mean()) and record["flagged"]["score"] == 1.0
    assert record["clean"]["score"] == pytest.approx(right[100:].mean()) and record["clean"]["n"] == 300
    assert record["all"]["majority"] == 0.75
    assert record["gain"] == pytest.approx(right.mean() - right[100:].mean()) and record["gain_ci95"][0] > 0
    low, high = record["clean"]["ci95"]
    error = 1.96 * right[100:].std() / np.sqrt(300)
    assert (high - low) / 2 == pytest.approx(error, rel=0.15)
    none = leaks.without(right, np.zeros(400, bool), 50, 0)
    assert none["flagged"] is None and none["gain"] == 0 and none["gain_ci95"] == [0, 0] and not none["all"]["majority"]
    everything = leaks.without(right, np.ones(400, bool), 50, 0)
    assert everything["clean"] is everything["gain"] is everything["gain_ci95"] is None


def test_degenerate_input():
    points, splits = planted()
    with pytest.raises(ValueError, match="NaN"):
        leaks.near(np.where(points > 3, np.nan, points), splits, **FEW)
    with pytest.raises(ValueError, match="hardly separates"):
        leaks.near(np.ones((600, 3)), splits, **FEW)
    with pytest.raises(ValueError, match="600 clips but 2 splits"):
        leaks.near(points, ["train", "test"], **FEW)
    with pytest.raises(ValueError, match="not \\['train'\\]"):
        leaks.exact([1, 2], ["train", "train"], **FEW)
    with pytest.raises(ValueError, match="one value of both"):
        leaks.without(np.ones(3), np.ones(4), 10, 0)
    with pytest.raises(ValueError, match="two clips"):
        leaks.near_threshold(np.ones((1, 3)))


@pytest.mark.parametrize("copied", [0.0, 0.1, 0.5, 1.0])
def test_copies_are_found_however_many_clips_have_one(copied):
    """100 clips in general position, and a near copy of a share of them; with one of each, every nearest clip is a copy."""
    rng = np.random.default_rng(0)
    originals = rng.standard_normal((100, 20))
    n = round(100 * copied)
    points = np.concatenate([originals, originals[:n] + 0.02 * rng.standard_normal((n, 20))])
    record, flagged = leaks.near(points, None, 0, 0)
    assert [pair[:2] for pair in sorted(record["pairs"])] == [[i, 100 + i] for i in range(n)]
    assert flagged.sum() == n


def test_what_leaks_are_worth_is_of_works():
    """Four clips of each of 30 works, all right or all wrong: the interval is that of 30 works, twice as wide as of 120 clips."""
    rng = np.random.default_rng(0)
    right, works = np.repeat(rng.random(30) < 0.6, 4), np.repeat(np.arange(30), 4)
    flagged = np.repeat(np.arange(30) < 6, 4)
    of_works = leaks.without(right, flagged, 2000, 0, members=works)
    of_clips = leaks.without(right, flagged, 2000, 0)
    assert np.ptp(of_works["all"]["ci95"]) == pytest.approx(2 * np.ptp(of_clips["all"]["ci95"]), rel=0.1)
    assert np.ptp(of_works["gain_ci95"]) > 1.5 * np.ptp(of_clips["gain_ci95"])
