"""Restore the other files of an output after one of them was purged because it contains a withdrawn clip.

DVC checks out a folder completely or not at all.
"""

import subprocess
import sys
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from pipelines.ops import run
from pipelines.ops.patches import index
from pipelines.ops.remotes import local_cache

CHECKOUT = [sys.executable, "-m", "dvc", "--wait-for-lock", "checkout"]
MANY = 500  # files per command


@dataclass(frozen=True)
class Torn:
    """An output: the purged files that DVC's cache lacks (`gone`), and the files it has (`rest`)."""

    gone: list[str]
    rest: list[str]


def checkout(*options: str) -> bool:
    """Run `dvc checkout`, with its output shown. Did it succeed?"""
    return not subprocess.run([*CHECKOUT, *options], env=run.environment()).returncode


def torn(repo, purged: Container[str]) -> dict[str, Torn]:
    """Path -> output, for the outputs of the working tree that are incomplete in DVC's cache because of `purged` files."""
    found = {}
    for path, md5 in index.cached_outputs(repo).items():
        inside = local_cache.entries(repo, md5) if md5.endswith(".dir") else {}
        files = {f"{path}/{name}": each for name, each in (inside or {}).items()} or {path: md5}
        here = {name for name, each in files.items() if local_cache.path(repo, each).exists()}
        if gone := [name for name, each in files.items() if each in purged and name not in here]:
            found[path] = Torn(gone, sorted(here))
    return found


def lay_out_rest(project: Path, outputs: dict[str, Torn]) -> str:
    """Check out the remaining files of these outputs. Returns a message on the missing files and what to do; "" if the project
    still has the purged files."""
    lacking = {path: each for path, each in outputs.items() if not all((project / name).exists() for name in each.gone)}
    rest = [name for each in lacking.values() for name in each.rest]
    for first in range(0, len(rest), MANY):
        checkout("--allow-missing", "--quiet", *rest[first : first + MANY])
    if not lacking:
        return ""
    named = [f"{path} ({_part(each)})" for path, each in lacking.items()]
    return (
        f"Not checked out, because files with a withdrawn clip were purged: {', '.join(named)}. They are not fetched from a "
        "remote. A newer commit has these outputs without the clip; here `conservatory run` makes them again, without the "
        "clips in `withdrawn` of params.yaml."
    )


def _part(each: Torn) -> str:
    lacking = f"{len(each.gone)} of {len(each.gone) + len(each.rest)} files"
    return f"{lacking}, the others are there" if each.rest else lacking
