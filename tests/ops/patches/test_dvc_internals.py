"""DVC's internals are as they were when the patches in `pipelines/ops/patches/` were written for them.

A failure names the patch to read again: is what it replaces or uses still what its docstring says? Then take over the new digest.
"""

import inspect
import json
import re
import subprocess
import sys

import pytest
import yaml
from helpers import run_in
from upstream import digest
from voluptuous import Invalid

from pipelines.ops.patches import cache, config, experiments, index, lock_schema, locks, repro_output, resolver

SOURCES = {
    "lockfile": {
        "dvc.dvcfile.Lockfile.dump_stages": "860f67dffd6b",
        "dvc.dvcfile.FileMixin._load_yaml": "561431320a5f",
        "dvc.dvcfile.FileMixin.validate": "c43429132855",
        "dvc.dvcfile.FileMixin._load": "e9433dff93ba",
        "dvc.stage.serialize.to_lockfile": "58d15f3eab88",
        "dvc.stage.serialize.to_single_stage_lockfile": "6465a929a6e7",
        "dvc.utils.serialize.dumps_yaml": "e3df6c592c8c",
    },
    "locks": {
        "dvc.rwlock._edit_rwlock": "3e3a9bc1006f",
        "dvc.rwlock._check_blockers": "b05da3dcf359",
        "dvc.lock.make_lock": "ccff356d87fd",
    },
    "comparison": {
        "dvc.stage.Stage.changed": "dfc5875bd0ad",
        "dvc.stage.Stage._changed_deps": "97a32aa5cd65",
        "dvc.stage.Stage.changed_outs": "ba0a5968a42b",
        "dvc.stage.Stage.changed_stage": "e1f3b4f78650",
        "dvc.output.Output.changed_checksum": "7ed139caa70e",
        "dvc.output.Output.changed_cache": "a6d174325ee1",
        "dvc.output.Output.workspace_status": "9c0317cb349b",
        "dvc.output.Output.get_hash": "1e9e9e85d70b",
        "dvc.dependency.param.ParamsDependency.workspace_status": "dc245be00433",
        "dvc_data.hashfile.build.build": "ef0ea13a7841",
    },
    "resolver": {
        "dvc.parsing.DataResolver.resolve": "c452f54429c7",
        "dvc.parsing.DataResolver.get_keys": "73b26f4daa40",
        "dvc.parsing.ForeachDefinition.normalized_iterable": "229484fd614b",
        "dvc.parsing.MatrixDefinition.normalized_iterable": "c685ea10d6cb",
    },
    "cache": {
        "dvc_data.hashfile.db.HashFileDB.check": "8d6648407c6b",
        "dvc_data.hashfile.db.local.LocalHashFileDB.check": "af30a0011d74",
        "dvc_data.hashfile.tree.Tree.digest": "144f6ac00f28",
        "dvc_data.hashfile.tree.Tree.as_bytes": "192c9cb0ae65",
        "dvc_data.hashfile.state.State.get": "237ae7ba0e5e",
        "dvc.stage.cache.StageCache.__init__": "43996a23b77a",
        "dvc.stage.cache.StageCache.save": "6f8d92b12ff1",
    },
    "config": {
        "dvc.config.Config.get_dir": "3f057ad01ec5",
        "dvc.config.Config.load_file": "73a8da2705ca",
        "dvc.config.Config.validate": "6ef12c3ea5b8",
        "dvc.config.Config.edit": "9e27b268bfae",
        "dvc.config.merge": "1bc72fcdc754",
    },
    "remote": {
        "dvc.data_cloud.DataCloud.get_remote_odb": "ed1beccff45a",
        "dvc_objects.fs.base.FileSystem.put_file": "26d752b64221",
    },
    "experiments": {"dvc.repo.experiments.refs.ExpRefInfo": "d9886698dcb7"},
    "index": {"dvc.repo.index.Index.outs": "1815160a7d55", "dvc.output.Output.is_in_repo": "20b47bc4f62a"},
}
"""Patch -> DVC's code that it replaces, repeats or relies on, with a digest of its source."""


