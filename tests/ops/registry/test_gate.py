"""Registering, the gate, promotion and rollback, on a real small project with a real DVC cache."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import small_models as small
import yaml
from helpers import run_in
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.core.files import write_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.ops.registry import cache_references, gate, history, objects, promotion, versions
from pipelines.ops.registry.errors import Incomparable, RegistryError
from pipelines.ops.remotes import local_cache

OPTIONS = small.options()
CHANGES = {  # one after the other, each a commit, a run and a version of `short`
    "first": (),
    "better": (("skill: 2.0", "skill: 3.0"),),
    "worse": (("skill: 3.0", "skill: 0.5"),),
    "larger": (("skill: 0.5", "skill: 2.5"), ("works: 60", "works: 90"), ("shift: 0.0", "shift: 3.0")),
    "smaller": (("works: 90", "works: 50"),),
    "relabelled": (("works: 50", "works: 60"), ('"ab"[work % 2]', '"ab"[(work == 1) ^ work % 2]')),
    "other tags": (('"ab"[(work == 1) ^ work % 2]', '"ac"[work % 2]'),),
}
NUMBER = {name: number for number, name in enumerate(CHANGES, 1)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every change of `CHANGES` as a registered version; nothing is promoted."""
    project = small.finished(tmp_path_factory.mktemp("gate") / "project")
    for changes in CHANGES.values():
        for old, new in changes:
            small.edit(project, old, new, "steps.py" if '"' in old else "params.yaml")
        if changes:
            small.repro(project)
        versions.register(project, "short")
    return project


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def pair(project, champion, challenger):
    return (versions.load(project, "short", NUMBER[name]) for name in (champion, challenger))


def test_a_version_says_what_it_was_made_from(project):
    record = versions.load(project, "short", 1)
    commit = small.git(project, "log", "--reverse", "--format=%H", "--", "dvc.lock").split()[0]
    lock = yaml.safe_load(small.git(project, "show", f"{commit}:dvc.lock"))["stages"]
    assert record["commit"] == commit
    for stage in ("manifest@music", "train@short", "embed@short"):
        for out in lock[stage]["outs"]:
            assert record["hashes"][out["path"]] == out["md5"]
    assert not any(path.startswith("reports") for path in record["hashes"])
    report = json.loads(small.git(project, "show", f"{commit}:reports/scores.json"))["tagging"]["short"]
    assert record["metrics"] == report
    card = (project / "registry/short/1.md").read_text()
    assert card.startswith("# short\n\nof skill 2.0\n") and f"| {report['roc_auc']['value']:.4f} |" in card
    assert all(f"\n## {part}\n" in card for part in ("Intended use", "Data", "Metrics", "Lineage"))


def test_the_same_model_is_registered_once(project):
    before = history.read(project, "short")
    assert versions.register(project, "short", versions.load(project, "short", 2)["commit"]) == (2, False)
    assert history.read(project, "short") == before


def test_scores_are_those_of_scikit_learn(project):
    found = gate.compare(project, *pair(project, "first", "better"), OPTIONS)
    small.git(project, "checkout", "-qf", versions.load(project, "short", 2)["commit"])
    run_in(project, "dvc", "checkout", "-q")
    manifest = pd.read_parquet(project / "data/manifests/music.parquet").query("split == 'test'")
    table = pd.read_parquet(project / "data/predictions/tagging/music/short.parquet").set_index("clip_id")
    scores = np.stack(table.loc[manifest["clip_id"], "scores"].to_list())
    truth = np.array([[tag in tags for tag in ("mode:minor", "style:a", "style:b")] for tags in manifest["tags"]])
    assert found["metrics"]["roc_auc"]["challenger"] == pytest.approx(roc_auc_score(truth, scores, average="macro"))
    assert found["metrics"]["pr_auc"]["challenger"] == pytest.approx(
        average_precision_score(truth, scores, average="macro")
    )
    assert found["test_set"]["n"] == len(manifest) and found["test_set"]["n_groups"] == manifest["group"].nunique()


