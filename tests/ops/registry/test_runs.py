"""Runs of any family in the registry: a version, its gate, and a retraining's decision, on a real small project."""

import shutil

import pytest
import small_models as small

from pipelines.ops.registry import gate, history, retrain, versions
from pipelines.ops.registry.errors import Incomparable, RegistryError

RECIPE = """
stages:
  fit:
    foreach: ${runs}
    do:
      cmd: python steps.py fit ${key}
      params: ["runs.${key}"]
      outs: ["models/runs/${key}"]
  score:
    foreach: ${runs}
    do:
      cmd: python steps.py score ${key}
      params: [tasks]
      deps: ["models/runs/${key}"]
      outs: ["data/scores/${key}"]
  compare:
    cmd: python steps.py compare
    params: [runs]
    deps: [data/scores]
    outs: [{reports/scores.json: {cache: false}}]
"""
PARAMS = """
taggers: {}
tasks:
  notes: {n_bootstrap: 300, seed: 1}
runs:
  svm: {task: notes, n_right: 70, n: 100}
training: {dataset: music, leave_out: {}, seed: 1}
registry:
  margins: {roc_auc: 0.05}
  task_margins: {notes: 0.08}
  drift: {bins: 5, max_clips: 100, n_permutations: 50, seed: 1}
  n_bootstrap: 200
  seed: 1
"""
STEPS = """
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from pipelines.core.files import read_json, write_json
from pipelines.metrics import scores

stage, name = sys.argv[1], sys.argv[-1]
settings = yaml.safe_load(open("params.yaml"))
if stage == "fit":
    entry = settings["runs"][name]
    write_json(f"models/runs/{name}/config.json", {"task": "notes", "dataset": "music", **entry})
elif stage == "score":
    config, shared = read_json(f"models/runs/{name}/config.json"), settings["tasks"]["notes"]
    n = config["n"]
    unit, actual = np.array([f"clip{i:03d}" for i in range(n)]), np.array(["a", "b"])[np.arange(n) % 2]
    def answers(right):
        return {"unit": unit, "group": unit, "actual": actual, "predicted": np.where(right, actual, "neither")}
    rank = np.random.default_rng(0).permutation(n)
    metric = scores.Metric(lambda c: float(np.mean(c["actual"] == c["predicted"])))
    if config.get("error"):
        metric = scores.Metric(lambda c: float(np.mean(c["actual"] != c["predicted"])), higher_is_better=False)
    one, base = answers(rank < config["n_right"]), answers(rank < n // 2)
    found, drawn = scores.score({"accuracy": metric}, [one], base, "test", shared["n_bootstrap"], shared["seed"])
    folder = Path("data/scores") / name
    about = {"task": "notes", "dataset": "music", "fingerprint": scores.fingerprint(one), "draws": shared, "lead": "accuracy"}
    write_json(folder / "about.json", about)
    write_json(folder / "scores.json", found)
    pq.write_table(pa.table(drawn), folder / "resampled.parquet")
else:
    names = list(settings["runs"])
    write_json("reports/scores.json", {"notes": {each: read_json(f"data/scores/{each}/scores.json") for each in names}})
"""
OPTIONS = {"task_margins": {"notes": 0.08}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    project = small.create(tmp_path_factory.mktemp("runs") / "project")
    for name, text in {"dvc.yaml": RECIPE, "params.yaml": PARAMS, "steps.py": STEPS}.items():
        (project / name).write_text(text.lstrip("\n"))
    small.repro(project)
    versions.register(project, "svm")
    return project


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def next_version(project, *changes):
    for old, new in changes:
        small.edit(project, old, new)
    small.repro(project)
    return versions.register(project, "svm")[0]


def compared(project, version):
    return gate.compare(project, versions.load(project, "svm", 1), versions.load(project, "svm", version), OPTIONS)


def test_a_version_of_a_run_has_its_scores_and_what_it_was_made_from(project):
    record = versions.load(project, "svm", 1)
    assert record["task"] == "notes" and record["stage"] == "fit@svm" and record["params"]["runs.svm"]["n_right"] == 70
    assert record["metrics"]["accuracy"]["value"] == 0.7 and record["metrics"]["accuracy"]["n"] == 100
    assert {"models/runs/svm", "data/scores/svm"} <= set(record["hashes"])
    assert versions.register(project, "svm") == (1, False), "the same model is registered once"
    versions.export(project, record, project / "taken")
    assert (project / "taken/config.json").read_bytes() == (project / "models/runs/svm/config.json").read_bytes()


def test_the_gate_passes_what_is_not_worse_and_refuses_what_may_be(project):
    better, worse = (
        next_version(project, ("n_right: 70", "n_right: 72")),
        next_version(project, ("n_right: 72", "n_right: 60")),
    )
    found = compared(project, better)
    assert found["metrics"]["accuracy"]["difference"] == pytest.approx(0.02) and gate.decide(found)[0]
    found = compared(project, worse)
    passed, why = gate.decide(found)
    assert not passed and "accuracy 0.6000 against 0.7000" in why


def test_of_an_error_more_is_worse(project):
    next_version(project, ("task: notes, n_right: 70", "task: notes, error: true, n_right: 70"))
    champion = versions.load(project, "svm", 2)
    worse = versions.load(project, "svm", next_version(project, ("n_right: 70", "n_right: 60")))
    better = versions.load(project, "svm", next_version(project, ("n_right: 60", "n_right: 80")))
    decisions = [gate.decide(gate.compare(project, champion, each, OPTIONS))[0] for each in (worse, better)]
    assert decisions == [False, True]


def test_other_units_or_draws_are_not_comparable(project):
    more = next_version(project, ("n: 100", "n: 120"))
    with pytest.raises(Incomparable, match="different test sets"):
        compared(project, more)
    drawn = next_version(
        project, ("n: 120", "n: 100"), ("n_bootstrap: 300", "n_bootstrap: 400"), ("n_right: 70", "n_right: 71")
    )
    with pytest.raises(Incomparable, match="bootstrap draws"):
        compared(project, drawn)


def test_without_a_margin_the_message_says_where_to_write_it(project):
    second = next_version(project, ("n_right: 70", "n_right: 72"))
    with pytest.raises(RegistryError, match=r"registry\.task_margins in params\.yaml has no notes"):
        gate.compare(project, *(versions.load(project, "svm", v) for v in (1, second)), {"task_margins": {}})


def test_a_retraining_decides_on_runs(project):
    commit = small.git(project, "rev-parse", "HEAD")
    options = {"task_margins": {"notes": 0.08}, "margins": {}}
    assert retrain.judge(project, ["svm"], commit, options, "test")["svm"]["event"] == "promoted"
    small.edit(project, "n_right: 70", "n_right: 50")
    small.repro(project)
    decided = retrain.judge(project, ["svm"], small.git(project, "rev-parse", "HEAD"), options, "test")
    assert decided["svm"]["event"] == "refused" and history.champion(history.read(project, "svm")) == 1
