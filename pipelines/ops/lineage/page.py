"""A trace as one self-contained HTML page. All text is escaped, since names and licences may come from others."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipelines.ops.lineage import text, verify
from pipelines.ops.lineage.trace import outdated, tree

HERE = Path(__file__).parent
MAX_CLIPS = 5000  # rows of a dataset's table; --json has all


def render(found: dict) -> str:
    """The page of a trace (`trace.trace`), with its verification if there is one."""
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    numbers = {name: number for number, name in enumerate(found["stages"])}
    verified = found.get("verification")
    return environment.get_template("page.html.j2").render(
        found=found,
        tree=tree(found),
        anchor=lambda name: f"stage-{numbers[name]}",
        known=numbers,
        ran=text.ran,
        cut_off=text.CUT_OFF,
        again=text.again,
        environments=list(text.environments(found)),
        newer=text.newer,
        outdated=outdated(found),
        title=text.title(found["target"]).splitlines(),
        verified=list(verify.lines(verified)) if verified else [],
        broken=bool(verified and verified["wrong"]),
        max_clips=MAX_CLIPS,
    )
