"""Find when a stage ran outside Dagster, and who ran it: in the record of runs, or else by the time of its output.

Dagster dates an event by when it was reported, so the metadata and description of the event give the time of the run.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assets.recipe import Stage
from pipelines import recipe
from pipelines.ops.runs import log, made_by, record


@dataclass(frozen=True)
class Ran:
    """What is known of the run behind a stage's entry in dvc.lock."""

    sentence: str
    times: Mapping[str, float] = field(default_factory=dict)  # "finished" or "output written" -> seconds since 1970
    seconds: float | None = None  # wall time of its command
    measured: Mapping[str, object] = field(default_factory=dict)  # of its progress: items, unit, per_second


@dataclass(frozen=True)
class Runs:
    """The runs recorded in a project's folder."""

    made: Mapping[str, Mapping]  # digest of an entry of dvc.lock -> its run, as `made.known` has it
    progress: Mapping[str, Mapping]  # stage -> the newest line of it in the record of runs


def runs(project: Path) -> Runs:
    return Runs(made_by.known(project), record.stages(record.read(project)))


def of(project: Path, stage: Stage, entry: Mapping, runs: Runs) -> Ran:
    """What is known of the run behind `entry`, a stage's entry in dvc.lock. A plain `dvc repro` leaves no record: then the time
    of the output's file is used, which after `dvc pull` or `dvc checkout` is the time of that command."""
    if first := runs.made.get(recipe.digest(entry)):
        run = first["last"] or first
        finished = log.seconds(run["time"])
        progress = runs.progress.get(stage.name, {})
        known = progress.get("run") == run["run"] and {"items", "unit"} <= progress.keys()
        measured = progress if known else {}
        where = f" on {run['host']}" if run["host"] else ""
        sentence = f"{run['door'] or 'a run'}{where} finished it {_written(finished)}"
        return Ran(sentence, {"finished": finished}, run["seconds"], measured)
    written = (project / stage.data).stat().st_mtime
    return Ran(f"its output was written {_written(written)}", {"output written": written})


def _written(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
