"""Presets: what `conservatory enable` writes and `disable` takes out of params.yaml, and what both leave alone."""

import shutil
from pathlib import Path

import pytest
import yaml
from helpers import PROJECT, copy_params
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipelines import cli
from pipelines.ops import families, presets
from pipelines.ops.settings import check

FAMILY = PROJECT / "tests/tasks/notes_family"
PRESETS = """
notes:
  about: Single notes by a linear SVM.
  needs: ""
  minutes: 2
  features:
    mfcc: {n_fft: 2048, hop_length: 512, n_mels: 128, n_mfcc: 20, deltas: 2}
  tasks:
    notes: {n_bootstrap: 100, seed: 2026}
  runs:
    notes_svm: {task: notes, dataset: scores, from: features, reads: pooled, model: svm, seeds: 1, target: style}
"""


@pytest.fixture
def project(in_tmp, monkeypatch):
    """A project folder whose code has the family `notes` with a preset of the same name."""
    copy_params(in_tmp)
    shutil.copy(PROJECT / "dvc.yaml", in_tmp)
    code = in_tmp / "code"
    for part in ("features", "datasets", "models", "tasks"):
        shutil.copytree(PROJECT / "pipelines" / part, code / "pipelines" / part)
    for name in ("symbolic", "core"):
        shutil.copytree(PROJECT / "pipelines" / name, code / "pipelines" / name)
    family = shutil.copytree(FAMILY, code / "pipelines/tasks/notes")
    (family / "presets.yaml").write_text(PRESETS)
    monkeypatch.setattr("pipelines.ops.settings.code.PROJECT", code)
    monkeypatch.setattr(presets, "FOLDER", code / "pipelines/tasks")
    return in_tmp


def conservatory(*words):
    return CliRunner().invoke(cli.app, words)


def params():
    return yaml.safe_load(Path("params.yaml").read_text())


def change(alter):
    editor, path = YAML(), Path("params.yaml")
    document = editor.load(path.read_text())
    alter(document)
    with path.open("w") as file:
        editor.dump(document, file)


def test_disable_undoes_enable(project):
    before = (project / "params.yaml").read_text()
    done = conservatory("enable", "notes")
    assert done.exit_code == 0 and "features.mfcc, tasks.notes, runs.notes_svm" in done.stdout
    assert params()["runs"]["notes_svm"]["reads"] == "pooled" and "mfcc" in params()["features"]
    check(params(), project)
    assert "already" in conservatory("enable", "notes").stdout
    assert conservatory("disable", "notes").exit_code == 0
    assert params() == yaml.safe_load(before)
    assert conservatory("disable", "notes").exit_code == 2, "nothing is there any more"


def test_enable_says_what_the_preset_needs_and_how_long_it_takes(project):
    done = conservatory("enable", "notes").stdout
    assert "It takes about 2 min on two cores." in done and "It needs" not in done
    conservatory("disable", "notes")
    path = presets.FOLDER / "notes/presets.yaml"
    path.write_text(PRESETS.replace('needs: ""', 'needs: "a SoundFont: apt install fonts"'))
    assert "It needs: a SoundFont: apt install fonts\n" in conservatory("enable", "notes").stdout


def test_a_name_means_the_run_the_tagger_or_the_enabled_preset(project):
    """`notes` is a kind of stage too: an enabled preset comes first."""
    assert families.named("notes", params()) == ([], [])
    conservatory("enable", "notes")
    assert families.named("notes", params())[0] == families.named("notes_svm", params())[0] == ["score@notes_svm"]
    assert families.named("short", params()) == (["tagging@short"], ["compare", "task_page@tagging"])


def test_what_several_presets_share_does_not_make_one_enabled(project):
    change(lambda document: document["tasks"].update(notes={"n_bootstrap": 100, "seed": 2026}))
    done = conservatory("disable", "notes")
    assert done.exit_code == 2 and "is not enabled" in done.stderr and "notes" in params()["tasks"]


def test_comments_stay(project):
    before = (project / "params.yaml").read_text()
    conservatory("enable", "notes")
    after = (project / "params.yaml").read_text()
    added = set(after.splitlines()) - set(before.splitlines())
    assert {line.split(":")[0].strip() for line in added} == {"mfcc", "notes", "notes_svm"}


def test_what_the_user_changed_stays(project):
    conservatory("enable", "notes")
    change(lambda document: document["runs"]["notes_svm"].update(C=2.0))
    assert "already" in conservatory("enable", "notes").stdout
    done = conservatory("disable", "notes")
    assert "Kept runs.notes_svm: it was changed since" in done.stdout
    assert "Kept tasks.notes: runs.notes_svm needs it" in done.stdout
    assert params()["runs"]["notes_svm"]["C"] == 2.0 and "mfcc" not in params()["features"]


def test_what_another_run_reads_stays(project):
    conservatory("enable", "notes")
    own = {"task": "notes", "dataset": "scores", "from": "features", "reads": "mfcc", "model": "svm", "seeds": 1}
    change(lambda document: document["runs"].update(mine=own | {"target": "style"}))
    assert "Kept features.mfcc: runs.mine needs it" in conservatory("disable", "notes").stdout
    assert "mine" in params()["runs"] and "notes_svm" not in params()["runs"] and "mfcc" in params()["features"]


def test_unknown_presets_name_the_nearest(project):
    done = conservatory("enable", "nots")
    assert done.exit_code == 2 and "do you mean notes?" in done.stderr


def test_the_list_says_what_a_preset_needs_and_takes(project):
    shown = conservatory("tasks").stdout
    assert "notes: Classify clips by one of their labels" in shown
    assert "preset notes (not enabled): Single notes by a linear SVM." in shown
    assert "needs: no download and no further package; takes about 2 min on two cores" in shown
    conservatory("enable", "notes")
    assert "runs: notes_svm" in conservatory("tasks").stdout


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("task", "note", "do you mean notes"),
        ("dataset", "score", "do you mean scores"),
        ("reads", "poled", "do you mean pooled"),
        ("model", "swm", "do you mean svm"),
        ("seeds", 0, "1 or more"),
        ("from", "raw", "features or embeddings"),
        ("C", -1, "above 0"),
        ("targt", "style", "do you mean target"),
    ],
)
def test_a_wrong_run_is_named(project, key, value, message):
    conservatory("enable", "notes")
    settings = params()
    settings["runs"]["notes_svm"][key] = value
    with pytest.raises(SystemExit, match=f"runs.notes_svm.*{key}.*{message}"):
        check(settings, project)


@pytest.mark.parametrize("key", ["task", "dataset", "from", "reads", "model", "seeds", "target"])
def test_a_missing_key_is_named(project, key):
    conservatory("enable", "notes")
    settings = params()
    del settings["runs"]["notes_svm"][key]
    with pytest.raises(SystemExit, match=rf"runs\.notes_svm\.{key} is missing"):
        check(settings, project)


def test_a_run_needs_its_familys_entry(project):
    conservatory("enable", "notes")
    settings = params()
    del settings["tasks"]["notes"]
    with pytest.raises(SystemExit, match=r"tasks\.notes is missing"):
        check(settings, project)