@pytest.mark.parametrize(("patch", "name"), [(patch, name) for patch, names in SOURCES.items() for name in names])
def test_the_source_is_the_one_the_patch_was_written_for(patch, name):
    assert digest(name) == SOURCES[patch][name], f"review pipelines/ops/patches/{patch}.py"


@pytest.fixture
def project(tmp_path):
    run_in(tmp_path, sys.executable, "-m", "dvc", "init", "--no-scm", "-q")
    stages = {
        "one": {"cmd": "cp zero one", "deps": ["zero"], "outs": ["one"]},
        "two": {"cmd": "echo 'it went wrong' >&2; exit 3", "deps": ["one"]},
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "zero").write_text("1\n")
    return tmp_path


def test_repro_output_has_the_wording_that_is_parsed(project):
    """What is said of a stage that runs, is skipped, is restored, and fails; and of a file in use."""

    def said():
        done = run_in(project, sys.executable, "-m", "dvc", "repro", check=False)
        return (done.stdout + done.stderr).splitlines()

    def named(pattern, lines):
        return [found[1] for found in map(pattern.match, lines) if found]

    first = said()
    assert named(repro_output.RUNNING, first) == ["one", "two"] and named(repro_output.UNCHANGED, first) == []
    (why,) = [found[2] for found in map(repro_output.FAILED.match, first) if found]
    assert named(repro_output.FAILED, first) == ["two"] and repro_output.EXITED.search(why)[1] == "3"
    assert f"{repro_output.NO_REASON[0]}cp zero one" in first
    assert named(repro_output.UNCHANGED, said()) == ["one"]
    (project / "one").unlink()
    (project / "dvc.lock").unlink()
    assert named(repro_output.RESTORED, said()) == ["one"]
    info = {"pid": 1, "cmd": "dvc repro"}  # process 1 always lives
    (project / locks.RWLOCK).write_text(json.dumps({"write": {str(project / "one"): info}, "read": {}}))
    busy = "\n".join(said())
    assert repro_output.BUSY.search(busy)[1] == str(project / "one")
    assert locks.RWLOCK.as_posix() in busy


@pytest.mark.parametrize("advice", repro_output.ADVICE)
def test_repro_output_advice_is_still_given(advice):
    """Each beginning that is hidden is in DVC's source."""
    from dvc import dvcfile
    from dvc.commands import repro, status
    from dvc.repo import scm_context

    text = "".join(map(inspect.getsource, (dvcfile, repro, status, scm_context)))
    assert advice.replace("\t", "\\t") in text or re.sub(r"^\t", "", advice) in text


def test_locks_are_the_files_that_dvc_uses(project):
    from dvc.repo import Repo
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK, SCHEMA

    with Repo(str(project)) as repo:
        assert str(project / locks.RWLOCK) == f"{repo.tmp_dir}/{RWLOCK_FILE}" and RWLOCK_LOCK == "rwlock.lock"
        with locks.repository(project):
            done = run_in(project, sys.executable, "-m", "dvc", "repro", check=False)
            assert done.returncode and "lock" in done.stderr
    written = {
        "write": {"/a": {"pid": 1, "cmd": "x"}},
        "read": {"/b": [{"pid": 2, "cmd": "y"}, {"pid": 3, "cmd": "z"}]},
    }
    assert SCHEMA(written) == written and locks.dvc_processes(json.dumps(written)) == {1, 2, 3}
    path = project / locks.RWLOCK
    path.write_text(json.dumps(written))
    locks.release(path, {1, 2})
    assert SCHEMA(json.loads(path.read_text())) == {"write": {}, "read": {"/b": [{"pid": 3, "cmd": "z"}]}}


def test_lock_schema_refuses_what_dvc_refuses():
    lock_schema.validate("schema: '2.0'\nstages:\n  a:\n    cmd: x\n")
    for text in ("schema: '9.0'\n", "schema: '2.0'\nstages:\n  a:\n    deps: []\n"):
        with pytest.raises(Invalid):
            lock_schema.validate(text)


