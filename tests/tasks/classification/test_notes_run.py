"""A small run of the family in a copied project: from rendered notes to the page, once honestly and once with a leaky split."""

import json
import sys

import pyarrow.parquet as pq
import pytest
from helpers import copy_project, run_in
from sklearn.metrics import accuracy_score
from test_end_to_end import CLI, edit

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project after `conservatory run` of two runs on 252 notes; half a minute on purpose, the family's only whole run."""
    folder = copy_project(tmp_path_factory.mktemp("notes") / "project")

    def change(document):
        # three neighbouring keys: the next key of a program is almost the same sound
        document["datasets"]["few_notes"] = {
            **{"module": "notes", "imports": "pipelines/symbolic", "lowest": 60, "highest": 62, "step": 1},
            **{"velocities": [100], "duration_s": 1.2, "sample_rate": 16_000, "seed": 2026, "silence_dbfs": -60.0},
            "split": {"train": 0.6, "validation": 0.15, "test": 0.25},
        }
        document["tasks"]["classification"] = {"n_bootstrap": 100, "seed": 2026}
        entry = {
            "task": "classification",
            "dataset": "few_notes",
            "from": "features",
            "reads": "pooled",
            "target": "family",
        }
        fixed = {"model": "knn", "seeds": 1, "parameters": {"n_neighbors": 1, "weights": "uniform"}}
        document["runs"]["honest"] = {**entry, **fixed, "learning_curve": [0.3, 1.0]}
        document["runs"]["leaky"] = {**entry, **fixed, "split": "random"}

    edit(folder, change)
    run_in(folder, *CLI, "run", "honest", "leaky")
    return folder


def test_the_leaky_split_looks_better_and_a_guard_says_so(project):
    found = json.loads((project / "reports/scores.json").read_text())["classification"]
    assert next(iter(found["honest"])) == "macro_f1"
    honest, leaky = (found[name]["accuracy"]["value"] for name in ("honest", "leaky"))
    assert leaky > honest + 0.2
    records = {name: json.loads((project / f"data/records/score/{name}.json").read_text()) for name in found}
    guard = "guards: no group on two sides"
    assert records["honest"]["checks"][guard]["passed"] and records["leaky"]["checks"][guard]["passed"] is False
    assert records["honest"]["checks"]["guards: preparation saw training clips only"]["passed"]
    assert records["honest"]["checks"]["guards: no recording on two sides"]["passed"]


def test_scores_are_those_of_the_predictions(project):
    table = pq.read_table(project / "data/scores/honest/predictions-2026.parquet").to_pandas()
    found = json.loads((project / "reports/scores.json").read_text())["classification"]["honest"]["accuracy"]
    assert found["value"] == pytest.approx(accuracy_score(table["actual"], table["predicted"])) and found["n"] == len(
        table
    )
    details = json.loads((project / "data/scores/honest/details.json").read_text())
    assert sum(map(sum, details["confusion"]["counts"])) == len(table)


def test_the_page_shows_both(project):
    page = (project / "reports/pages/task_classification.html").read_text()
    assert "Class by class" in page and "clips of one group stand on both sides" in page
    assert "synth_lead" in page and "The most frequent confusions" in page and "Calibration" in page
    assert "How far a score carries" in page and "clips at random, so that groups stand on both sides" in page
    assert "What the model listens to" in page and "zero crossing rate" in page and "Learning curve" in page
    assert page.count('class="hear"') > 10 and "predicted as bass: " in page


def test_dagster_reads_the_guards(project):
    code = (
        "from pathlib import Path\n"
        "from assets import checks, recipe\n"
        "for found in checks.evaluations(Path(), recipe.load(Path())['score']):\n"
        "    print(found.check_name, found.passed)\n"
    )
    assert "guards False" in run_in(project, sys.executable, "-c", code).stdout