def test_a_model_is_not_worse_than_itself(project):
    found = gate.compare(project, *pair(project, "first", "first"), OPTIONS)
    assert all(
        m["difference"] == 0 and m["difference_ci95"] == [0, 0] and m["holds"] for m in found["metrics"].values()
    )
    assert found["drift"]["psi"]["max"] == 0 and found["drift"]["clips_new"] == 0


def test_the_margin_is_what_the_lower_end_is_held_against(project):
    found = gate.compare(project, *pair(project, "better", "first"), OPTIONS)["metrics"]["roc_auc"]
    low = found["difference_ci95"][0]
    assert low < found["difference"] < 0
    for margin, holds in ((-low + 1e-9, True), (-low - 1e-9, False)):
        options = {**OPTIONS, "margins": {"roc_auc": margin}}
        comparison = gate.compare(project, *pair(project, "better", "first"), options)
        assert comparison["metrics"]["roc_auc"]["holds"] == holds == gate.decide(comparison)[0]


def test_promoted_refused_and_rolled_back(project):
    first = promotion.promote(project, "short", 1, OPTIONS)
    assert first["event"] == "promoted" and "first version" in first["reason"]
    better = promotion.promote(project, "short", 2, OPTIONS)
    assert better["event"] == "promoted" and better["replaces"] == 1
    assert set(better["comparison"]["metrics"]) == {"roc_auc", "pr_auc", "knn_probe_style"}
    worse = promotion.promote(project, "short", 3, OPTIONS)
    assert worse["event"] == "refused" and worse["champion"] == 2 and "roc_auc" in worse["reason"]
    events = history.read(project, "short")
    assert events[-1] == worse and {v: s for v, s in history.stages(events).items() if v < 4} == {
        1: "retired",
        2: "champion",
        3: "retired",
    }
    for version, word in (
        (2, "champion already"),
        (3, "retired: worse than version 2"),
        (99, "no version 99; it has 1, 2"),
    ):
        with pytest.raises(RegistryError, match=word):
            promotion.promote(project, "short", version, OPTIONS)
    with pytest.raises(RegistryError, match="was never champion"):
        promotion.rollback(project, "short", "it hums", to=3)
    assert promotion.rollback(project, "short", "it hums")["version"] == 1
    with pytest.raises(RegistryError, match="nothing to roll back to"):
        promotion.rollback(project, "short", "it hums still")
    assert promotion.rollback(project, "short", "it does not hum", to=2)["replaces"] == 1


def test_nobody_goes_back_to_a_model_that_is_spoilt_gone_or_purged(project):
    for version in (1, 2):
        promotion.promote(project, "short", version, OPTIONS)
    before = history.read(project, "short")
    folder = versions.load(project, "short", 1)["hashes"]["models/tagging/short"]
    path, md5 = sorted(objects.listing(project, folder, "models/tagging/short").items())[0]
    file = objects.find(project, md5, path)
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content + b"x")
    with pytest.raises(RegistryError, match=rf"models/tagging/short/{path} .* is damaged in DVC's cache"):
        promotion.rollback(project, "short", "it hums")
    file.unlink()
    with pytest.raises(RegistryError, match="not in DVC's cache"):
        promotion.rollback(project, "short", "it hums")
    file.write_bytes(content)
    write_json(project / cache_references.PURGED, {md5: path})
    with pytest.raises(RegistryError, match=r"version 1 of short was purged because .* withdrawn"):
        promotion.rollback(project, "short", "it hums")
    assert history.read(project, "short") == before
    (project / cache_references.PURGED).unlink()
    assert promotion.rollback(project, "short", "it hums")["version"] == 1


