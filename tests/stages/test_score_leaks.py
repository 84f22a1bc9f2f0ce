"""A score without the test units whose group was trained on."""

import numpy as np
import pandas as pd
import pytest

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.metrics.scores import Metric
from pipelines.stages import score
from pipelines.tasks import Run

SIDES = ["train"] * 4 + ["test"] * 12
GROUPS = ["a", "b", "c", "d", "a", "a", "b", "e", "f", "g", "h", "e", "f", "i", "j", "k"]


class Family:
    """Units of the groups above: those of a and b, which are leaked, are right, and of the others every third."""

    right = np.array([1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0])

    def __init__(self, groups):
        self.METRICS = {
            "accuracy": Metric(lambda columns: columns["right"].mean()),
            "error": Metric(lambda columns: 1 - columns["right"].mean()),
        }
        self.columns = {"unit": np.arange(12).astype(str), "group": np.array(groups)}

    def predict(self, run, folder):
        return self.columns | {"right": self.right}

    def baseline(self, run):
        return self.columns | {"right": np.zeros(12)}


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """A function: groups in the manifest, groups of the scored units -> scores.json."""
    monkeypatch.chdir(tmp_path)
    entry = Run("r", "t", "d", "m", tmp_path, ((1, tmp_path / "model"),), shared={"n_bootstrap": 200, "seed": 1})
    monkeypatch.setattr(score.tasks, "run", lambda settings, name: entry)
    monkeypatch.setattr(score.params, "read", dict)
    monkeypatch.setattr(score, "digest", lambda folder: "0")

    def run(in_manifest, of_units):
        monkeypatch.setattr(score.tasks, "part", lambda task, name: Family(of_units))
        about = {
            "sample_rate": 1,
            "channels": 1,
            "n_bytes": 1,
            "duration_s": 1.0,
            "duplicate_of": None,
            "tags": [[]] * 16,
        }
        clips = pd.DataFrame({"split": SIDES, "group": in_manifest} | about)
        for name in ("clip_id", "path", "title", "sha256", "source", "licence"):
            clips[name] = [f"{name} {n}" for n in range(16)]
        types = {"sample_rate": "int32", "channels": "int32"}
        write_table(clips[MANIFEST.names].astype(types), paths.manifest("d"), MANIFEST)
        score.main("r")
        return read_json(paths.scores("r") / "scores.json")

    return run


def test_a_leaky_split_has_a_second_score_without_the_leaked_groups(scored):
    found = scored(GROUPS, GROUPS[4:])
    assert list(found) == ["accuracy", "error", "accuracy_without_leaked"]
    assert found["accuracy"]["value"] == 6 / 12 and found["accuracy"]["n"] == 12
    clean = found["accuracy_without_leaked"]
    assert clean["value"] == pytest.approx(3 / 9) and clean["n"] == 9 and clean["n_groups"] == 7
    assert clean["baseline"] == 0 and clean["split"] == "test without leaked groups"
    assert clean["ci95"][0] <= 3 / 9 <= clean["ci95"][1]


@pytest.mark.parametrize(
    "in_manifest, of_units",
    [
        (["w", "x", "y", "z", *GROUPS[4:]], GROUPS[4:]),  # no group is on both sides
        (GROUPS, [*GROUPS[4:15], "c"]),  # the run tests on what the manifest trains on: its split is another
        (["a"] * 16, ["a"] * 12),  # nothing is left
    ],
)
def test_no_second_score_where_it_would_say_nothing(scored, in_manifest, of_units):
    assert list(scored(in_manifest, of_units)) == ["accuracy", "error"]
