"""Alerts that were not sent because the process died: a refusal, or an interrupted retraining.

What a retraining leaves (its worktree, its branch) is taken away only after its alerts, and its end is noted after them too. So
where something is left and nobody works on it, alerts may be owed, and the next retraining or run sends them. `alert` remembers
what was told. Not here: what Dagster runs, of which its own sensor tells.
"""

import re
from collections.abc import Callable
from pathlib import Path

from pipelines.ops.alerts import settings
from pipelines.ops.alerts.send import alert, refusal
from pipelines.ops.registry import git, history, versions, worktree
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.runs import record

SEPARATORS = re.compile("[-:]")
TO_SECONDS = 15  # characters of 20261121T214000, with which a retraining's name begins


def tell(project: Path, say: Callable = print) -> None:
    """Send what is owed of every retraining that was left, once. Raises nothing."""
    for name in worktree.waiting(project):
        try:
            if settings.load(project) and not worktree.at_work(project, name):
                _tell(project, name, say)
        except (RegistryError, settings.AlertsError, OSError) as error:
            say(f"What is to be told of retraining {name} could not be: {error}")


def refusals(project: Path, name: str, commit: str, say: Callable = print) -> None:
    """Tell of the models of a retraining's commit that were refused since it began, unless that was told."""
    for model in history.names(project):
        for event in history.read(project, model):
            # before that, somebody asked `conservatory models promote` about the commit that it began from
            if event["event"] != "refused" or SEPARATORS.sub("", event["time"])[:TO_SECONDS] < name[:TO_SECONDS]:
                continue
            if versions.load(project, model, event["version"])["commit"] == commit:
                alert(project, **refusal(model, event), say=say)


def failed(project: Path, name: str, began: str, why: str, detail: str, say: Callable = print) -> None:
    """Tell that a retraining failed, or was cut off, which began (or was gone on with) at that time."""
    alert(project, "failed", "retraining", why, f"retraining {name} {began}", detail, say)


def _tell(project: Path, name: str, say: Callable) -> None:
    known = record.runs(record.read(project)).get(f"retraining-{name}", {})
    try:
        worktree.plan(project, name)
    except RegistryError:
        return  # never set up, or told of and all but taken away
    if "began" not in known or known.get("alerts") == "off":
        return
    if "ended" not in known:
        why = f"retraining {name} was cut off: killed, or the machine went down"
        failed(project, name, known["began"], why, f"To go on: conservatory retrain --resume {name}", say)
    branch = f"refs/heads/{worktree.BRANCH}{name}"
    commit = git.run(project, "rev-parse", "--verify", "--quiet", branch, check=False).stdout.strip()
    refusals(project, name, commit, say)
