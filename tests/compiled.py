"""Where a test process finds and keeps what numba compiles.

Numba's cache does not bear two processes that fill it at once (numba issue 10128: segmentation faults), so each process of
pytest-xdist has its own, which the commands that it starts read. It begins with what installation compiled
(`pipelines.precompile`), which would otherwise take each a minute.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

PROJECT = Path(__file__).parents[1]
PACKAGES = ("librosa", "pynndescent", "umap")


def folder(process: str) -> Path:
    """The cache of this process, for NUMBA_CACHE_DIR."""
    cache = PROJECT / ".cache/numba" / process
    if not cache.exists():
        copy = Path(mkdtemp(prefix=f"{process}-", dir=_made(cache.parent)))
        for place in (PROJECT / "pipelines", *(Path(find_spec(name).origin).parent for name in PACKAGES)):
            for file in place.rglob("__pycache__/*.nb[ic]"):
                to = copy / _subfolder(file.parents[1])
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
        with suppress(OSError):  # another run of tests was faster
            copy.rename(cache)
        shutil.rmtree(copy, ignore_errors=True)
    return cache


def hand_on(project: Path) -> None:
    """Let a copy of the project find what is compiled for the original; it would take each copy seconds.

    Numba keeps it by the path and the date of a source file, and a copy has the original's dates. Without NUMBA_CACHE_DIR it lies
    beside the source, and is copied with it.
    """
    cache = os.environ.get("NUMBA_CACHE_DIR")
    for place in {path.parent for path in (PROJECT / "pipelines").rglob("*.py")} if cache else ():
        known = Path(cache) / _subfolder(place)
        if known.exists():
            shutil.copytree(
                known,
                Path(cache) / _subfolder(project / place.relative_to(PROJECT)),
                ignore=shutil.ignore_patterns("*.tmp.*"),  # what numba is writing
                dirs_exist_ok=True,
            )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _subfolder(source: Path) -> str:
    """What numba calls the folder for compiled code of a folder of sources (`_CacheLocator.get_suitable_cache_subpath`)."""
    return f"{source.name}_{hashlib.sha1(str(source).encode()).hexdigest()}"
