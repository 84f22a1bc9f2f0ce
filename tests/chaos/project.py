"""The small real project that faults are tried on: the recipe of this repository with a params.yaml of its own, one dataset that
is made in a second and trained on, one folder of a user's, and every kind of stage.

`Reference` is its undisturbed run; `copy` gives a trial a project of its own; `differences` compares.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
import yaml
from helpers import PROJECT, copy_project, run_in
from ruamel.yaml import YAML

CLI = (sys.executable, "-m", "pipelines.cli")
DVC = (sys.executable, "-m", "dvc")
PLACES = ("data", "models", "reports")  # all that stages make


def create(folder: Path) -> Path:
    """The project in a new folder, before its first run."""
    copy_project(folder)
    config = (PROJECT / ".dvc/config").read_text()
    (folder / ".dvc/config").write_text(config.replace("[core]\n", "[core]\n    no_scm = true\n", 1))
    shutil.copy(Path(__file__).with_name("chords.py"), folder / "pipelines/datasets/chords.py")
    songs = _songs(folder.parent / "songs")
    editor = YAML()
    document = editor.load((folder / "params.yaml").read_text())
    _shrink(document)
    with (folder / "params.yaml").open("w") as file:
        editor.dump(document, file)
    run(folder, *CLI, "add", str(songs), "--name", "mine")
    return folder


def _songs(root: Path) -> Path:
    """A folder as `conservatory add` takes it: two labels, four clips each, one of which is no sound."""
    rng = np.random.default_rng(0)
    for label, frequency in (("high", 880), ("low", 110)):
        (root / label).mkdir(parents=True)
        for number in range(4):
            t = np.arange(16_000 * 2) / 16_000
            y = 0.3 * np.sin(2 * np.pi * frequency * (1 + number / 20) * t) + 0.01 * rng.standard_normal(len(t))
            soundfile.write(root / label / f"clip {number}.flac", y, 16_000)
    (root / "low" / "text.wav").write_text("no sound")
    return root


def _shrink(document: dict) -> None:
    document["datasets"] = {"chords": {"module": "chords", "imports": "pipelines/core"}}
    document["training"].update({"dataset": "chords", "leave_out": {"style": ["fourths"]}})
    document["max_quarantined"]["default"] = 0.5
    short = {"width": 0.05, "epochs": 2, "chunks_per_clip": 1, "augment": {}}
    document["taggers"] = {"short": {"network": "short", "reads": "log_mel", "recipe": "modern", **short}}
    document["baselines"] = {"pooled_pca": {"dimensions": 8, "seed": 2026}}
    document["export"]["n_chunks"] = 2
    document["clustering"].update({"n_bootstrap": 10, "n_permutations": 2, "n_init": 2, "n_repeats": 1, "maps": []})
    document["tasks"]["tagging"]["n_bootstrap"] = 10
    document["runs"] = {}
    for part in ("study", "leaks", "ood", "robustness"):
        document[part].update({"n_bootstrap": 10, "n_permutations": 2})
    document["study"].update({"n_init": 2, "clusterers": ["agglomerative"], "probes": ["knn"]})
    document["ood"].update({"n_init": 2, "maps": ["pca"], "k": 3, "min_clips": 3})
    document["robustness"].update({"n_init": 2, "degradations": ["noise_10db"], "max_clips": 12})
    document["report"].update({"max_players": 2, "n_examples": 1, "n_queries": 1})


def run(folder: Path, *command: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess:
    """Run a command in the project to its end, with a DVC state of its own."""
    return run_in(folder, *command, check=check, **settings(folder), **variables)


def settings(folder: Path) -> dict[str, str]:
    """Variables for every command of the project: what DVC keeps outside a project is inside it, and goes with it."""
    return {
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc/site"),
        "GIT_CEILING_DIRECTORIES": str(folder.parent),  # or the report would name the commit of whatever it lies in
        "OMP_NUM_THREADS": "1",
    }


def environment(folder: Path) -> dict[str, str]:
    """The same for a process that is started and not waited for."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1", "PATH": path, **settings(folder)}


def undisturbed(home: Path, targets: tuple[str, ...] = ()) -> Path:
    """The finished project at `home`/reference, made there the first time: the run that trials are compared with. `targets`:
    only so far."""
    folder = home / "reference"
    if not (home / "whole").exists():
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        create(folder)
        run(folder, *CLI, "run", *targets)
        (home / "whole").write_text(" ".join(targets))
    return folder


def targets(reference: Path) -> list[str]:
    """The stages that the reference was run for; none: all."""
    return (reference.parent / "whole").read_text().split()


def copy(reference: Path, to: Path) -> Path:
    """A project of its own for one trial. Its files are files of their own: what a fault spoils is spoilt there alone."""
    subprocess.run(["cp", "-a", str(reference), str(to)], check=True)  # with links of a file to itself as they are
    shutil.rmtree(to / ".dvc/site", ignore_errors=True)
    return to


def differences(project: Path, reference: Path) -> list[str]:
    """In words, all in which the outputs and dvc.lock of a project are not those of the reference; empty: the same bytes."""
    told = []
    ours, theirs = (locked(folder) for folder in (project, reference))
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            told.append(f"dvc.lock: {name} is not what it was")
    ours, theirs = (_files(folder) for folder in (project, reference))
    for path in sorted(ours.keys() | theirs.keys()):
        if ours.get(path) != theirs.get(path):
            told.append(f"{path}: {'missing' if path not in ours else 'new' if path not in theirs else 'other bytes'}")
    return told


def locked(folder: Path) -> dict:
    return yaml.load((folder / "dvc.lock").read_text(), Loader=yaml.CSafeLoader)["stages"]


def _files(folder: Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file that stages make, hidden ones too."""
    paths = (path for place in PLACES for path in sorted((folder / place).rglob("*")) if not path.is_dir())
    found = {path.relative_to(folder).as_posix(): path for path in paths if path.name != ".gitignore"}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}


def forget(project: Path, stage: str, cold: bool) -> list[str]:
    """Make a stage stale as if it had never run: its entry in dvc.lock, its outputs, DVC's memory of its runs; when `cold`, also
    all that was kept of clips and of training. Returns its outputs."""
    document = yaml.load((project / "dvc.lock").read_text(), Loader=yaml.CSafeLoader)
    entry = document["stages"].pop(stage)
    outs = [out["path"] for out in entry["outs"]]
    (project / "dvc.lock").write_text(yaml.dump(document, sort_keys=False))
    for out in outs:
        path = project / out
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (project / ".dvc/cache/runs").glob("*/*/*"):
        if yaml.load(path.read_text(), Loader=yaml.CSafeLoader)["cmd"] == entry["cmd"]:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
    if cold:
        shutil.rmtree(project / ".cache")
    return outs
