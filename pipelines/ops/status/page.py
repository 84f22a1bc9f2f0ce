"""The state of a project as one self-contained page. All text is escaped, since names and reasons may come from others."""

from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.ops.dvc.freshness import FRESH, GONE, NEVER, STALE
from pipelines.ops.runs.progress import duration
from pipelines.ops.status import text
from pipelines.ops.status.gather import FAILED, ORDER

HERE = Path(__file__).parent
STYLE = HERE.parents[1] / "report" / "style.css"  # the style of the report
CLASSES = {FAILED: "failed", STALE: "stale", NEVER: "never", GONE: "gone", FRESH: "fresh"}


def render(found: dict) -> str:
    """The page for the data of `gather.gather`."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"size": text.size, "experiments": text.experiments, "duration": duration, "day": _day}
    groups: dict[str, list[dict]] = {}
    for stage in found["stages"]:
        groups.setdefault(stage["name"].partition("@")[0], []).append({**stage, "reason": text.why(stage)})
    places = found["disk"]["places"]
    return environment.get_template("page.html.j2").render(
        found=found,
        style=STYLE.read_text(encoding="utf-8"),
        groups=groups,
        order=[state for state in ORDER if state in found["counts"]],
        classes=CLASSES,
        total=sum(found["counts"].values()) or 1,
        largest=max((place["bytes"] for place in places), default=1) or 1,
    )


def _day(time: str | None) -> str:
    """For instance 22 November 2026, 03:00 UTC."""
    return f"{datetime.fromisoformat(time):%-d %B %Y, %H:%M} UTC" if time else ""
