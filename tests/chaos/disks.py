"""A full disk, and a cache that may only be read, in a namespace of mounts of its own: nothing outside the trial is touched.

Run as a command (`python -m chaos.disks FAULT SEED REFERENCE FOLDER`) it is inside that namespace already.
"""

import random
import shutil
import subprocess
import sys
from pathlib import Path

from chaos import kills, project

FULL = ("No space left", "disk is full")
SPARE = 24_000_000  # bytes beyond the project's own, so that the run after it has room


def full(seed: int, reference: Path, folder: Path) -> str:
    """The whole project, its caches and its temporary folder on a disk with (almost) no room, when a stage must run."""
    return _inside("full", seed, reference, folder)


def read_only(seed: int, reference: Path, folder: Path) -> str:
    return _inside("read_only", seed, reference, folder)


def _inside(fault: str, seed: int, reference: Path, folder: Path) -> str:
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "chaos.disks", fault]
    where = {"PYTHONPATH": f"{project.PROJECT / 'tests'}:{project.PROJECT}"}
    done = subprocess.run(
        [*command, str(seed), str(reference), str(folder)],
        cwd=folder,
        env={**project.environment(folder), **where},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return done.stdout.strip()


def possible() -> bool:
    command = ["unshare", "--user", "--map-root-user", "--mount", "true"]
    return (
        bool(shutil.which("unshare") and shutil.which("mount"))
        and not subprocess.run(command, capture_output=True).returncode
    )


def _full(seed: int, reference: Path, folder: Path) -> str:
    draw, names = random.Random(seed), kills.stages(reference)
    stage, cold = names[seed % len(names)], draw.random() < 0.5
    size = sum(path.lstat().st_size for path in reference.rglob("*"))
    disk = folder / "disk"
    disk.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={2 * size + SPARE}", "tmpfs", str(disk))
    place = project.copy(reference, disk / "project")
    (disk / "tmp").mkdir()
    outs = project.forget(place, stage, cold)
    needed = sum(path.stat().st_size for out in outs for path in _files(reference / out))
    room = int(draw.choice([0, 8192, needed // 2, needed, 2 * needed]))
    filler = disk / "filler"
    with open(filler, "wb") as file:
        free = shutil.disk_usage(disk).free
        file.write(b"\0" * max(0, free - room))
    failed = project.run(place, *project.CLI, "run", stage, check=False, TMPDIR=str(disk / "tmp"))
    filler.unlink()
    done = f"{stage}, {'cold' if cold else 'warm'}, {room} bytes of room for {needed}: "
    done += "enough" if failed.returncode == 0 else "stopped"
    told = failed.stdout + failed.stderr
    assert failed.returncode == 0 or any(text in told for text in FULL), (
        f"{done}, without a clear reason:\n{told[-3000:]}"
    )
    kills.rerun(place, reference, f"{done}\n{told[-2000:]}")
    return done


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]


def _read_only(seed: int, reference: Path, folder: Path) -> str:
    """DVC's cache, or the cache of clips: the run goes on, or stops and says why; a plain run afterwards makes all good."""
    draw = random.Random(seed)
    which = [".cache/clips", ".dvc/cache"][seed % 2]
    stage = draw.choice(["features@chords-log_mel", "features@mine-pooled", "audio@chords", "degrade@mine"])
    place = project.copy(reference, folder / "project")
    project.forget(place, stage, cold=False)
    if draw.random() < 0.5:  # the clips are not in it
        shutil.rmtree(place / ".cache/clips")
        (place / ".cache/clips").mkdir()
    _mount("--bind", str(place / which), str(place / which))
    _mount("-o", "remount,bind,ro", str(place / which))
    tried = project.run(place, *project.CLI, "run", stage, check=False)
    subprocess.run(["umount", str(place / which)], check=True)
    told = tried.stdout + tried.stderr
    done = f"{which}, {stage}: {'went on' if tried.returncode == 0 else 'stopped'}"
    assert tried.returncode == 0 or "Read-only" in told, f"{done}, without a clear reason:\n{told[-3000:]}"
    assert which != ".cache/clips" or tried.returncode == 0, f"{done}:\n{told[-3000:]}"
    kills.rerun(place, reference, f"{done}\n{told[-2000:]}")
    return done


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    trial = {"full": _full, "read_only": _read_only}[sys.argv[1]]
    print(trial(int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])))
