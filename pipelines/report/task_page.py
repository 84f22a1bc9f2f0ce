"""The page of a family of tasks: the scores of each run from reports/scores.json, and the family's own section if it has one."""

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, ModuleType

from markupsafe import Markup

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.report import charts, headline, metric_names, private, sections, shell
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.state import State
from pipelines.report.templates import filler

SCORES, DIFFERENCES = paths.report("scores"), paths.report("differences")
FAMILIES = "pipelines.tasks"
GROUPS = "guards: no group on two sides"
"""A check of a run's record, in data/scores/<run>/checks.json."""
SHOWN = 3
"""How many groups of comparable runs the verdict and the front page name."""
KEYS = ("value", "low", "high", "n", "n_groups", "chance", "baseline", "unit", "split")


def render(state: State, name: str) -> tuple[str, Lineage, dict[str, int | str]]:
    """(HTML, its lineage, figures: runs, sections) of one family. The same state gives the same bytes."""
    hide = private.hider(state)
    state = replace(state, settings=hide(state.settings))
    task = read(name, state.settings)
    context = Context(state, Lineage(state.stages), filler(hide), task=task)
    own = section_of(name)
    drawn = [{"id": "scores", "title": "The runs", "html": _runs(context)}] if task.scores else []
    if task.differences:
        drawn.append({"id": "differences", "title": "Which differences are significant", "html": _differences(context)})
    drawn += sections.render([own] if own else [], context)
    heading = context.fill("task_heading.html.j2", name=name, sentence=sentence(task), not_scored=task.not_scored)
    title = f"{headline.words(name)}: the runs"
    html = shell.page(
        context.fill, title, drawn, context.lineage, heading=heading, back="../index.html", **_played(context)
    )
    return html, context.lineage, {"runs": len(task.scores), "sections": ", ".join(one["title"] for one in drawn)}


def _played(context: Context) -> dict[str, list]:
    """What the page's player needs of the clips that sections have given it."""
    clips = [{"title": title, "href": "", "sound": number} for number, (title, _) in enumerate(context.played)]
    of_the_page = {"name": headline.words(context.task.name), "page": "", "clips": clips, "targets": [], "maps": []}
    return {"data": [of_the_page], "sounds": [[sound for _, sound in context.played]]}


def read(name: str, settings: Mapping = MappingProxyType({})) -> Task:
    """The family's part of reports/scores.json and reports/differences.json; empty where no run of it was scored yet. A metric
    that the scored units have no value of is left out."""
    scores = {
        run: {metric: record for metric, record in found.items() if record["value"] is not None}
        for run, found in _json(SCORES).get(name, {}).items()
    }
    pairs = [pair for pair in _json(DIFFERENCES).get(name, []) if pair["value"] is not None]
    scores = {run: found for run, found in scores.items() if found}
    return Task(name, scores, pairs, _not_scored(name), frozenset(settings.get("cross_tests") or {}))


def _not_scored(name: str) -> dict[str, str]:
    """Run -> why it has no scores, of the family's runs."""
    found = {path.parent.name: read_json(path) for path in sorted(paths.scores().glob("*/about.json"))}
    return {run: one["not_scored"] for run, one in found.items() if one["task"] == name and "not_scored" in one}


def _json(path: Path) -> dict:
    return read_json(path) if path.exists() else {}


def section_of(name: str) -> ModuleType | None:
    """The family's own section, pipelines/tasks/<name>/section, if there is one."""
    if not importlib.util.find_spec(FAMILIES) or not importlib.util.find_spec(f"{FAMILIES}.{name}"):
        return None
    place = f"{FAMILIES}.{name}.section"
    return importlib.import_module(place) if importlib.util.find_spec(place) else None


def cards(state: State, lineage: Lineage) -> list[dict]:
    """`{"name", "n_runs", "groups" (as `ranked` gives them, with the best runs alone), "more", "source"}` of each family of the
    recipe, for the front page. more: runs that are not named."""
    return [_card(read(name, state.settings), lineage) for name in state.settings.get("tasks", {})]