def test_new_clips_are_left_aside_and_drift_is_told(project):
    found = gate.compare(project, *pair(project, "first", "larger"), OPTIONS)
    first = gate.compare(project, *pair(project, "first", "first"), OPTIONS)
    assert found["test_set"] | {"left_aside": 0} == first["test_set"]
    assert found["test_set"]["left_aside"] == 24
    drift = found["drift"]
    assert drift["clips_new"] == 24 and drift["psi"]["n_shifted"] == 3 and drift["mmd"]["p"] < 0.05


@pytest.mark.parametrize(
    ("challenger", "words"),
    [
        ("smaller", "8 of the 48 test clips of version 1 are not test clips of version 5"),
        ("relabelled", r"labels or groups of 2 of 48 clips have changed \(0000000000000002"),
        ("other tags", r"different tags \(style:b, style:c\)"),
    ],
)
def test_other_test_sets_are_refused_and_nothing_changes(project, challenger, words):
    promotion.promote(project, "short", 1, OPTIONS)
    before = history.read(project, "short")
    with pytest.raises(Incomparable, match=rf"{words}(.|\n)*nothing was promoted.*--no-gate"):
        promotion.promote(project, "short", NUMBER[challenger], OPTIONS)
    assert history.read(project, "short") == before
    with pytest.raises(RegistryError, match="a reason is required"):
        promotion.promote(project, "short", NUMBER[challenger], OPTIONS, gated=False)
    event = promotion.promote(project, "short", NUMBER[challenger], OPTIONS, "another test set is meant", gated=False)
    assert event["event"] == "promoted" and "another test set" in event["reason"]


def other_groups(project, record, groups):
    """The version with a manifest in which the clips of these splits are of these works."""
    work = "data/manifests/music.parquet"
    manifest = pd.read_parquet(gate.objects.file(project, record["hashes"], work))
    for split, group in groups.items():
        manifest.loc[manifest["split"] == split, "group"] = group
    write_table(manifest, project / "leak", MANIFEST)
    md5 = local_cache.digest(project / "leak")
    (project / f".dvc/cache/files/md5/{md5[:2]}").mkdir(exist_ok=True)
    (project / "leak").rename(project / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}")
    return {**record, "hashes": {**record["hashes"], work: md5}}


def test_on_a_test_set_of_one_work_nothing_is_decided(project):
    both = (other_groups(project, version, {"test": "work1"}) for version in pair(project, "first", "first"))
    comparison = gate.compare(project, *both, OPTIONS)
    assert comparison["metrics"] == {} and comparison["test_set"]["n_groups"] == 1
    with pytest.raises(Incomparable, match="fewer than 4 groups"):
        gate.decide(comparison)


def test_what_was_heard_is_no_test(project):
    champion, challenger = pair(project, "first", "first")
    trained, chosen = "was trained on clips of works .* in the test set", "was selected on .validation. clips of works"
    # the same test clips, but a work of theirs is heard too: by the champion, by the challenger, and is that refused?
    for before, after, words in (
        ({}, {"train": "work1"}, trained),
        ({}, {"validation": "work1"}, chosen),
        ({"validation": "work1"}, {"train": "work1"}, trained),
        ({"train": "work4"}, {"validation": "work1"}, chosen),
        ({"train": "work1"}, {"train": "work1"}, ""),
        ({"validation": "work1"}, {"validation": "work1"}, ""),
        ({"train": "work1"}, {"validation": "work1"}, ""),
    ):
        both = other_groups(project, champion, before), other_groups(project, challenger, after)
        if words:
            with pytest.raises(Incomparable, match=rf"{words}(.|\n)*\(work1\)"):
                gate.compare(project, *both, OPTIONS)
        else:
            gate.compare(project, *both, OPTIONS)


def test_drift_that_cannot_be_measured_says_which_clips_lack_features(project):
    champion, challenger = pair(project, "first", "larger")
    pooled = "data/features/music/pooled"
    stale = {**challenger, "hashes": {**challenger["hashes"], pooled: champion["hashes"][pooled]}}
    why = gate.compare(project, champion, stale, OPTIONS)["drift"]["none"]
    assert (
        why.startswith(f"{pooled} of version 4 lacks 24 of its 72 training clips (")
        and "made before they were added" in why
    )


