"""The state of a project as lines of text, with optional colours."""

from collections import Counter
from collections.abc import Iterator

from pipelines.core.plain import one_line
from pipelines.ops.dvc.freshness import FRESH, GONE, NEVER, STALE
from pipelines.ops.runs.log import seconds
from pipelines.ops.runs.progress import duration
from pipelines.ops.status.gather import FAILED, ORDER

COLOURS = {FAILED: "31", STALE: "33", NEVER: "36", GONE: "35", FRESH: "32"}
MAX_STAGES = 20  # listed per state; --json has all


def lines(found: dict, colours: bool = False) -> Iterator[str]:
    """The lines, most urgent first."""
    paint = _paint if colours else lambda text, state: text
    now = seconds(found["time"])
    counts = [paint(f"{count} {state}", state) for state, count in found["counts"].items()]
    yield f"{found['project']}: {', '.join(counts) or 'no stages'}"
    for run in found["going"]:
        yield one_line(f"  {run['door']} has been running for {_ago(run['since'], now)}. {run['now']}")
    if found["disk"]["low"]:
        more = "To free more: conservatory cache --prune, conservatory prune"
        yield paint(f"  Only {size(found['disk']['free'])} free on this disk. {more}", FAILED)
    by_state = {state: [stage for stage in found["stages"] if stage["state"] == state] for state in ORDER}
    for state in (FAILED, STALE, NEVER, GONE):
        if by_state[state]:
            yield from ("", paint(f"{state.capitalize()}", state), *map(one_line, _listed(by_state[state], now)))
    yield from _section("Quarantined", [_quarantined(entry) for entry in found["quarantine"] if entry["n"]])
    yield from _section("Models", [line for model in found["models"] for line in _model(model)])
    yield from _section("Retrainings in progress", found["retraining"])
    yield from _section("Unfinished retrainings (conservatory retrain --resume ID)", found["retrainings"])
    yield from _section("Schedules and sensors (UTC)", list(_dagster(found["dagster"], now)))
    yield from _section("Last runs", [_run(run, now) for run in found["runs"][:3]])
    yield from _section("Disk", list(_disk(found["disk"], found["experiments"])))


def why(stage: dict) -> str:
    """Why a stage is not fresh, in a line."""
    if stage["state"] == FAILED:
        return stage.get("reason") or "unknown reason"
    direct = [reason for reason in stage["why"] if not reason.startswith("after ")]
    shown = direct or stage["why"]
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + more


def size(n_bytes: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if n_bytes < 1000 or unit == "TB":
            return f"{n_bytes:.0f} {unit}" if n_bytes >= 100 or unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    raise AssertionError


def _section(title: str, rows: list[str]) -> Iterator[str]:
    if rows:
        yield from ("", title, *(one_line(f"  {row}") for row in rows))


def _listed(stages: list[dict], now: float) -> Iterator[str]:
    """The changed stages one per line, and the stages after them in one line."""
    direct = [stage for stage in stages if not stage["why"] or not all(w.startswith("after ") for w in stage["why"])]
    after = [stage["name"] for stage in stages if stage not in direct]
    width = max((len(stage["name"]) for stage in direct[:MAX_STAGES]), default=0)
    for stage in direct[:MAX_STAGES]:
        when = f"{_ago(stage['time'], now)} ago: " if stage["state"] == FAILED and "time" in stage else ""
        log = f"  (conservatory logs --run {stage['run']})" if "run" in stage else ""
        yield f"  {stage['name']:{width}}  {when}{why(stage)}{log}"
    if len(direct) > MAX_STAGES:
        kinds = Counter(stage["name"].partition("@")[0] for stage in direct[MAX_STAGES:])
        yield "  and " + ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
    if after:
        named = ", ".join(after) if len(after) <= 5 else f"{', '.join(after[:4])} and {len(after) - 4} others"
        yield f"  stale because of these: {named}"


def _quarantined(entry: dict) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in entry["reasons"].items())
    return f"{entry['dataset']}: {entry['n']} ({entry.get('problem') or reasons})"


def _model(model: dict) -> Iterator[str]:
    if "problem" in model:
        yield f"{model['name']}: {model['problem']}"
        return
    scores = ", ".join(f"{name} {found['value']:.4f}" for name, found in model["metrics"].items())
    champion = (
        f"champion version {model['champion']} since {model['since'][:10]}" if model["champion"] else "no champion"
    )
    waiting = f"; challengers: {', '.join(map(str, model['challengers']))}" if model["challengers"] else ""
    yield f"{model['name']}: {champion}{f' ({scores})' if scores else ''}{waiting}"
    if last := model["last"]:
        yield f"  {last['time'][:10]} version {last['version']} {last['event'].replace('_', ' ')}: {last['reason']}"


def _dagster(answer: dict | None, now: float) -> Iterator[str]:
    if answer is None:
        return
    if "problem" in answer:
        yield answer["problem"]
        return
    for entry in (*answer["schedules"], *answer["sensors"]):
        state = "on" if entry["on"] else "off"
        following = f", next {entry['next'][:16].replace('T', ' ')}" if entry.get("next") else ""
        last = entry["last"]
        tick = (
            f", last tick {_ago(last['time'], now)} ago: {last['status']} {last['error'] or ''}".rstrip()
            if last
            else ""
        )
        yield f"{entry['name']}: {state}{following}{tick}"


def _run(run: dict, now: float) -> str:
    began = run.get("began")
    when = f"{_ago(began, now)} ago, " if began else ""
    counts = ", ".join(f"{run[key]} {key}" for key in ("ran", "unchanged", "restored") if run.get(key))
    took = f" in {duration(run['seconds'])}" if "seconds" in run else ""
    failed = f", {run.get('failed') or ''} {run.get('reason') or ''}".rstrip() if run["state"] == FAILED else ""
    return f"{when}{run.get('door', '')}: {run['state']}{took}{f' ({counts})' if counts else ''}{failed}"


def experiments(found: dict) -> str:
    """Number of experiments and their space, for instance "3, and 12 MB of DVC's cache that only they use"."""
    if "problem" in found:
        return f"unknown: {found['problem']}"
    return (
        f"{found['count']}, and {size(found['bytes'])} of DVC's cache that only they use" if found["count"] else "none"
    )


def _disk(disk: dict, experiments_: dict | None) -> Iterator[str]:
    for place in disk["places"]:
        linked = f" and {size(place['linked'])} linked to files counted above" if place["linked"] else ""
        yield f"{place['name']:21}{'' if place['whole'] else 'at least '}{size(place['bytes'])}{linked}"
    if experiments_:
        yield one_line(f"{'experiments':21}{experiments(experiments_)}")
    yield f"{'free':21}{size(disk['free'])} of {size(disk['size'])}"


def _ago(time: str, now: float) -> str:
    return duration(max(0.0, round(now - seconds(time))))


def _paint(text: str, state: str) -> str:
    return f"\x1b[{COLOURS[state]}m{text}\x1b[0m"
