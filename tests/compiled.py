"""Where a test process finds and keeps what numba compiles.

Numba's cache does not bear two processes that fill it at once (numba issue 10128: segmentation faults), so each process has its
own. It begins with what installation compiled (`pipelines.precompile`), which would otherwise take each a minute.
"""

import hashlib
import shutil
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PACKAGES = ("librosa", "pynndescent", "umap")


def folder(process: str) -> Path:
    """The cache of this process, for NUMBA_CACHE_DIR."""
    cache = PROJECT / ".cache/numba" / process
    if not cache.exists():
        for place in (PROJECT / "pipelines", *(Path(find_spec(name).origin).parent for name in PACKAGES)):
            for file in place.rglob("__pycache__/*.nb[ic]"):
                to = cache / _subfolder(file.parents[1])
                to.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, to)
    return cache


def _subfolder(source: Path) -> str:
    """What numba calls the folder for compiled code of a folder of sources (`_CacheLocator.get_suitable_cache_subpath`)."""
    return f"{source.name}_{hashlib.sha1(str(source).encode()).hexdigest()}"