def test_bytes_come_from_the_remote_or_are_named(project, tmp_path):
    record = versions.load(project, "short", 1)
    md5 = record["hashes"]["data/predictions/tagging/music/short.parquet"]
    cached = project / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
    kept = cached.read_bytes()
    cached.unlink()
    with pytest.raises(RegistryError, match=rf"short.parquet \({md5}\) is not in DVC's cache.*no default remote"):
        gate.compare(project, *pair(project, "first", "better"), OPTIONS)
    gate.objects._store.cache_clear()
    run_in(project, "dvc", "remote", "add", "-q", "-d", "shelf", str(tmp_path / "shelf"))
    with pytest.raises(RegistryError, match="the remote"):
        gate.compare(project, *pair(project, "first", "better"), OPTIONS)
    shelf = tmp_path / "shelf/files/md5" / md5[:2] / md5[2:]
    shelf.parent.mkdir(parents=True)
    shelf.write_bytes(kept)
    gate.objects._store.cache_clear()
    gate.compare(project, *pair(project, "first", "better"), OPTIONS)
    assert cached.read_bytes() == kept


def test_the_commands_and_what_they_leave_of_the_users_changes(project):
    small.git(project, "checkout", "-q", "--", ".")
    (project / "staged.txt").write_text("mine")
    small.git(project, "add", "staged.txt")
    small.edit(project, "n_bootstrap: 200", "n_bootstrap: 100")
    assert "version 1 promoted" in small.conservatory(project, "models", "promote", "short", "1").stdout
    refused = small.conservatory(project, "models", "promote", "short", "3", check=False)
    assert refused.returncode == 1 and "FAILED" in refused.stdout and "version 3 refused" in refused.stdout
    told = small.git(project, "log", "--format=%s", "-2").splitlines()
    assert told == ["Registry: short 3 refused", "Registry: short 1 promoted"]
    changed = small.git(project, "show", "--name-only", "--format=", "HEAD").split()
    assert changed == ["registry/short/history.jsonl"]
    assert small.git(project, "diff", "--name-only", "--cached") == "staged.txt"
    assert small.git(project, "diff", "--name-only") == "params.yaml"
    listed = small.conservatory(project, "models", "list").stdout
    assert "1  champion" in listed and "3  retired" in listed and "4  challenger" in listed
    machine = json.loads(small.conservatory(project, "models", "list", "short", "--json").stdout)["short"]
    assert [v["stage"] for v in machine["versions"]][:3] == ["champion", "challenger", "retired"]
    assert "would promote version 2" in small.conservatory(project, "models", "compare", "short", "1", "2").stdout
    nothing = small.conservatory(project, "models", "compare", "long", "1", "2", check=False)
    assert nothing.returncode == 2 and "no model 'long' is registered; registered models: short" in nothing.stderr
    small.git(project, "checkout", "-q", "--detach")
    detached = small.conservatory(project, "models", "promote", "short", "2").stdout
    assert "written but not committed (no branch is checked out)" in detached


def test_what_cannot_be_registered_is_said(project, tmp_path):
    for arguments, words in (
        (("long",), "has no models/tagging/long; it has short"),
        (("short", "--revision", "nowhere"), "git has no revision 'nowhere'"),
    ):
        done = small.conservatory(project, "models", "register", *arguments, check=False)
        assert done.returncode == 2 and words in done.stderr
    small.edit(project, "pr_auc: 0.1", "f1: 0.1")
    done = small.conservatory(project, "models", "promote", "short", "1", check=False)
    assert (
        done.returncode
        and "registry.margins.f1 in params.yaml is not known: there is roc_auc, pr_auc, probe" in done.stderr
    )
    small.edit(project, "f1: 0.1", "pr_auc: 0.1")
    shutil.rmtree(project / ".git")
    done = small.conservatory(project, "models", "register", check=False)
    assert done.returncode == 2 and "is not in git" in done.stderr
