"""A project of three stages whose DVC was killed at a bad moment: what it left, and the next run."""

import json
import os
import shutil
import subprocess
import sys
import time

import psutil
import pytest
import yaml
from dvc_data.hashfile.db import HashFileDB
from helpers import PROJECT, run_in, some

from pipelines.ops.dvc.recover import Conflict, distrust, forget, recover

DVC = (sys.executable, "-m", "dvc")
RECIPE = """
stages:
  one: {cmd: cp zero one; echo ran >> runs, deps: [zero], outs: [one]}
  two: {cmd: cp one two; echo ran >> runs, deps: [one], outs: [two]}
  three: {cmd: cp two three; echo ran >> runs, deps: [two], outs: [three]}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    run_in(folder, *DVC, "init", "--no-scm", "-q")
    (folder / "dvc.yaml").write_text(RECIPE)
    (folder / "zero").write_text("1\n")
    run_in(folder, *DVC, "repro")
    return folder


@pytest.fixture
def project(finished, tmp_path):
    return shutil.copytree(finished, tmp_path, symlinks=True, dirs_exist_ok=True)


@pytest.fixture
def zombie():
    """A process that has ended and is not waited for."""
    process = subprocess.Popen([sys.executable, "-c", "", "dvc", "repro"])
    until = time.monotonic() + 30
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
        os.sched_yield()
    yield process.pid
    process.wait()


def lock_out(project, pid):
    """As DVC writes it while a stage runs."""
    info = {"pid": pid, "cmd": "dvc repro"}
    (project / ".dvc/tmp/rwlock").write_text(
        json.dumps({"write": {str(project / "two"): info}, "read": {str(project / "one"): [info]}})
    )
    (project / "two").unlink()


def test_a_dead_process_locks_nobody_out(project, zombie):
    lock_out(project, zombie)
    assert "busy" in run_in(project, *DVC, "repro", check=False).stderr
    said = []
    recover(project, said.append)
    assert said == [f"released the locks of a killed DVC (process {zombie})"]
    run_in(project, *DVC, "repro")
    assert (project / "two").read_text() == "1\n"


def test_a_living_dvc_keeps_what_it_locked(project):
    held = subprocess.Popen([sys.executable, "-c", "input()", "dvc", "repro"], stdin=subprocess.PIPE)
    try:
        lock_out(project, held.pid)
        before = (project / ".dvc/tmp/rwlock").read_text()
        recover(project, pytest.fail)
        assert (project / ".dvc/tmp/rwlock").read_text() == before
    finally:
        held.communicate()


def test_another_program_with_its_number_is_no_dvc(project):
    lock_out(project, 1)
    said = []
    recover(project, said.append)
    assert len(said) == 1
    assert json.loads((project / ".dvc/tmp/rwlock").read_text()) == {"write": {}, "read": {}}


@pytest.mark.parametrize("end", some([0, 10, 150, -40, -3], 150))
def test_a_lock_cut_off_anywhere_costs_no_run(project, end):
    path = project / "dvc.lock"
    text, ran = path.read_text(), (project / "runs").read_text()
    path.write_text(text[:end])
    recover(project, lambda line: None)
    run_in(project, *DVC, "repro")
    assert yaml.safe_load(path.read_text()) == yaml.safe_load(text)
    assert (project / "runs").read_text() == ran, "outputs came back from the cache"


@pytest.mark.parametrize("left", ["", '{"write": {"/a'])
def test_half_a_table_of_locks(project, left):
    (project / ".dvc/tmp/rwlock").write_text(left)
    (project / "two").unlink()
    said = []
    recover(project, said.append)
    assert len(said) == 1
    run_in(project, *DVC, "repro")
    assert (project / "two").exists()


def test_an_empty_place_in_the_memory_of_runs(project):
    """What a DVC leaves that is killed, or whose disk is full, as it writes down a run; the next would end at it."""
    for path in (project / ".dvc/cache/runs").glob("*/*/*"):
        path.unlink()
    (project / "dvc.lock").unlink()
    assert "NoneType" in run_in(project, *DVC, "repro", check=False).stderr, "DVC has mended it: the code can go"
    said = []
    recover(project, said.append)
    assert len(said) == 3
    run_in(project, *DVC, "repro")
    recover(project, pytest.fail)


@pytest.mark.parametrize("link", ["copy", "hardlink"])
def test_a_damaged_copy_in_the_cache_is_not_restored(project, link):
    """As one file with the output, too: whoever writes into that writes into both."""
    run_in(project, *DVC, "config", "cache.type", link)
    run_in(project, *DVC, "checkout", "--relink", "-q")
    (copy,) = {
        path for path in (project / ".dvc/cache/files").rglob("*") if path.is_file()
    }  # all three are the same bytes
    copy.chmod(0o644)
    copy.write_text("9\n")
    copy.chmod(0o444)
    for name in ("one", "two", "three"):
        (project / name).unlink()
    said = []
    recover(project, said.append)
    assert len(said) == 1 and str(copy) in said[0]
    run_in(project, *DVC, "repro")
    assert {(project / name).read_text() for name in ("one", "two", "three")} == {"1\n"}
    recover(project, pytest.fail)


def test_nothing_to_recover(project, tmp_path_factory):
    recover(project, pytest.fail)
    recover(tmp_path_factory.mktemp("empty"), pytest.fail)


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize("killed", [True, False], ids=["left behind by a killed DVC", "of a DVC at work"])
def test_a_run_waits_for_stages_at_work(project, killed):
    """DVC itself would begin the stage a second time beside the first, or end, and advise to remove a lock in use."""
    slow = "touch begun; until [ -e go ]; do sleep 0.05; done; cp zero one  # pipelines.stages.one"
    (project / "dvc.yaml").write_text(RECIPE.replace("cp zero one; echo ran >> runs", f"'{slow}'"))
    (project / "zero").write_text("2\n")
    plain = subprocess.Popen([*DVC, "repro", "-q"], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: (project / "begun").exists())
    if killed:
        plain.kill()
        plain.wait()
    code = "from pipelines.ops import run; raise SystemExit(run.repro([]))"
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    second = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert "waiting until it ends" in second.stdout.readline()
    (project / "go").touch()
    said = second.communicate()[0]
    assert second.returncode == 0, said
    plain.wait()
    assert (project / "three").read_text() == "2\n"


def wait_for(condition):
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_the_recipe_no_longer_makes_is_put_away_and_comes_back(project):
    recipe, ran = (project / "dvc.yaml").read_text(), (project / "runs").read_text()
    assert forget(project, pytest.fail) == []
    (project / "dvc.yaml").write_text(recipe.replace("  three:", "  four:").replace("[three]", "[four]"))
    said = []
    assert forget(project, said.append) == ["three"]
    assert len(said) == 1 and not (project / "three").exists() and (project / "two").exists()
    assert set(yaml.safe_load((project / "dvc.lock").read_text())["stages"]) == {"one", "two"}
    (project / "dvc.yaml").write_text(recipe)
    run_in(project, *DVC, "repro")
    assert (project / "three").read_text() == "1\n" and (project / "runs").read_text() == ran, "not run again"


def test_an_output_that_moved_to_another_stage_stays(project):
    recipe = (project / "dvc.yaml").read_text()
    (project / "dvc.yaml").write_text(recipe.replace("  three:", "  four:"))
    assert forget(project, lambda line: None) == ["three"]
    assert (project / "three").exists()


def test_both_sides_of_a_merge_are_neither_set_aside_nor_guessed_at(project):
    lock = project / "dvc.lock"
    text = lock.read_text().replace("  two:", "<<<<<<< HEAD\n  two:\n=======\n  two:\n>>>>>>> theirs")
    lock.write_text(text)
    with pytest.raises(Conflict, match="git checkout --ours dvc.lock"):
        recover(project, pytest.fail)
    assert lock.read_text() == text and not (project / "dvc.lock.spoilt").exists()


def test_two_entries_of_a_stage_are_not_guessed_at(project):
    lock = project / "dvc.lock"
    text = lock.read_text() + "  two:\n    cmd: another\n"
    lock.write_text(text)
    assert "two" in run_in(project, *DVC, "status", check=False).stderr, "DVC refuses it"
    with pytest.raises(Conflict, match="dvc.lock has two entries of two"):
        recover(project, pytest.fail)
    assert lock.read_text() == text and not (project / "dvc.lock.spoilt").exists()


def test_another_tree_over_the_same_cache_does_not_read_all_of_it_again(project, tmp_path, monkeypatch):
    """As each retraining is one."""
    assert distrust(project) == []
    other = tmp_path / "another tree"
    shutil.copytree(project, other, ignore=shutil.ignore_patterns("cache", "tmp"))
    run_in(other, *DVC, "cache", "dir", "--local", str(project / ".dvc/cache"))
    with monkeypatch.context() as patch:
        patch.setattr(HashFileDB, "check", lambda *arguments: pytest.fail("read again"))
        assert distrust(other) == []
    damaged = next((project / ".dvc/cache/files/md5").glob("??/*"))
    damaged.chmod(0o644)
    damaged.write_text("other")
    assert distrust(other) == [str(damaged)]
