"""What the command line says to a user who gets something wrong, and that params.yaml keeps its comments."""

import errno
import queue
import re
import shutil
import sqlite3
import threading
from types import SimpleNamespace

import pytest
from helpers import PROJECT, copy_params
from typer.testing import CliRunner

from pipelines import cli
from pipelines.cli import app
from pipelines.core import params
from pipelines.ops import run
from pipelines.ops.settings import load_params


@pytest.fixture
def project(in_tmp):
    copy_params(in_tmp)
    shutil.copy(PROJECT / "dvc.yaml", in_tmp)
    (in_tmp / "pipelines").mkdir()
    return in_tmp


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_help_names_every_command():
    status, text = call("--help")
    assert status == 0
    for name in (
        "add",
        "remove",
        "list",
        "run",
        "refresh",
        "report",
        "predict",
        "generate",
        "cache",
        "ui",
        "models",
        "retrain",
    ):
        assert name in text


def test_add_and_remove_leave_the_file_as_it_was(project, songs):
    root, _ = songs
    before = (project / "params.yaml").read_text()
    status, text = call("add", root, "--name", "mine")
    assert status == 0 and "Added mine" in text and "Übung" in text and "will be quarantined: a link to nothing" in text
    entry = load_params()["datasets"]["mine"]
    assert entry["module"] == "folder" and entry["path"] == str(root) and len(entry["fingerprint"]) == 16
    added = (project / "params.yaml").read_text()
    assert [line for line in added.splitlines() if line in before] == before.splitlines()
    status, text = call("list")
    assert "mine" in text and "not read yet" in text
    with params.editing() as document:
        document["max_quarantined"]["mine"] = 0.5
    assert call("remove", "mine")[0] == 0
    assert (project / "params.yaml").read_text() == before, "its own limit goes too"


def test_a_relative_path_is_written_down_whole(project, songs):
    """It was meant from where the user stood, which the recipe does not know."""
    songs[0].rename(project / "songs")
    assert call("add", "songs", "--name", "mine")[0] == 0
    assert load_params()["datasets"]["mine"]["path"] == str(project / "songs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "nowhere", "--name", "mine"), "does not exist"),
        (("add", ".", "--name", "scores"), "already"),
        (("add", ".", "--name", "My Songs"), "is not a valid dataset name"),
        (("remove", "mine"), "no dataset 'mine', and clips are known only after the first run"),
        (("remove", "scores"), "trained on"),
        (("run", "--dataset", "mine"), "no dataset 'mine'"),
        (("run", "--dataset", "score"), "no dataset 'score' (do you mean scores?); there is scores"),
        (("run", "--force"), "needs the names of stages"),
        (("run", "notes"), "Stage notes has no items: `corpora` in params.yaml is empty."),
        (
            ("run", "clusters"),
            "no stage, run or enabled preset 'clusters' (do you mean cluster?); there is raw, manifest",
        ),
        (("run", "notes_svm"), "'notes_svm' is in the preset notes, which is not enabled: conservatory enable notes"),
        (("run", "scores"), "'scores' is an entry of datasets: conservatory run --dataset scores"),
        (("report",), "conservatory run"),
    ],
)
def test_refusals_say_what_to_do(project, arguments, message):
    status, text = call(*arguments)
    assert status == 2 and message in text


def test_a_single_file_is_warned_of_and_a_single_label_refused(project, songs):
    root, _ = songs
    lonely = project / "lonely" / "only"
    lonely.mkdir(parents=True)
    shutil.copy(next(root.rglob("a*.wav")), lonely / "one.wav")
    before = (project / "params.yaml").read_text()
    status, text = call("add", project / "lonely", "--name", "lonely")
    assert status == 2 and "Found one label (only)" in text
    assert (project / "params.yaml").read_text() == before
    shutil.copytree(lonely, project / "lonely" / "another")
    status, text = call("add", project / "lonely", "--name", "lonely")
    assert status == 0 and "only one file of another, only" in text


def test_labels_without_a_usable_file_are_named(project, songs):
    good = next(songs[0].rglob("a*.wav"))
    for label in ("a", "b", "c", "d"):
        (project / "music" / label).mkdir(parents=True)
    shutil.copy(good, project / "music/a/one.wav")
    for name in ("1.wav", "2.wav"):
        (project / "music/b" / name).write_text("no sound")
    (project / "music/c/notes.txt").write_text("no sound")
    status, text = call("add", project / "music", "--name", "mine")
    assert (
        status == 2
        and "Found one label (a); at least two are required; b has no usable file (not audio that libsndfile can read"
        in text
    )
    assert "; c has no usable file (not an audio file by its name); d has no usable file (no file is in it)." in text
    shutil.copytree(project / "music/a", project / "music/e")
    status, text = call("add", project / "music", "--name", "mine")
    assert status == 0 and "Added mine: 2 files, 2 labels." in text and "2  will be quarantined: not audio that" in text
    for label in ("b", "c", "d"):
        assert f"Warning: no file of {label} can be used" in text
    assert run.refresh() == [], "the fingerprint is of the listing that the stage makes"
    for label in ("a", "c", "d", "e"):
        shutil.rmtree(project / "music" / label)
    status, text = call("add", project / "music", "--name", "yours")
    assert status == 2 and "can be used: 2 x not audio that libsndfile can read" in text


