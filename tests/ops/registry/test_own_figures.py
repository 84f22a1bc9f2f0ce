"""A version carries its own figures: after a retraining that ran some stages only, the other reports are of another model."""

import pytest
import small_models as small

from pipelines import recipe
from pipelines.ops.registry import history, retrain, versions

SKILL = "taggers.short.skill"
STUDY = """  study:
    cmd: python study.py
    deps: [study.py, data/embeddings/music]
    outs: [data/study/music]
  metrics:
    cmd: cp data/study/music/study.json reports/study.json
    deps: [data/study, reports/scores.json]
    outs: [{reports/study.json: {cache: false}}]
"""
STUDY_CODE = """
import hashlib, json
from pathlib import Path

folder = Path("data/study/music")
folder.mkdir(parents=True)
digest = hashlib.md5(Path("data/embeddings/music/short.parquet").read_bytes()).digest()
probe = {"n": 9, "accuracy": digest[0] / 256, "accuracy_ci95": [0.0, 1.0]}
(folder / "study.json").write_text(json.dumps({"music": {"targets": {"style": {"probes": {"knn": {"short": probe}}}}}}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = small.create(tmp_path_factory.mktemp("figures") / "project")
    (project / "dvc.yaml").write_text((project / "dvc.yaml").read_text() + STUDY)
    (project / "study.py").write_text(STUDY_CODE)
    retrain.judge(project, ["short"], small.repro(project), small.options(), "first")
    return project


@pytest.mark.system
def test_what_other_stages_made_of_the_champion_is_no_figure_of_the_challenger(project):
    first = versions.load(project, "short", 1)
    assert set(first["metrics"]) == {"roc_auc", "pr_auc", "knn_probe_style"}
    small.conservatory(project, "retrain", "--set", f"{SKILL}=3.0", "--stage", "tagging")
    partial = versions.load(project, "short", 2)
    assert set(partial["metrics"]) == {"roc_auc", "pr_auc"}
    assert partial["metrics"]["roc_auc"] != first["metrics"]["roc_auc"]
    small.conservatory(project, "retrain", "--set", f"{SKILL}=3.5")
    whole = versions.load(project, "short", 3)["metrics"]
    assert set(whole) == set(first["metrics"]) and whole["knn_probe_style"] != first["metrics"]["knn_probe_style"]


@pytest.mark.system
def test_the_card_says_which_report_is_of_another_model(project):
    small.conservatory(project, "retrain", "--set", f"{SKILL}=4.0", "--stage", "embed@short")
    version = max(history.stages(history.read(project, "short")))
    assert versions.load(project, "short", version)["metrics"] == {}
    card = (project / f"registry/short/{version}.md").read_text()
    assert "the figures of reports/scores.json. By dvc.lock they are of another model" in card
    assert "reports/scores.json#" not in card
    assert "Left out" not in (project / "registry/short/1.md").read_text()


LISTINGS = {"m.dir": {"a.bin": "1"}, "n.dir": {"b.bin": "2"}}


def stage(deps, outs):
    return {
        "cmd": "x",
        **{
            key: [{"path": path, "md5": md5} for path, md5 in each.items()]
            for key, each in (("deps", deps), ("outs", outs))
        },
    }


def test_made_from_by_hand():
    both = recipe.folder_hash({"one/a.bin": "1", "two/b.bin": "2"})
    stages = {
        "one": stage({"music": "0"}, {"models/one": "m.dir"}),
        "two": stage({"music": "0"}, {"models/two": "n.dir"}),
        "score": stage({"models": both, "models/one/a.bin": "1"}, {"scores": "3"}),
        "report": stage({"scores": "3", "music": "another"}, {"report": "4"}),
        "alone": stage({"music": "0"}, {"other": "5"}),
    }

    def made(change=None, path="report", listings=LISTINGS):
        graph = recipe.Graph({**stages, **(change or {})})
        return graph.made_from(path, "models/one", lambda md5: listings.get(md5, {}))

    assert made() and made(path="models/one")
    assert not made({"one": stage({"music": "0"}, {"models/one": "n.dir"})})
    assert not made({"score": stage({"models": "9.dir"}, {"scores": "3"})})
    assert not made({"score": stage({"models/one/a.bin": "9"}, {"scores": "3"})})
    assert not made({"report": stage({"scores": "9"}, {"report": "4"})})
    assert not made(path="other") and not made(path="nothing") and not made(listings={})