def _card(task: Task, lineage: Lineage) -> dict:
    groups = ranked(task)
    most = 5 if len(groups) == 1 else 3
    shown = [group | {"runs": group["runs"][:most]} for group in groups[:SHOWN]]
    more = len(task.scores) - sum(len(group["runs"]) for group in shown)
    return {
        "name": task.name,
        "n_runs": len(task.scores),
        "groups": shown,
        "more": more,
        "source": lineage.mark(SCORES),
    }


def ranked(task: Task) -> list[dict]:
    """`{"what", "runs"}` of each group of runs that are scored on the same units, the largest group first. what: dataset and
    target, "" where the runs do not say them. runs: `{"run", "metric", ...}` with its record of each run that has the group's
    leading metric, the best first.

    Cross tests are left out, and runs with groups on both sides of their split: their scores are no evidence."""
    groups: dict[tuple, list[str]] = {}
    for run, records in task.scores.items():
        if run not in task.crossed and not _leaks(run):
            groups.setdefault(_scored_on(run, records), []).append(run)
    found = [{"what": what, "runs": _order(task, runs, lead)} for (what, _, lead), runs in groups.items()]
    named = [group["what"] for group in found]
    for group in found:
        if group["what"] and named.count(group["what"]) > 1:
            group["what"] += f", {group['runs'][0]['n']:,} scored"
    return sorted(found, key=lambda group: -len(group["runs"]))


def _scored_on(run: str, records: dict[str, dict]) -> tuple[str, object, str]:
    """(dataset and target, the scored units, the leading metric): runs with the same three can be compared."""
    about = _json(paths.scores(run) / "about.json")
    if "fingerprint" in about:
        target = about["options"].get("target")
        what = f"{about['dataset']} ({headline.words(target)})" if target else about["dataset"]
        return what, about["fingerprint"], about["lead"]
    first, record = next(iter(records.items()))
    return "", tuple(record.get(key) for key in ("split", "n", "n_groups")), first


def _order(task: Task, runs: list[str], lead: str) -> list[dict]:
    """The runs that have the metric `lead`, or if none has it the first run's first metric, the best first."""
    metric = lead if any(lead in task.scores[run] for run in runs) else next(iter(task.scores[runs[0]]))
    records = {run: _whole(task.scores[run][metric]) for run in runs if metric in task.scores[run]}
    sign = 1 if next(iter(records.values()))["higher_is_better"] else -1
    order = sorted(records, key=lambda run: -sign * records[run]["value"])
    return [{"run": run, "metric": metric, **records[run]} for run in order]


def _leaks(run: str) -> bool:
    """Does the run's record say that groups stand on both sides of its split?"""
    checks = _json(paths.scores(run) / "checks.json")
    return checks.get(GROUPS, [None])[0] is False


def sentence(task: Task) -> str:
    """The verdict on the best run of each of the largest groups of comparable runs, by its interval alone."""
    if not task.scores:
        return "No run of this family has been scored yet."
    crossed = [run for run in task.scores if run in task.crossed]
    if len(crossed) == len(task.scores):
        return "Only cross tests of this family have been scored, and they are not ranked."
    if not (groups := ranked(task)):
        return "Every scored run has groups on both sides of its split: none says how well new material is recognised."
    said = [_verdict(group) for group in groups[:SHOWN]]
    if (n := len(groups) - SHOWN) > 0:
        said.append(
            f"{headline.word(n).capitalize()} more group{'s' if n > 1 else ''} of runs {'are' if n > 1 else 'is'} scored on "
            "other data: scores of two groups cannot be compared."
        )
    if crossed:
        n = len(crossed)
        said.append(f"{headline.word(n).capitalize()} cross test{'s are' if n > 1 else ' is'} not ranked.")
    return " ".join(said)


