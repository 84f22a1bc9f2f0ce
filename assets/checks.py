"""Asset checks: the checks in the stages' records, and one that compares the tables on disk with the records.

`meta` of a stage in dvc.yaml lists its checks: `checks` are errors, `warnings` are not. A finding in a record belongs to the
check whose name it contains: "short better than chance" to "better than chance". A check covers all partitions of an asset, and
names those that fail.

Sound, splits and scores are checked by the stage that computes them, not here.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg

from assets import lock, metadata, partitions
from assets.recipe import Stage, StageGroup

SCHEMA = "schema"
"""The only check made here: it opens the Parquet files."""


def specs(group: StageGroup) -> list[dg.AssetCheckSpec]:
    """The checks of a stage group's asset, errors first."""
    described = {SCHEMA: "the tables on disk have the columns, types and rows that the record says"}
    return [
        dg.AssetCheckSpec(identifier(name), asset=group.name, description=described.get(name, name))
        for name in (*group.meta.get("checks", ()), *group.meta.get("warnings", ()))
    ]


def definition(project: Path, group: StageGroup) -> dg.AssetChecksDefinition:
    """The checks of an asset as one read-only step, run after a materialization or alone."""

    @dg.multi_asset_check(
        name=f"{group.name}_checks",
        specs=specs(group),
        can_subset=True,
        description=f"Read the checks in the records of {group.name} again.",
    )
    def check(context: dg.AssetCheckExecutionContext):
        wanted = {key.name for key in context.selected_asset_check_keys}
        for result in results(project, group):
            if result.check_name in wanted:
                yield result

    return check


def results(project: Path, group: StageGroup) -> Iterator[dg.AssetCheckResult]:
    """One result per check of the group, over all partitions in dvc.lock."""
    entries = lock.read(project)
    present = [stage for stage in group.stages if stage.name in entries]
    records = {stage: metadata.record(project, stage, entries[stage.name]) for stage in present}
    severities = dict.fromkeys(group.meta.get("checks", ()), dg.AssetCheckSeverity.ERROR)
    severities |= dict.fromkeys(group.meta.get("warnings", ()), dg.AssetCheckSeverity.WARN)
    for name, severity in severities.items():
        rows = [
            (partitions.key(group, stage) or "", label, passed, detail)
            for stage, record in records.items()
            for label, passed, detail in _findings(project, stage, record, name)
        ]
        yield dg.AssetCheckResult(
            asset_key=group.name,
            check_name=identifier(name),
            passed=bool(rows) and all(passed for _, _, passed, _ in rows),
            severity=dg.AssetCheckSeverity.WARN if _is_unknown(rows) else severity,
            description=_sentence(rows),
            metadata={"findings": _table(rows)} if rows else {},
        )


def evaluations(project: Path, group: StageGroup) -> Iterator[dg.AssetCheckEvaluation]:
    """The results as events, for jobs and the sensor, which execute no checks."""
    for result in results(project, group):
        yield dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(group.name),
            check_name=result.check_name,
            passed=result.passed,
            metadata=result.metadata,
            severity=result.severity,
            description=result.description,
        )


def identifier(name: str) -> str:
    """A check's name as Dagster takes it: no_group_in_two_splits."""
    return re.sub(r"\W+", "_", name)


def _findings(project: Path, stage: Stage, record: Mapping | None, name: str) -> Iterator[tuple[str, bool | None, str]]:
    """The findings of the check `name` in one stage: (finding, passed or None if undecidable, sentence)."""
    if record is None:
        yield name, False, "the record of this run is missing: run `dvc checkout`, or materialize it again"
    elif name == SCHEMA:
        yield _schema(project, stage, record)
    else:
        found = [(label, check) for label, check in record["checks"].items() if name in label]
        yield from ((label, check["passed"], check["detail"]) for label, check in found)
        if not found:
            yield name, False, "the record has no such check"


def _schema(project: Path, stage: Stage, record: Mapping) -> tuple[str, bool, str]:
    """Open the stage's Parquet files; one of them must be the table that the record describes."""
    outs = [project / out for out in stage.outs]
    files = [file for out in outs for file in ([out] if out.is_file() else sorted(out.rglob("*.parquet")))]
    tables = {}
    for file in (file for file in files if file.suffix == ".parquet"):
        try:
            tables[file] = _describe(file)
        except (OSError, ValueError) as error:
            return SCHEMA, False, f"{file.relative_to(project)} cannot be read: {error}"
    table = record["table"]
    if table is None:
        return SCHEMA, bool(tables), f"{len(tables)} tables can be read; the record describes none"
    wanted = (table["rows"], [(column["name"], column["type"]) for column in table["columns"]])
    for file, found in tables.items():
        if found == wanted:
            return SCHEMA, True, f"{file.relative_to(project)}: {wanted[0]} rows, {len(wanted[1])} columns"
    return SCHEMA, False, f"no table has {wanted[0]} rows and {', '.join(f'{n} ({t})' for n, t in wanted[1])}"


def _describe(file: Path) -> tuple[int, list[tuple[str, str]]]:
    import pyarrow.parquet as pq  # seconds to import; only this check needs it

    with pq.ParquetFile(file) as table:
        return table.metadata.num_rows, [(field.name, str(field.type)) for field in table.schema_arrow]


def _table(rows: list[tuple[str, str, bool, str]]) -> dg.TableMetadataValue:
    names = ("partition", "finding", "holds", "detail")
    shown = [(partition, label, metadata.HOLDS[passed], detail) for partition, label, passed, detail in rows]
    return metadata.grid(names, shown)


def _is_unknown(rows: list[tuple]) -> bool:
    """Is the check undecidable: no finding failed, and at least one could not be decided?"""
    return any(passed is None for _, _, passed, _ in rows) and all(passed is not False for _, _, passed, _ in rows)


def _sentence(rows: list[tuple]) -> str:
    if not rows:
        return "not materialized yet"
    if _is_unknown(rows):
        unknown = [f"{partition or label}: {detail}" for partition, label, passed, detail in rows if passed is None]
        return f"{len(unknown)} of {len(rows)} are undecidable. " + "; ".join(unknown[:5])
    failing = [f"{partition or label}: {detail}" for partition, label, passed, detail in rows if passed is False]
    if failing:
        return f"{len(failing)} of {len(rows)} failed. " + "; ".join(failing[:5])
    return rows[0][3] if len(rows) == 1 else f"all {len(rows)} passed"
