"""A project's disk usage, and the free space."""

import os
import shutil
import time
from pathlib import Path

LOW_BYTES = 5 * 10**9  # less free space gives a warning; the demo writes 3 GB
PATIENCE = 1.5  # seconds for counting; a size that is incomplete by then is shown as "at least"

PLACES = {
    "data": "data",
    "models": "models",
    "reports": "reports",
    "clip cache": ".cache/clips",
    "downloads": ".cache/downloads",
    "training checkpoints": ".cache/training",
    "retrainings": ".cache/retrain",
    "logs": ".cache/logs",
    "Dagster": ".dagster",
}


def usage(project: Path, dvc_cache: Path | None, patience: float = PATIENCE) -> dict:
    """`{"places": [{"name", "path", "bytes", "linked", "whole"}], "free", "size", "low"}`.

    A file counts once, in the first place of the list that contains it: one with several links (in DVC's cache and in data/) in
    DVC's cache, one in a place inside another (a cache of clips below data/) in the outer one. Elsewhere it counts as `linked`.
    """
    places = {"DVC cache": dvc_cache} if dvc_cache else {}
    places |= {name: project / path for name, path in PLACES.items()}
    if os.environ.get("CONSERVATORY_CACHE"):
        places["clip cache"] = Path(os.environ["CONSERVATORY_CACHE"])
    seen: set[tuple[int, int]] = set()
    until = time.monotonic() + patience
    found = []
    for name, path in places.items():
        if path.exists():
            total, linked, whole = _bytes(path, seen, until)
            found.append({"name": name, "path": str(path), "bytes": total, "linked": linked, "whole": whole})
    disk = shutil.disk_usage(project)
    return {"places": found, "free": disk.free, "size": disk.total, "low": disk.free < LOW_BYTES}


def _bytes(folder: Path, seen: set[tuple[int, int]], until: float) -> tuple[int, int, bool]:
    """(bytes on disk below `folder`, bytes of files counted elsewhere, is that all?). Symbolic links are not followed."""
    total, linked, waiting = 0, 0, [str(folder)]
    while waiting:
        if time.monotonic() > until:
            return total, linked, False
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        status = entry.stat(follow_symlinks=False)
                        if (status.st_dev, status.st_ino) in seen:
                            linked += status.st_blocks * 512
                            continue
                        seen.add((status.st_dev, status.st_ino))
                        total += status.st_blocks * 512
        except OSError:  # deleted since it was listed, or not readable
            continue
    return total, linked, True