def test_resolver_has_the_stages_of_dvcs_index(project):
    from dvc.repo import Repo

    (project / "params.yaml").write_text("sets: {x: {n: 1}, y: {n: 2}}\nkinds: {p: {}, q: {}}\n")
    stages = {
        "each": {"foreach": "${sets}", "do": {"cmd": "echo ${item.n} > ${key}", "outs": ["${key}"]}},
        "both": {"matrix": {"kind": "${kinds}", "set": "${sets}"}, "cmd": "echo ${item.set} ${key}"},
        "alone": {"cmd": "echo"},
    }
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    with Repo(str(project)) as repo:
        names = {stage.name for stage in repo.index.stages}
    assert names == set(resolver.stages(project)) == set(resolver.resolver(project).get_keys())
    assert resolver.stages(project)["each@y"]["cmd"] == "echo 2 > y"
    definitions = resolver.resolver(project).definitions
    assert resolver.item(definitions["each"], "x") == {"item": "x"} and resolver.item(definitions["alone"], "") == {}
    assert resolver.item(definitions["both"], "q-x") == {"kind": "q", "set": "x"}


def test_cache_and_index_name_the_files_that_dvc_wrote(project):
    from dvc.repo import Repo

    run_in(project, sys.executable, "-m", "dvc", "repro", "one")
    md5 = "b026324c6904b2a9cb4b88d6d61c81d1"
    with Repo(str(project)) as repo:
        assert index.cached_outputs(repo) == {"one": md5}
        path = cache.path(repo, md5)
        assert path == cache.files(repo) / md5[:2] / md5[2:] and path.read_text() == "1\n"
        assert cache.folder(cache.of_project(project)) == project / ".dvc/cache"
        (run,) = cache.runs(project / ".dvc/cache")
        assert yaml.safe_load(next(run.iterdir()).read_text())["cmd"] == "cp zero one"
        assert not cache.remove_if_damaged(repo, md5)
        path.chmod(0o644)
        path.write_text("2\n")
        cache.protect(repo, md5)
        assert path.stat().st_mode & 0o777 == 0o444
        assert cache.remove_if_damaged(repo, md5) and not path.exists(), "though it is write-protected"


def test_cache_listing_is_dvcs(project):
    (project / "folder/inside").mkdir(parents=True)
    (project / "folder/inside/b").write_text("1\n")
    run_in(project, sys.executable, "-m", "dvc", "add", "-q", "folder")
    md5 = yaml.safe_load((project / "folder.dvc").read_text())["outs"][0]["md5"]
    found, content = cache.listing({("inside", "b"): "b026324c6904b2a9cb4b88d6d61c81d1"})
    assert found == md5 and content == (project / f".dvc/cache/files/md5/{md5[:2]}/{md5[2:]}").read_bytes()


def test_config_is_what_dvc_config_prints(project):
    run_in(project, sys.executable, "-m", "dvc", "config", "--local", "core.remote", "there")
    with config.editing_local(project) as local:
        local["remote"]["there"] = {"url": "/there"}
    assert config.read(project)["core"]["remote"] == "there"
    shown = run_in(project, sys.executable, "-m", "dvc", "remote", "list").stdout.split()
    assert shown[:2] == ["there", "/there"]
    assert config.load(config.files(project)["local"])["remote"]["there"] == {"url": "/there"}


def test_experiments_are_found_by_dvc(tmp_path):
    from dvc.repo.experiments.refs import EXPS_NAMESPACE, ExpRefInfo

    reference = experiments.reference("a" * 40, "retrain-1")
    assert str(ExpRefInfo("a" * 40, "retrain-1")) == reference and EXPS_NAMESPACE == experiments.PREFIX
    assert experiments.REFERENCE.fullmatch(reference)[1] == "retrain-1"
    assert not experiments.REFERENCE.fullmatch(f"{EXPS_NAMESPACE}/stash")


def test_lockfile_is_not_replaced_in_another_version(monkeypatch, tmp_path):
    """DVC then writes dvc.lock itself."""
    code = (
        "import importlib.metadata as m; known = m.version; m.version = lambda name: '3.99.0' if name == 'dvc' else known(name)\n"
        "from dvc.dvcfile import Lockfile; from pipelines.ops.patches import lockfile\n"
        "before = Lockfile.dump_stages; lockfile.install(); print(Lockfile.dump_stages is before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n" and "dvc 3.99.0 is installed, not 3.67.1" in done.stderr
