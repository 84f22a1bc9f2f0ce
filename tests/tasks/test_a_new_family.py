"""One folder and one entry add a family: note classification with an SVM on pooled features appears in the recipe, in Dagster,
in the report and in the lineage."""

import json
import shutil
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import PROJECT, copy_project, run_in
from sklearn.metrics import accuracy_score, f1_score
from test_end_to_end import CLI, DUMMY_DATASET, DVC, edit

from pipelines.ops.dvc.freshness import STALE, states

pytestmark = pytest.mark.stage
FAMILY = PROJECT / "tests/tasks/notes_family"
RUN = {"task": "notes", "dataset": "two_notes", "from": "features", "reads": "pooled", "model": "svm", "target": "note"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the family and two of its runs, after `conservatory run` of both."""
    folder = copy_project(tmp_path_factory.mktemp("family") / "project")
    shutil.copytree(FAMILY, folder / "pipelines/tasks/notes", ignore=shutil.ignore_patterns("__pycache__"))
    notes = DUMMY_DATASET.replace('"split": "all"', '"split": ["train", "test", "validation"] * 4')
    (folder / "pipelines/datasets/two_notes.py").write_text(notes)

    def change(document):
        document["datasets"]["two_notes"] = {"module": "two_notes", "imports": "pipelines/core"}
        document["tasks"]["notes"] = {"n_bootstrap": 100, "seed": 2026}
        document["runs"]["notes_svm"] = {**RUN, "seeds": 1}
        document["runs"]["notes_weak"] = {**RUN, "seeds": 2, "C": 0.001}

    edit(folder, change)
    done = run_in(folder, *CLI, "run", "notes_svm", "notes_weak", "-j", "2")
    assert f"Report: {folder / 'reports/pages/task_notes.html'}" in done.stdout
    return folder


def test_it_is_five_files():
    assert len([path for path in FAMILY.rglob("*") if path.is_file() and path.suffix != ".pyc"]) == 5


def test_only_what_a_run_needs_was_run(project):
    lock = (project / "dvc.lock").read_text()
    assert (
        "fit@notes_svm" in lock
        and "train@" not in lock
        and "scores" not in {p.name for p in (project / "data/raw").iterdir()}
    )


def test_scores_are_those_of_scikit_learn(project):
    found = json.loads((project / "reports/scores.json").read_text())["notes"]
    assert set(found) == {"notes_svm", "notes_weak"}
    table = pq.read_table(project / "data/scores/notes_svm/predictions-2026.parquet").to_pandas()
    accuracy, f1 = found["notes_svm"]["accuracy"], found["notes_svm"]["macro F1"]
    assert accuracy["value"] == accuracy_score(table["actual"], table["predicted"]) == 1.0, "880 Hz and 110 Hz differ"
    assert f1["value"] == f1_score(table["actual"], table["predicted"], average="macro")
    assert (accuracy["n"], accuracy["n_groups"], accuracy["split"], accuracy["baseline"]) == (4, 4, "test", 0.5)
    assert accuracy["sd_trainings"] is None and len(found["notes_weak"]["accuracy"]["trainings"]) == 2
    pair = json.loads((project / "reports/differences.json").read_text())["notes"][0]
    assert (pair["a"], pair["b"], pair["n"]) == ("notes_svm", "notes_weak", 4)


def test_the_model_is_kept_without_a_pickle(project):
    with np.load(project / "models/runs/notes_svm/2026/model.npz", allow_pickle=False) as arrays:
        assert set(arrays["classes"]) == {"low", "high"}
    assert (project / "models/runs/notes_weak/2027/model.npz").exists()


def test_it_is_in_the_recipe_and_in_dagster(project):
    shown = run_in(project, *DVC, "dag").stdout
    assert "fit@notes_svm" in shown and "score@notes_svm" in shown and "task_page@notes" in shown
    keys = run_in(
        project,
        sys.executable,
        "-c",
        "from assets.definitions import defs\n"
        "for node in defs.resolve_asset_graph().asset_nodes:\n"
        "    print(node.key.to_user_string(), node.partitions_def and node.partitions_def.get_partition_keys())",
    ).stdout
    for asset in ("fit", "score"):
        assert any(line.startswith(asset) and "notes_svm" in line for line in keys.splitlines()), keys


def test_it_has_a_page_with_its_section(project):
    page = (project / "reports/pages/task_notes.html").read_text()
    assert "How notes are classified" in page and "2 runs were scored" in page
    assert "notes_svm" in page and "macro F1" in page and "baseline" in page


def test_its_figures_walk_back_to_data_and_code(project):
    told = run_in(project, *CLI, "trace", "reports/scores.json#notes.notes_svm.accuracy.value").stdout
    assert "= 1.0" in told and "data/scores/notes_svm" in told and "data/scores/notes_weak" not in told
    told = run_in(project, *CLI, "trace", "models/runs/notes_svm").stdout
    assert "fit@notes_svm" in told and "features@two_notes-pooled" in told and "raw@two_notes" in told


def test_its_card_has_its_scores(project):
    text = run_in(project, *CLI, "trace", "models/runs/notes_svm", "--card", "-").stdout
    assert text.startswith("# notes_svm\n\nA model of the task `notes` (Classify clips by one of their labels")
    assert "| accuracy | 1.000 | [1.000, 1.000] | 0.500 | - |" in text and "Options: target note, C 1.0" in text
    assert "| reports/scores.json#notes.notes_svm.accuracy.value | 1.0000 | 1.0000 to 1.0000 | 4 |" in text


@pytest.mark.parametrize(
    ("file", "kinds"),
    [
        ("section/__init__.py", {"task_page"}),
        ("score/__init__.py", {"score", "task_page"}),
        ("models/svm.py", {"fit", "score", "task_page"}),
        ("fit/__init__.py", {"fit", "score", "task_page"}),
    ],
)
def test_an_edit_reruns_what_uses_the_file(project, file, kinds):
    path = project / "pipelines/tasks/notes" / file
    before = path.read_bytes()
    path.write_bytes(before + b"\n# a remark\n")
    stale = {name.partition("@")[0] for name, state in states(project).items() if state.state == STALE}
    path.write_bytes(before)
    assert stale & {"fit", "score", "features", "task_page"} == kinds


def test_declared_code_is_the_loaded_code(project):
    import yaml

    stages = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    for name, stage in stages.items():
        record = next(out["path"] for out in stage["outs"] if out["path"].startswith("data/records/"))
        code = json.loads((project / record).read_text())["code"]
        declared = {dep["path"] for dep in stage["deps"] if dep["path"].startswith("pipelines/")}
        loaded = {path for path in code if not path.startswith("pipelines/harness/")}
        missing = {path for path in loaded if not any(path == dep or path.startswith(dep + "/") for dep in declared)}
        assert missing == set(), name
