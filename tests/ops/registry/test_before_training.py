"""What a retraining looks at before it trains, what it runs besides what was named, and what it says of who works on it."""

import shutil
import signal
from pathlib import Path

import psutil
import pytest
import small_models as small
import yaml

from pipelines.ops.patches import config
from pipelines.ops.registry import history, overrides, retrain, settings, worktree
from pipelines.ops.registry.errors import RegistryError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A champion; no training reads the features on which drift is measured."""
    project = small.create(tmp_path_factory.mktemp("before") / "project")
    small.edit(project, "data/features/music/pooled, data/audio", "data/audio", "dvc.yaml")
    retrain.judge(project, ["short"], small.repro(project), small.options(), "first")
    return project


@pytest.fixture
def project(made, tmp_path):
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


WRONG = {
    "[1]": "registry in params.yaml is",
    "{margins: [1]}": "registry.margins in params.yaml is [1], and must be a table",
    "{margins: high}": "registry.margins in params.yaml is 'high', and must be a table",
    "{margins: {roc_auc: high}}": "registry.margins.roc_auc in params.yaml is 'high'",
    "{probe: foo}": "registry.probe in params.yaml is 'foo', and must be linear or knn",
    "{probe: [knn]}": "registry.probe in params.yaml is ['knn']",
    "{drift: 5}": "registry.drift in params.yaml is 5, and must be a table",
    "{drift: {bins: 10}}": "registry.drift.max_clips is missing in params.yaml, and must be a whole number",
    "{drift: {bins: 10, max_clips: 9, n_permutations: 9, seed: 1, bin: 1}}": "registry.drift.bin in params.yaml is not known",
    "{n_bootstrap: 0}": "registry.n_bootstrap in params.yaml is 0, and must be a whole number, 1 or more",
    "{seed: x}": "registry.seed in params.yaml is 'x'",
}


@pytest.mark.parametrize("change", WRONG)
def test_settings_that_the_gate_could_not_go_by(change):
    given = yaml.safe_load(change)
    found = {**small.options(), **given} if isinstance(given, dict) else given
    with pytest.raises(RegistryError) as error:
        settings.options({"registry": found})
    assert WRONG[change] in str(error.value)


def test_they_are_looked_at_before_anything_is_trained(project):
    before = small.git(project, "for-each-ref")
    with pytest.raises(RegistryError, match=r"registry.probe in params.yaml is 'foo'"):
        retrain.begin(project, "HEAD", ["registry.probe=foo", "taggers.short.skill=3.0"], [])
    assert worktree.waiting(project) == [] and small.git(project, "for-each-ref") == before
    # one that was begun before that was looked at
    plan = {"changes": ["registry.drift={bins: 10}", "taggers.short.skill=3.0"], "stages": []}
    path = worktree.create(project, "a", "HEAD", plan)
    with pytest.raises(RegistryError, match=r"registry.drift.max_clips is missing in params.yaml"):
        retrain.resume(project, "a")
    assert not (path / "models").exists()


@pytest.mark.parametrize(
    ("changes", "stages", "said"),
    [
        ([], ["tagging", "nosuchstage"], r"no stage 'nosuchstage'; known stages: manifest, features, train, "),
        ([], [""], "no stage ''"),
        ([], ["train@shrot"], "no stage 'train@shrot'; known stages: train@short$"),
        (["training.seed=abc"], [], "training.seed must be a number, as in params.yaml"),
        (["training.dataset=mine"], [], "training.dataset in params.yaml is 'mine'"),
        (["taggers.short.recipe=slow"], [], "taggers.short.recipe"),
        (["taggers={}"], ["train@short"], "no stage 'train@short'"),
    ],
)
def test_a_stage_or_value_that_there_is_not_is_refused_and_leaves_nothing(project, changes, stages, said):
    before = small.git(project, "for-each-ref")
    with pytest.raises(RegistryError, match=said):
        retrain.begin(project, "HEAD", changes, stages)
    assert worktree.waiting(project) == [] and small.git(project, "for-each-ref") == before
    assert small.git(project, "worktree", "list").count("\n") == 0


def test_it_is_a_sentence_and_one_begun_before_can_only_be_given_up(project):
    done = small.conservatory(project, "retrain", "--stage", "nosuchstage", check=False)
    assert done.returncode == 2 and "no stage 'nosuchstage'" in done.stderr and "Traceback" not in done.stderr
    assert "Retraining" not in done.stdout and worktree.waiting(project) == []
    worktree.create(project, "a", "HEAD", {"changes": [], "stages": ["nosuchstage"]})
    with pytest.raises(RegistryError, match="nosuchstage.*conservatory retrain --clean"):
        retrain.resume(project, "a")
    overrides.check(project, ["tagging", "train", "train@short", "manifest@music"])


def test_a_commit_without_the_remote_of_config_local_can_be_trained_from(project):
    small.git(project, "checkout", "-qb", "shelf")
    for file, line in (("config", "url = ssh://host/shelf"), ("config.local", "keyfile = /k")):
        with (project / ".dvc" / file).open("a") as settings:
            settings.write(f"['remote \"shelf\"']\n    {line}\n")
    small.commit(project, "a remote")
    with worktree.held(project, "a"):
        path = worktree.create(project, "a", "main", {"changes": [], "stages": []})
    remote = config.read(path)["remote"]["shelf"]
    assert remote["url"] == "ssh://host/shelf" and remote["keyfile"] == "/k"


@pytest.mark.system
def test_what_drift_is_measured_on_is_brought_up_to_date_too(project):
    small.conservatory(project, "retrain", "--stage", "tagging", "--set", "datasets.music.works=65")
    drift = history.read(project, "short")[-1]["comparison"]["drift"]
    assert drift["clips_new"] == 4 and drift["n_present"] == drift["n_reference"] + 4


def test_a_stage_that_the_recipe_has_no_more_is_not_run_for_drift(project):
    plan = {"stages": ["tagging"]}
    assert retrain._wanted(project, plan) == ["tagging", "features@music"]
    assert retrain._wanted(project, {"stages": []}) == []
    text = (project / "dvc.yaml").read_text()
    begin, end = text.index("  features:\n"), text.index("  train:\n")
    (project / "dvc.yaml").write_text(text[:begin] + text[end:])
    assert retrain._wanted(project, plan) == ["tagging"]
    (project / "dvc.yaml").write_text("stages: [")
    assert retrain._wanted(project, plan) == ["tagging"]


@pytest.mark.fault
@pytest.mark.cold
def test_who_works_on_it_is_named_and_an_interrupt_says_how_to_go_on(project, stop):
    arguments = ("retrain", "--set", "taggers.short.skill=3.0")
    process = small.start(project, *arguments, STOP_AT=stop)
    Path(f"{stop}.begun").read_text()  # training has begun
    (name,) = worktree.waiting(project)
    both = [process.pid, *(child.pid for child in psutil.Process(process.pid).children())]
    for option in (["--resume", name], ["--clean"]):
        done = small.conservatory(project, "retrain", *option, check=False)
        (told,) = [line for line in (done.stdout + done.stderr).splitlines() if "is running in another process" in line]
        assert {*told.partition("(")[2].partition(")")[0].split(", ")} == {*map(str, both)}
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate()
    assert process.returncode == 130 and f"To continue: conservatory retrain --resume {name}." in said


def test_a_clip_withdrawn_here_and_in_no_commit_stops_a_retraining_that_would_hear_it(project):
    clip = "ab" * 32
    with (project / "params.yaml").open("a") as file:
        file.write(f"withdrawn: {{{clip}: letter of 3 May}}\n")
    with pytest.raises(RegistryError, match=f"not in the commit .*{clip[:16]}.*commit params.yaml"):
        retrain.begin(project, "HEAD", [], [])
    assert worktree.waiting(project) == []
    small.git(project, "commit", "-q", "-am", "Withdrawn")
    retrain._withdrawn(project, project)