def _verdict(group: dict) -> str:
    order, on = group["runs"], f" on {group['what']}" if group["what"] else ""
    found = order[0]
    metric = metric_names.name(found["metric"])
    text = f"{found['run']} has the best {metric} of {headline.word(len(order))} runs{on}, {found['value']:.3f}"
    if len(order) == 1:
        article = "an" if metric[0].lower() in "aeiou" else "a"
        text = f"{found['run']}, the one run{on}, has {article} {metric} of {found['value']:.3f}"
    floors = [
        (found[key], what)
        for key, what in (("baseline", "the baseline"), ("chance", "chance"))
        if found[key] is not None
    ]
    if not floors or not found["ci95"]:
        return f"{text}."
    higher = found["higher_is_better"]
    floor, what = max(floors, key=lambda pair: pair[0] if higher else -pair[0])
    low, high = found["ci95"]
    better = low > floor if higher else high < floor
    return f"{text}: {'better than' if better else 'not significantly different from'} {what} ({floor:.3f})."


def _metrics(task: Task) -> list[str]:
    return list(dict.fromkeys(metric for records in task.scores.values() for metric in records))


def _whole(record: dict) -> dict:
    """A record of scores.json with what it may leave out."""
    return {"ci95": None, "chance": None, "baseline": None, "unit": "", "split": "", "higher_is_better": True} | record


def _runs(context: Context) -> Markup:
    task, metrics = context.task, _metrics(context.task)
    scores = {run: {metric: _whole(one) for metric, one in found.items()} for run, found in task.scores.items()}
    charted = [
        _chart(metric, {run: found[metric] for run, found in scores.items() if metric in found}) for metric in metrics
    ]
    rows = [(run, [found.get(metric) for metric in metrics]) for run, found in scores.items()]
    exported = [[run, metric, *_exported(one)] for run, found in scores.items() for metric, one in found.items()]
    return context.fill(
        "task.html.j2",
        task=task.name,
        metrics=metrics,
        charts=charted,
        rows=rows,
        table={"columns": ["run", "metric", *KEYS], "rows": exported},
        source=context.lineage.mark(SCORES),
    )


def _exported(record: dict) -> list:
    low, high = record["ci95"] or (None, None)
    known = record | {"low": low, "high": high}
    return [known.get(key) for key in KEYS]


def _chart(metric: str, records: dict[str, dict]) -> dict:
    """A chart of intervals, a row a run, on an axis that holds all of them: 0 to 1 where they lie there."""
    numbers = [
        number
        for record in records.values()
        for number in (record["value"], record["chance"], record["baseline"], *(record["ci95"] or ()))
        if number is not None
    ]
    ticks = charts.quarters(min(0.0, *numbers), max(0.0, *numbers))
    if max(numbers) <= 1 and min(numbers) >= 0:
        ticks = charts.quarters(0, 1)
    first = next(iter(records.values()))
    return {
        "metric": metric,
        "unit": first["unit"],
        "better": "higher" if first["higher_is_better"] else "lower",
        "rows": list(records.items()),
        "axis": (ticks[0], ticks[-1]),
        "ticks": [(25 * n, f"{tick:g}") for n, tick in enumerate(ticks)],
    }


def _differences(context: Context) -> Markup:
    rows = [{"ci95": None, "n": None} | one for one in context.task.differences]
    columns = ["a", "b", "metric", "value", "low", "high", "n"]
    exported = [
        [one["a"], one["b"], one["metric"], one["value"], *(one["ci95"] or (None, None)), one["n"]] for one in rows
    ]
    return context.fill(
        "differences.html.j2",
        task=context.task.name,
        rows=rows,
        real=sum(bool(one["ci95"]) and (one["ci95"][0] > 0 or one["ci95"][1] < 0) for one in rows),
        by_chance=_by_chance(sum(bool(one["ci95"]) for one in rows)),
        table={"columns": columns, "rows": exported},
        source=context.lineage.mark(DIFFERENCES),
    )


def _by_chance(n: int) -> str:
    """How many of `n` 95% intervals lie on one side of 0 although there is no difference."""
    if n < 20:
        return "of pairs without a difference, about one in twenty appears significant by chance."
    return f"if no pair differed, about {headline.word(round(0.05 * n))} of {n} would appear significant by chance."
