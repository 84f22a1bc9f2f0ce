"""The same results in the same order from one process, several, and a real Ray cluster of several processes."""

import os
import shutil
import socket
import subprocess
import sys

import needs
import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers import PROJECT, copy_project, run_in
from ruamel.yaml import YAML
from small_tasks import end_this_process, fail, power

from pipelines.audio import probe, shards
from pipelines.core.files import sha256
from pipelines.harness import executor

SETTINGS = {
    "sample_rate": 16_000,
    "channels": 1,
    "min_duration_s": 1.0,
    "silence_dbfs": -80.0,
    "shard_mb": 1,
    "cache": False,
}


def test_order_and_values():
    tasks = [(2, n) for n in range(20)]
    for settings in (None, {"workers": 1}, {"workers": 2}, {"kind": "processes", "workers": 3}):
        assert list(executor.run(power, tasks, settings)) == [2**n for n in range(20)]
    assert list(executor.run(power, [], {"workers": 2})) == []


def test_an_error_of_a_worker_arrives():
    with pytest.raises(ValueError, match="task 1"):
        list(executor.run(fail, [1, 2, 3], {"workers": 2}))


def test_a_worker_ended_from_outside_is_explained():
    with pytest.raises(SystemExit, match="memory"):
        list(executor.run(end_this_process, [1, 2, 3], {"workers": 2}))


def test_an_unknown_kind():
    with pytest.raises(SystemExit, match="processes or ray"):
        list(executor.run(fail, [1], {"kind": "threads"}))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a Ray cluster started on this machine with `ray start`: a head and one more node."""
    ray = [needs.ray()]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    quiet = {"RAY_USAGE_STATS_ENABLED": "0"}
    options = ["--num-cpus=1", "--object-store-memory=100000000", "--disable-usage-stats"]
    home = tmp_path_factory.mktemp("elsewhere")
    head = [*ray, "start", "--head", f"--port={port}", "--include-dashboard=false", "--node-ip-address=127.0.0.1"]
    for command in (head, [*ray, "start", f"--address={address}"]):
        # its daemons keep what they inherit: with a pipe this would wait for their end
        with (home / "log").open("a") as log:
            done = subprocess.run([*command, *options], cwd=home, env=os.environ | quiet, stdout=log, stderr=log)
        assert done.returncode == 0, (home / "log").read_text()[-4000:]
    yield {"kind": "ray", "address": address}
    subprocess.run([*ray, "stop", "--force"], capture_output=True)


def in_project(folder, code, settings, *arguments):
    """Run code in a process of its own, as a stage is: its working folder is the project's."""
    head = f"import sys\nfrom pipelines.harness import executor\nsettings = {settings!r}\n"
    return run_in(folder, sys.executable, "-c", head + code, *map(str, arguments))


@pytest.mark.system
def test_ray_says_where_it_ran_and_in_order(cluster):
    code = "print(*executor.run(executor.n_workers, [3, 1, 2], settings))"
    assert in_project(PROJECT, code, cluster).stdout.split() == ["3", "1", "2"]


@pytest.mark.system
def test_ray_writes_the_same_bytes(cluster, tmp_path):
    rows, rng = [], np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / f"{number}.flac"
        soundfile.write(path, 0.2 * rng.standard_normal(66_150), 22_050)
        rows.append({"clip_id": str(number), "path": str(path), "sha256": sha256(path), **probe.header(path)})
    pd.DataFrame(rows).to_parquet(tmp_path / "manifest.parquet")
    code = (
        "import pandas as pd\n"
        "from pipelines.audio import shards\n"
        "manifest = pd.read_parquet(sys.argv[1])\n"
        f"index, bad = shards.build(manifest, sys.argv[2], {SETTINGS!r}, settings)\n"
        "assert bad.empty and len(index) == 12\n"
    )
    in_project(PROJECT, code, cluster, tmp_path / "manifest.parquet", tmp_path / "ray")
    shards.build(pd.DataFrame(rows), tmp_path / "here", SETTINGS, {"workers": 1})
    written = {name: {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("ray", "here")}
    assert written["ray"] == written["here"] and len(written["ray"]) > 1


@pytest.mark.system
def test_stages_run_on_the_cluster(cluster, tmp_path):
    """As DVC calls them: `python -m`, where a stage's functions stand in the main module."""
    folder, music = copy_project(tmp_path / "project"), tmp_path / "music"
    rng = np.random.default_rng(0)
    for number in range(12):
        (music / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        soundfile.write(music / "ab"[number % 2] / f"{number}.flac", 0.2 * rng.standard_normal(44 * 16_000), 16_000)
    run_in(folder, sys.executable, "-m", "pipelines.cli", "add", str(music), "--name", "mine")
    editor, path, made = YAML(), folder / "params.yaml", {}
    document = editor.load(path.read_text())
    for kind in ("ray", "processes"):
        document["executor"].update(cluster if kind == "ray" else {"kind": kind, "workers": 1})
        with path.open("w") as file:
            editor.dump(document, file)
        for name in (".cache", "data"):
            shutil.rmtree(folder / name, ignore_errors=True)
        for stage in ("raw mine", "manifest mine", "audio mine", "features mine log_mel", "features mine pooled"):
            run_in(folder, sys.executable, "-m", *f"pipelines.stages.{stage}".split())
        files = [
            path for path in sorted((folder / "data").rglob("*")) if path.is_file() and "records" not in path.parts
        ]
        made[kind] = {path.relative_to(folder): path.read_bytes() for path in files}
    assert made["ray"] == made["processes"] and len(made["ray"]) > 10


@pytest.mark.system
def test_an_error_on_the_cluster_arrives(cluster):
    code = "from pipelines.core import files\nlist(executor.run(files.sha256, ['/nonexistent'], settings))\n"
    done = run_in(
        PROJECT,
        sys.executable,
        "-c",
        f"from pipelines.harness import executor\nsettings = {cluster!r}\n" + code,
        check=False,
    )
    assert done.returncode and "/nonexistent" in done.stderr


@pytest.mark.system
def test_no_cluster_is_explained():
    needs.package("ray", "ray")
    code = "from pipelines.harness import executor\nlist(executor.run(len, ['x'], {'kind': 'ray', 'address': '127.0.0.1:1'}))"
    done = run_in(PROJECT, sys.executable, "-c", code, check=False)
    assert done.returncode and "ray start --head" in done.stderr
