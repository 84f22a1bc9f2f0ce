"""Parse the lines that `dvc repro` prints.

Uses: the wording of DVC's messages on standard output and standard error.

Why: DVC has no other way to say, while it runs, which stage it runs, skips or restores, and why one failed. The log, the record
of runs, progress, alerts and Dagster's events are all derived from these lines (`pipelines/ops/runs/follow.py`).

Written for: dvc 3.67.1

Without it: stages run and dvc.lock is written as before. But the log, the record and Dagster do not know which stage ran or how
long it took, and a failure is reported without the name of its stage.
"""

import re

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"
RUNNING = re.compile(r"Running stage '(?:dvc\.yaml:)?(.+)':$")
UNCHANGED = re.compile(r"Stage '(?:dvc\.yaml:)?(.+)' didn't change, skipping$")
RESTORED = re.compile(r"Stage '(?:dvc\.yaml:)?(.+)' is cached - skipping run, checking out outputs$")
FAILED = re.compile(r"ERROR: failed to reproduce '(?:dvc\.yaml:)?(.+?)'(?:: (.*))?$")
EXITED = re.compile(r"failed to run: .*, exited with (-?\d+)$", re.DOTALL)
BUSY = re.compile(r"'([^']+)' is busy, it is being blocked by:")
"""Another process uses this file. The next lines name the process, and advise to delete a lock that is in use."""
ADVICE = ("To track the changes with git", "\tgit add", "To enable auto staging", "\tdvc config", "Use `dvc push`",
          "Updating lock file", "Generating lock file", "Data and pipelines are up to date")  # fmt: skip
"""Beginnings of lines that are not shown: advice for users of plain DVC, which is wrong for users of Conservatory."""
ERROR = "ERROR: "
NO_REASON = ("> ", "WARNING: ")
"""Beginnings of lines that do not say why a stage failed: the command it runs, and warnings."""


def check() -> None:
    """Warn if DVC's messages may have another wording than the one parsed here."""
    fits("dvc", VERSION, "the log and the record of runs may lack which stages ran")
