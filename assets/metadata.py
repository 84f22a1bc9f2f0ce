"""Show a stage's record and its entry in dvc.lock as Dagster metadata: figures, tables, plots, hashes, parameters.

Labels, file names and parameters may come from others, and Dagster's page renders links and images in Markdown, `javascript:` and
other servers included. So all Markdown goes through `plain` or `code`: tables remain, the rest is text.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import dagster as dg

from assets import plots
from assets.recipe import Stage, StageGroup
from pipelines import recipe

HOLDS = {True: "yes", False: "no", None: "undecidable"}
"""A check's answer in words."""

SLOW = ("epoch", "embedding", "tagger")  # seconds each: shown as seconds per item, not items per second


def of_stage(
    project: Path,
    group: StageGroup,
    stage: Stage,
    entry: Mapping,
    status: str,
    seconds: float | None,
    measured: Mapping[str, object],
    times: Mapping[str, float],
) -> dict[str, dg.MetadataValue]:
    """Metadata of one stage: how it ended, what it found, and what it was made from."""
    return {
        "status": dg.MetadataValue.text(status),
        **{name: dg.MetadataValue.timestamp(when) for name, when in times.items()},
        **({} if seconds is None else {"wall time (s)": dg.MetadataValue.float(round(seconds, 1))}),
        **throughput(measured),
        **pages(project, entry),
        **of_record(record(project, stage, entry) or {}, group.meta.get("note", "note")),
        **provenance(entry),
    }


def throughput(measured: Mapping[str, object]) -> dict[str, dg.MetadataValue]:
    """Number and speed of the items of a run, as floats, which Dagster plots over runs: items per second, or for SLOW seconds
    each."""
    if not measured:
        return {}
    unit, rate = str(measured["unit"]), measured.get("per_second")
    shown = {f"run: {unit}s": dg.MetadataValue.float(float(measured["items"]))}
    if rate:
        slow = unit in SLOW
        name = f"run: seconds of each {unit}" if slow else f"run: {unit}s a second"
        shown[name] = dg.MetadataValue.float(round(1 / rate if slow else rate, 3))
    return shown


def record(project: Path, stage: Stage, entry: Mapping) -> dict | None:
    """A stage's record; None if it writes none, or the file has another hash than in dvc.lock."""
    locked = {out["path"]: out.get("md5") for out in entry.get("outs", [])}
    if not stage.record or not (project / stage.record).exists():
        return None
    text = (project / stage.record).read_bytes()
    if hashlib.md5(text, usedforsecurity=False).hexdigest() != locked.get(stage.record):
        return None
    return json.loads(text)


def of_record(found: Mapping, note: str = "note") -> dict[str, dg.MetadataValue]:
    """Note, plots, figures, table and checks of a record; `{}` for an empty one. `note`: the note's title."""
    shown = {note: _note(found["note"])} if found.get("note") else {}
    for title, plot in found.get("plots", {}).items():
        shown[title] = dg.MetadataValue.md(f"![{plain(title)}]({plots.source(_drawn(plot))})")
    shown |= {name: _figure(value) for name, value in found.get("figures", {}).items()}
    if described := found.get("table"):
        shown["dagster/row_count"] = dg.MetadataValue.int(described["rows"])
        shown["dagster/column_schema"] = dg.MetadataValue.table_schema(_schema(described["columns"]))
    if found.get("checks"):
        rows = [(name, HOLDS[check["passed"]], check["detail"]) for name, check in found["checks"].items()]
        shown["findings"] = grid(("finding", "holds", "detail"), rows)
    return shown


def _drawn(plot: Mapping | str) -> str:
    """The picture of a plot; a record of an older commit has the picture itself."""
    if isinstance(plot, str):
        return plot
    from pipelines.report.drawing import draw  # seconds to import, and needed only where a stage has just run

    return draw(plot)


def grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> dg.TableMetadataValue:
    """A table that the page shows at once; Markdown of 1000 characters or more is shown after a click. Its cells are text."""
    records = [dg.TableRecord(dict(zip(header, row, strict=True))) for row in rows]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name, "string") for name in header]))


def pages(project: Path, entry: Mapping) -> dict[str, dg.MetadataValue]:
    """The web pages among a stage's outputs: the address to copy, since a browser opens no file:// link from Dagster's page, and
    the command that opens the report."""
    found = {}
    for out in entry.get("outs", []):
        if out["path"].endswith(".html"):
            path = project / out["path"]
            how = f"`conservatory report`, or copy into the address bar: {path.as_uri()}"
            found |= {"open it": dg.MetadataValue.md(how), "page": dg.MetadataValue.path(str(path))}
    return found


def provenance(entry: Mapping) -> dict[str, dg.MetadataValue]:
    """Outputs, data, parameters, code and command of a stage, with their hashes, as DVC locked them.

    The names are none of a record's figures: "parameters" there are a model's weights.
    """
    deps = entry.get("deps", [])
    params = {key: value for file in entry.get("params", {}).values() for key, value in file.items()}
    tables = {
        "hashes": (("output", "hash"), _hashes(entry.get("outs", []))),
        "made from": (("data", "hash"), _hashes(dep for dep in deps if not recipe.is_code(dep["path"]))),
        "made with": (
            ("parameter", "value"),
            ((plain(name), code(json.dumps(value))) for name, value in sorted(params.items())),
        ),
        "made by": (("code", "hash"), _hashes(dep for dep in deps if recipe.is_code(dep["path"]))),
    }
    shown = {name: table(header, rows) for name, (header, rows) in tables.items()}
    command = dg.MetadataValue.md(code(recipe.command(entry)))
    return {**{name: dg.MetadataValue.md(text) for name, text in shown.items() if text}, "command": command}


def _figure(value) -> dg.MetadataValue:
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return dg.MetadataValue.float(value)
    return dg.MetadataValue.text(value) if isinstance(value, str) else dg.MetadataValue.json(value)


def _schema(columns: Iterable[Mapping]) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                column["name"],
                column["type"],
                description=column["doc"] + (f" [{column['unit']}]" if column["unit"] else ""),
            )
            for column in columns
        ]
    )


def _note(text: str) -> dg.MetadataValue:
    """A Markdown table as a grid, anything else as text."""
    lines = [re.split(r"(?<!\\)\|", line.strip()) for line in text.splitlines()]
    rows = [[cell.strip().replace("\\|", "|") for cell in cells[1:-1]] for cells in lines]
    header, *body = rows
    ruled = bool(header and body) and all(re.fullmatch(r":?-+:?", cell) for cell in body[0])
    if ruled and len(set(header)) == len(header) and {len(row) for row in rows} == {len(header)}:
        return grid(header, body[1:])
    return dg.MetadataValue.md(plain(text))


def _hashes(files: Iterable[Mapping]) -> list[tuple[str, str]]:
    return [(code(file["path"]), code(file.get("md5", ""))) for file in files]


def plain(text: str) -> str:
    """`text` as Markdown without tags, links, images and code; the bars of tables keep their meaning."""
    for sign, written in {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "\\": "\\\\",
        "[": "\\[",
        "]": "\\]",
        "`": "\\`",
    }.items():
        text = text.replace(sign, written)
    return text


def code(text: str) -> str:
    """`text` as Markdown code, between more backticks than any run of them in it (CommonMark, section 6.1)."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return f"`{text}`" if not longest else f"{'`' * (longest + 1)} {text} {'`' * (longest + 1)}"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table, or "" without rows."""
    body = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *body] if body else []
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