def test_groups_of_one_clip_each_are_told(project, songs):
    rows = [f"{path},{path.parent.name},g{n}" for n, path in enumerate(sorted(songs[0].rglob("a*")))]
    (project / "list.csv").write_text("\n".join(["path,label,group", *rows]))
    status, text = call("add", project / "list.csv", "--name", "mine")
    assert status == 0 and "no two clips share a group" in text, text


@pytest.mark.parametrize("name", ["yes", "no", "on", "off", "true", "null"])
def test_a_name_that_means_something_else_in_yaml(project, songs, name):
    status, text = call("add", songs[0], "--name", name)
    assert status == 2 and "is not a valid dataset name" in text
    assert set(load_params()["datasets"]) == {"scores"}


@pytest.mark.parametrize(
    ("error", "free", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 10**9, True),
        (sqlite3.OperationalError("database or disk is full"), 10**9, True),
        (sqlite3.OperationalError("disk I/O error"), 8192, True),  # what SQLite says where it maps a file
        (sqlite3.OperationalError("disk I/O error"), 10**9, False),
        (OSError(errno.EACCES, "Permission denied"), 8192, False),
    ],
)
def test_a_full_disk_is_a_sentence(project, monkeypatch, capsys, error, free, full):
    def end():
        raise error

    monkeypatch.setattr(cli, "app", end)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=free))
    with pytest.raises(SystemExit if full else type(error)):
        cli.main()
    assert ("The disk is full" in capsys.readouterr().err) == full


def test_outside_a_project(in_tmp):
    status, text = call("list")
    assert status == 2 and "params.yaml does not exist" in text


def test_refresh_sees_changes_and_forgives_a_folder_that_is_away(project, songs, capsys):
    root, _ = songs
    call("add", root, "--name", "mine")
    assert run.refresh() == []
    next(root.rglob("a*.wav")).unlink()
    assert run.refresh() == ["mine"] and run.refresh() == []
    recorded = load_params()["datasets"]["mine"]["fingerprint"]
    root.rename(root.with_name("unplugged"))
    assert run.refresh() == [] and "is missing" in capsys.readouterr().out
    assert load_params()["datasets"]["mine"]["fingerprint"] == recorded


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("channels: 1 ", "channels: 3 ", "audio.channels in params.yaml is 3, and must be 1 or 2"),
        ("workers: 0 ", "workers: -1 ", "executor.workers in params.yaml is -1"),
        ("workers: 0 ", "workers: two ", "executor.workers in params.yaml is 'two'"),
        (
            "reads: log_mel, recipe: modern",
            "reads: log_mel, recipe: old",
            "taggers.short.recipe in params.yaml is 'old'",
        ),
        ("device: cpu", "device: gpu", "must be cpu, cuda or cuda:N"),
        (
            "{style: [trecento, ryan]}",
            "[ryan]",
            "training.leave_out in params.yaml is ['ryan'], and must be classes by target",
        ),
        (
            "{style: [trecento, ryan]}",
            "{style: ryan}",
            "must be classes by target, as in {style: [ryan]}, or {} for none",
        ),
        ("limit_gb: 20 ", "limit_gb: lots ", "cache.limit_gb in params.yaml is 'lots'"),
        ("dataset: scores ", "dataset: nope ", "training.dataset in params.yaml is 'nope': `datasets` has scores"),
        ("min_duration_s: 1.0", "channels: 2", "params.yaml names 'channels' twice, in lines "),
        ("epochs: 10,", "epochs: 10, epochs: 20,", "params.yaml names 'epochs' twice"),
        ("withdrawn: {}", "withdrawn: [a]", "withdrawn in params.yaml is ['a'], and must be a table from SHA-256"),
        ("withdrawn: {}", "withdrawn: {abc: x}", "withdrawn in params.yaml is {'abc': 'x'}, and must be"),
        ("channels: 1 ", "channels: [1 ", "params.yaml is not valid YAML"),
    ],
)
def test_a_wrong_parameter_is_named(project, old, new, said):
    text = (project / "params.yaml").read_text()
    assert old in text
    (project / "params.yaml").write_text(text.replace(old, new))
    with pytest.raises(SystemExit, match=re.escape(said)):
        load_params()
    # as a user meets it
    status, output = call("list")
    assert status and "Traceback" not in output


def test_a_second_run_waits_and_says_so(project):
    said, order = queue.Queue(), []

    def second():
        with run.alone(said.put):
            order.append("second")

    other = threading.Thread(target=second)
    with run.alone(said.put):
        other.start()
        assert "Another run is in progress" in said.get(timeout=60)
        order.append("first")
    other.join()
    assert order == ["first", "second"]
