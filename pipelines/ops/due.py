"""Select the stages that a run executes, in order, and the stages that it skips."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from pathlib import Path

from pipelines.ops import estimate
from pipelines.ops.runs import record
from pipelines.ops.settings import load_params

ALONE, FORCED = ["--single-item"], ["--force", "--single-item"]
SUMMARIES = ("compare", "metrics", "task_page", "report")
"""Kinds of stages that read all datasets and runs, and work without a missing one."""
Call = tuple[list[str], list[str]]
"""Options of `dvc repro`, and the stages it is given."""


def needs(targets: list[str], dataset: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """(each stage to be run -> the stages it needs, in their order; the stages that are up to date) of the targets and what
    these need; without targets of everything, or of one dataset. Raises `SystemExit` where the recipe cannot be read."""
    from pipelines.ops.dvc import freshness

    try:
        found = freshness.states()
    except freshness.StatusError as error:
        raise SystemExit(str(error)) from error
    found = _with_inputs(found, targets) if targets else found
    fresh, due = sorted_out(found, dataset)
    return {name: found[name].needs for name in due}, fresh


def stale(dataset: str = "") -> tuple[list[Call], list[str]]:
    """(a call with the stages that are not up to date, each after its inputs; the stages that are). Comparing all stages at once
    takes a tenth of DVC's time per skipped stage. If the recipe cannot be read, DVC reports why.

    dataset: only its stages, their inputs, and the report, which shows the present results of the other datasets.
    """
    from pipelines.ops.dvc import freshness

    try:
        fresh, due = sorted_out(freshness.states(), dataset)
    except freshness.StatusError:
        return [([], [])], []
    return [(ALONE, due)] if due else [], fresh


def sorted_out(found: dict, dataset: str) -> tuple[list[str], list[str]]:
    """(up to date, to run) from the result of `freshness.states`, for all stages, or those of one dataset as in `stale`."""
    from pipelines.ops.dvc import freshness

    if dataset:
        settings = load_params()
        runs = (settings.get("runs") or {}) | (settings.get("cross_tests") or {})
        of_it = {dataset, *(name for name, entry in runs.items() if entry["dataset"] == dataset)}
        wanted = {name for name in found if dataset_of(name) in of_it or is_summary(name)}
        for name in reversed(found):
            if name in wanted and not is_summary(name):
                wanted.update(found[name].needs)
        if dataset in (
            settings.get("corpora") or {}
        ):  # whose stages need no other dataset's, so a first run lacks those
            for name, state in found.items():
                lacking = any(found[need].state == freshness.NEVER and need not in wanted for need in state.needs)
                if is_summary(name) and state.state == freshness.NEVER and lacking:
                    wanted.discard(name)
        found = {name: state for name, state in found.items() if name in wanted}
    fresh = [name for name, state in found.items() if state.state == freshness.FRESH]
    due = [name for name, state in found.items() if state.state != freshness.FRESH]
    if dataset and all(map(is_summary, due)):
        due = []  # only other datasets changed
    return fresh, due


def _with_inputs(found: dict, targets: Iterable[str]) -> dict:
    """The targets (stages, or kinds of stages) among `found`, and the stages whose outputs they need."""
    wanted = {name for name in found if name in targets or name.partition("@")[0] in targets}
    for name in reversed(found):
        wanted.update(found[name].needs if name in wanted else ())
    return {name: state for name, state in found.items() if name in wanted}


def plan(
    dataset: str = "", targets: Collection[str] = (), after: Iterable[str] = ()
) -> list[tuple[str, str, estimate.Estimate]]:
    """(stage, why it is not up to date, how long it takes) for the stages that a run of the targets would run. after: as of
    `run.repro`, stages that run last, without those of their inputs that are not among the targets'."""
    from pipelines.ops.dvc import freshness

    found = freshness.states()
    _, due = sorted_out(_with_inputs(found, targets) if targets else found, dataset)
    for name in after:
        why = found[name].why if name in found else ()
        waits = why and all(each.startswith("after ") and each.removeprefix("after ") not in due for each in why)
        if name in found and found[name].state != freshness.FRESH and name not in due and not waits:
            due.append(name)
    settings = load_params()
    datasets = settings["datasets"]
    known, stated = estimate.took(record.read(Path())), estimate.of_presets(settings)
    times = estimate.plan(due, known, estimate.sizes(datasets), estimate.growth(datasets), stated)
    return [(name, "; ".join(found[name].why), times[name]) for name in due]


def empty(stage: Mapping, settings: Mapping) -> str:
    """The section of params.yaml that should give the stage its items, if it is empty; else "". (DVC takes the name of a stage
    without items to mean all stages.)"""
    loops = [stage.get("foreach", ""), *stage.get("matrix", {}).values()]
    sections = re.findall(r"\$\{(\w+)\}", " ".join(map(str, loops)))
    return next((section for section in sections if not settings.get(section)), "")


def items(stage: str) -> list[str] | None:
    """The items of a stage's kind, if `stage` (kind@item) is none of them; None for a stage of dvc.yaml, or a whole kind."""
    from dvc.exceptions import DvcException

    from pipelines.ops.patches import resolver

    kind, at, _ = stage.partition("@")
    if not at:
        return None
    try:
        names = resolver.names(Path())
    except DvcException:
        return None  # DVC reports what is wrong with dvc.yaml
    return None if stage in names else sorted(name.partition("@")[2] for name in names if name.startswith(f"{kind}@"))


def is_summary(stage: str) -> bool:
    return stage.partition("@")[0] in SUMMARIES


def dataset_of(stage: str) -> str:
    """The dataset of a stage: mine for cluster@mine and features@mine-log_mel; "" if it has none."""
    return estimate.parts(stage)[1]


def forced(targets: list[str]) -> tuple[list[Call], list[str]]:
    """(the calls that run these stages again, their inputs that are up to date). First stale inputs, since DVC forces all stages
    it is given and checks no others; then the stages, with those between two of them."""
    from pipelines.ops.dvc import freshness

    try:
        found = freshness.states()
    except freshness.StatusError:
        return [(FORCED, targets)], []
    named = {
        target: [name for name in found if name.partition("@")[0] == target or name == target] for target in targets
    }
    if not all(named.values()):
        return [(FORCED, targets)], []  # DVC reports the unknown stage
    forced = {name for names in named.values() for name in names}
    wanted, after = set(_with_inputs(found, forced)), set[str]()
    for name, state in found.items():
        if not (forced | after).isdisjoint(state.needs):
            after.add(name)
    before = [name for name in found if name in wanted - forced - after]
    due = [name for name in before if found[name].state != freshness.FRESH]
    rest = [name for name in found if name in wanted & (forced | after)]
    calls = [(ALONE, due)] if due else []
    calls += [(FORCED if again else ALONE, list(names)) for again, names in groupby(rest, forced.__contains__)]
    return calls, [name for name in before if name not in due]
