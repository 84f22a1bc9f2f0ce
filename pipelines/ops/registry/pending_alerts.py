"""Alerts that were not sent because the process died: a refusal, or an interrupted retraining.

A retraining removes its worktree and records its end only after its alerts. So a worktree that no process works on may have
unsent alerts, and the next retraining or run sends them; `alert` sends none twice. For runs that Dagster started, its sensor
sends them."""

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


def send(project: Path, say: Callable = print) -> None:
    """Send the unsent alerts of all abandoned retrainings, each once. Raises nothing."""
    for name in worktree.waiting(project):
        try:
            if settings.load(project) and not worktree.at_work(project, name):
                _tell(project, name, say)
        except (RegistryError, settings.AlertsError, OSError) as error:
            say(f"Alerts of retraining {name} could not be sent: {error}")


def refusals(project: Path, name: str, commit: str, say: Callable = print) -> None:
    """Send alerts for the models of a retraining's commit that were refused since it began."""
    for model in history.names(project):
        for event in history.read(project, model):
            # earlier refusals are of the commit it began from, by `conservatory models promote`
            if event["event"] != "refused" or SEPARATORS.sub("", event["time"])[:TO_SECONDS] < name[:TO_SECONDS]:
                continue
            if versions.load(project, model, event["version"])["commit"] == commit:
                alert(project, **refusal(model, event), say=say)


def failed(project: Path, name: str, began: str, why: str, detail: str, say: Callable = print) -> None:
    """Send an alert for a retraining that failed or was killed; began: when it was started or resumed."""
    alert(project, "failed", "retraining", why, f"retraining {name} {began}", detail, say)


def _tell(project: Path, name: str, say: Callable) -> None:
    known = record.runs(record.read(project)).get(f"retraining-{name}", {})
    try:
        worktree.plan(project, name)
    except RegistryError:
        return  # never completed, or already reported and partly removed
    if "began" not in known or known.get("alerts") == "off":
        return
    if "ended" not in known:
        why = f"retraining {name} ended unexpectedly: it was killed, or the machine went down"
        failed(project, name, known["began"], why, f"To continue: conservatory retrain --resume {name}", say)
    branch = f"refs/heads/{worktree.BRANCH}{name}"
    commit = git.run(project, "rev-parse", "--verify", "--quiet", branch, check=False).stdout.strip()
    refusals(project, name, commit, say)
