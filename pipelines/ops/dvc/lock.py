"""Run DVC with an atomic and fast dvc.lock: `python -m pipelines.ops.dvc.lock repro` for `python -m dvc repro`.

`pipelines/ops/patches/lockfile.py` does this. A plain `dvc repro` does the same work.
"""

import sys
from collections.abc import Collection

from pipelines.ops.patches import lockfile
from pipelines.ops.runs import parent
from pipelines.recipe import ENTRY, HEAD


def names(text: str) -> list[str]:
    """The stages that have an entry in the text of a dvc.lock."""
    return [line[2:-1].strip("'\"") for line in text.splitlines() if line.endswith(":") and ENTRY.match(line)]


def without(text: str, gone: Collection[str]) -> str:
    """The text of a dvc.lock without the entries of the stages `gone`."""
    kept, skipping = [], False
    for line in text.splitlines(keepends=True):
        if ENTRY.match(line):
            skipping = bool(set(names(line)) & set(gone))
        elif not line.startswith(" "):
            skipping = False
        if not skipping:
            kept.append(line)
    return "".join(kept) if len(kept) > HEAD.count("\n") else "schema: '2.0'\nstages: {}\n"


def main() -> int:
    from dvc.cli import main as dvc

    lockfile.install()
    with parent.watched():
        return dvc(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
