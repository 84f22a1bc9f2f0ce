"""Outputs from which a file was purged because a clip in it was withdrawn: what is left of them.

DVC lays out a folder whole or not at all.
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
MANY = 500  # files that one command is given


@dataclass(frozen=True)
class Torn:
    """An output's files that were purged and that DVC's cache lacks, and the others, which it has."""

    gone: list[str]
    rest: list[str]


def checkout(*options: str) -> bool:
    """`dvc checkout`, its words shown. Was all laid out?"""
    return not subprocess.run([*CHECKOUT, *options], env=run.environment()).returncode


def torn(repo, purged: Container[str]) -> dict[str, Torn]:
    """By path, the outputs of the working tree that DVC's cache cannot give whole, because of files that were `purged`."""
    found = {}
    for path, md5 in index.cached_outputs(repo).items():
        inside = local_cache.entries(repo, md5) if md5.endswith(".dir") else {}
        files = {f"{path}/{name}": each for name, each in (inside or {}).items()} or {path: md5}
        here = {name for name, each in files.items() if local_cache.path(repo, each).exists()}
        if gone := [name for name, each in files.items() if each in purged and name not in here]:
            found[path] = Torn(gone, sorted(here))
    return found


def lay_out_rest(project: Path, outputs: dict[str, Torn]) -> str:
    """Lay out what else there is of these outputs. Returns what is lacking and what to do, in a sentence; "" where the project
    itself still has what was purged."""
    lacking = {path: each for path, each in outputs.items() if not all((project / name).exists() for name in each.gone)}
    rest = [name for each in lacking.values() for name in each.rest]
    for first in range(0, len(rest), MANY):
        checkout("--allow-missing", "--quiet", *rest[first : first + MANY])
    if not lacking:
        return ""
    told = [f"{path} ({_part(each)})" for path, each in lacking.items()]
    return (
        f"Not laid out, because a clip in it was withdrawn and its bytes purged since: {', '.join(told)}. No remote is to bring "
        "them back. A newer commit has these outputs without the clip; here `conservatory run` makes them again, without the "
        "clips that `withdrawn` in params.yaml names."
    )


def _part(each: Torn) -> str:
    lacking = f"{len(each.gone)} of {len(each.gone) + len(each.rest)} files"
    return f"{lacking}, the others are there" if each.rest else lacking
