"""Names of the git references by which DVC keeps experiments: `refs/exps/<commit it began from, 2 + 38 digits>/<name>`.

Uses: the layout of DVC's references.

Why: a retraining runs in a git worktree, of which several can run at once, and its commit is made an experiment by its reference,
so that `dvc exp show` lists it. `dvc exp run` leaves the workspace changed.

Written for: dvc 3.67.1

Without it: retrainings are commits on branches `retrain/<id>`, and `dvc exp show` does not list them.
"""

import re

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"
PREFIX = "refs/exps"
REFERENCE = re.compile(rf"{PREFIX}/[0-9a-f]{{2}}/[0-9a-f]{{38}}/(.+)")
"""Matches an experiment, with its name as group 1; DVC keeps other references under the same prefix."""


def reference(base: str, name: str) -> str:
    """The reference of the experiment `name` that began from the commit `base` (40 hex digits)."""
    fits("dvc", VERSION, "`dvc exp show` may not list retrainings")
    return f"{PREFIX}/{base[:2]}/{base[2:]}/{name}"
