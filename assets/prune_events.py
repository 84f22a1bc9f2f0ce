"""Old events that belong to no run of Dagster's: what was run outside it, told afterwards (`outside.py`).

Dagster has no way to delete a single event, so this reads and writes the tables of its event log, those of the storages that
come with it (SQLite, Postgres); another is left alone. In SQLite an event stands twice: in the index of all runs, and among the
events of the run without a name.
"""

import datetime
import hashlib
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

DAY = 86_400.0
SOME = 500  # rows named in one statement
NO_RUN = ""  # what stands for the run of such an event
POINTER = "dagster/input_event_pointer/"  # a tag, of the latest event there was of an asset that was read
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION
EVENTS, TAGS, CHECKS = SqlEventLogStorageTable.c, AssetEventTagsTable.c, AssetCheckExecutionsTable.c


class Event(NamedTuple):
    """A materialization, or with the number of a row of its table the evaluation of a check; `id`: of the event itself."""

    when: float
    id: int
    evaluation: int | None
    latest: bool


def known(instance: dg.DagsterInstance) -> bool:
    """Is the event log one of those whose tables are known here?"""
    return isinstance(instance.event_log_storage, SqlEventLogStorage)


def find(
    instance: dg.DagsterInstance, keep_days: float, keep_last: int, assets: list[str]
) -> tuple[list[Event], dict[str, int]]:
    """The events that go; and of those that stay, how many for which reason. Only of `assets`, their keys as Dagster writes them:
    another project may have the same history."""
    going, kept = [], defaultdict[str, int](int)
    for number, event in enumerate(sorted(_outside(instance, assets), key=_age), 1):
        if event.latest:
            kept["the latest of an asset's partition or of a check, or what it is compared with"] += 1
        elif number <= keep_last:
            kept[f"among the {keep_last} newest"] += 1
        elif (time.time() - event.when) / DAY < keep_days:
            kept[f"not {keep_days:g} days old"] += 1
        else:
            going.append(event)
    return going, dict(kept)


def compared(instance: dg.DagsterInstance) -> dict[int, str]:
    """The materializations that Dagster still looks at, with the run that made each ("" for none): the latest of every partition,
    and those that were the latest when what reads them was made. If such a one is gone, and the partition was made again with the
    same data since, what reads it is called out of date."""
    with instance.event_log_storage.index_connection() as connection:
        asked = db.select(EVENTS.asset_key, EVENTS.partition, EVENTS.id, EVENTS.run_id)
        rows = connection.execute(asked.where(EVENTS.dagster_event_type == MADE.value).order_by(EVENTS.id)).all()
    runs = {row.id: row.run_id for row in rows}
    ids: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for row in rows:
        ids[row.asset_key, row.partition].append(row.id)
    latest: dict[str, list[int]] = defaultdict(list)
    for (asset, _), numbers in ids.items():
        latest[asset].append(numbers[-1])
    found, pointers = {number for numbers in latest.values() for number in numbers}, defaultdict[str, set[int]](set)
    for asset, numbers in latest.items():
        for tags in _tags(instance, dg.AssetKey.from_db_string(asset), numbers):
            for name, value in tags.items():
                if name.startswith(POINTER) and value.isdigit():  # NULL: there was none
                    pointers[name.removeprefix(POINTER)].add(int(value))
    for (asset, partition), numbers in ids.items():
        if partition is not None:  # of an asset without partitions the data versions are compared themselves
            for pointer in pointers[dg.AssetKey.from_db_string(asset).to_user_string()]:
                if before := bisect_right(numbers, pointer):
                    found.add(numbers[before - 1])
    return {number: runs[number] for number in found}


def remove(instance: dg.DagsterInstance, events: list[Event]) -> None:
    """Delete events. Killed in between, what is left of them is found the next time: their rows in the index go last."""
    storage, ids = instance.event_log_storage, [event.id for event in events]
    if events and storage.is_run_sharded:
        with storage.index_connection() as connection:
            texts = {_digest(text) for some in _some(ids) for (text,) in connection.execute(_texts(some))}
        with storage.run_connection(NO_RUN) as connection:
            rows = connection.execute(db.select(EVENTS.id, EVENTS.event)).all()
            for some in _some([row.id for row in rows if _digest(row.event) in texts]):
                connection.execute(SqlEventLogStorageTable.delete().where(EVENTS.id.in_(some)))
    evaluations = [event.evaluation for event in events if event.evaluation is not None]
    with storage.index_connection() as connection:
        for some in _some(ids):
            connection.execute(AssetEventTagsTable.delete().where(TAGS.event_id.in_(some)))
            connection.execute(SqlEventLogStorageTable.delete().where(EVENTS.id.in_(some)))
        for some in _some(evaluations):
            connection.execute(AssetCheckExecutionsTable.delete().where(CHECKS.id.in_(some)))


def _age(event: Event) -> tuple[float, int]:
    return -event.when, -event.id


def _outside(instance: dg.DagsterInstance, assets: list[str]) -> Iterator[Event]:
    """All materializations of these assets, and evaluations of their checks, that belong to no run."""
    needed = compared(instance)
    made = db.select(EVENTS.id, EVENTS.timestamp).where(
        EVENTS.run_id == NO_RUN, EVENTS.dagster_event_type == MADE.value, EVENTS.asset_key.in_(assets)
    )
    done = CHECKS.evaluation_event_storage_id.is_not(None)  # and not only planned, by a run that never came to it
    check = (CHECKS.asset_key, CHECKS.check_name, CHECKS.partition)
    last = db.select(db.func.max(CHECKS.id)).where(done).group_by(*check)
    evaluated = db.select(CHECKS.id, CHECKS.evaluation_event_storage_id, CHECKS.evaluation_event_timestamp).where(
        done, CHECKS.run_id == NO_RUN, CHECKS.asset_key.in_(assets)
    )
    with instance.event_log_storage.index_connection() as connection:
        materializations = connection.execute(made).all()
        latest = set(connection.execute(last).scalars())
        evaluations = connection.execute(evaluated).all()
    for number, when in materializations:
        yield Event(_seconds(when), number, None, number in needed)
    for row, number, when in evaluations:
        yield Event(_seconds(when), number, row, row in latest)


def _tags(instance: dg.DagsterInstance, asset: dg.AssetKey, ids: list[int]) -> Iterator[dict[str, str]]:
    for some in _some(ids):
        wanted = dg.AssetRecordsFilter(asset, storage_ids=list(some))
        for record in instance.fetch_materializations(wanted, limit=SOME).records:
            yield record.asset_materialization.tags or {}


def _texts(ids: list[int]) -> db.Select:
    return db.select(EVENTS.event).where(EVENTS.id.in_(ids))


def _some(ids: list[int]) -> Iterable[list[int]]:
    return (ids[n : n + SOME] for n in range(0, len(ids), SOME))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _seconds(when: datetime.datetime) -> float:
    return when.replace(tzinfo=datetime.UTC).timestamp()  # as it is stored: UTC, without saying so
