"""Find and delete events of Dagster that belong to no run, in the tables of its event log.

Uses: the tables in `dagster._core.storage.event_log.schema` and the class of the storages that have them, SQLite and Postgres. In
SQLite an event is stored twice: in the index of all runs, and among the events of the run without a name.

Why: each run outside Dagster is reported as events of no run (`assets/external_runs.py`), and Dagster can delete runs but no
single event. Its database would grow without bound.

Written for: dagster 1.13.27

Without it: these events are kept, as they are with another storage or another minor version of Dagster; deleting them would risk
the whole history.
"""

import datetime
import hashlib
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

from assets.patches import tags
from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"
SOME = 500  # rows named in one statement
NO_RUN = ""  # the run id of an event of no run
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION
EVENTS, TAGS, CHECKS = SqlEventLogStorageTable.c, AssetEventTagsTable.c, AssetCheckExecutionsTable.c


class Event(NamedTuple):
    """A materialization, or the evaluation of a check."""

    when: float  # seconds since 1970
    id: int
    evaluation: int | None  # row of the table of evaluations; None for a materialization
    latest: bool  # of its partition or check, or one that the latest events are compared with


def known(instance: dg.DagsterInstance) -> bool:
    """Are the tables of this event log known here? If not, its events are kept."""
    return isinstance(instance.event_log_storage, SqlEventLogStorage) and fits(
        "dagster", VERSION, "old events of no run are kept"
    )


def compared(instance: dg.DagsterInstance) -> dict[int, str]:
    """Storage id -> run id ("" for none) of the materializations from which Dagster computes what is out of date.

    These are the latest of every partition, and those that were the latest when an asset that reads them was made. Without one of
    the latter, an asset whose input was made again with the same data is shown as out of date.
    """
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
        for found_tags in _tags(instance, dg.AssetKey.from_db_string(asset), numbers):
            for name, value in found_tags.items():
                if name.startswith(tags.INPUT_EVENT_POINTER) and value.isdigit():  # NULL: there was none
                    pointers[name.removeprefix(tags.INPUT_EVENT_POINTER)].add(int(value))
    for (asset, partition), numbers in ids.items():
        if partition is not None:  # without partitions Dagster compares the data versions
            for pointer in pointers[dg.AssetKey.from_db_string(asset).to_user_string()]:
                if before := bisect_right(numbers, pointer):
                    found.add(numbers[before - 1])
    return {number: runs[number] for number in found}


def remove(instance: dg.DagsterInstance, events: list[Event]) -> None:
    """Delete events. After a kill in between, the next call finds the rest: the rows of the index are deleted last."""
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


def of_no_run(instance: dg.DagsterInstance, assets: list[str]) -> Iterator[Event]:
    """All materializations of these assets (their keys as JSON), and evaluations of their checks, that belong to no run."""
    needed = compared(instance)
    made = db.select(EVENTS.id, EVENTS.timestamp).where(
        EVENTS.run_id == NO_RUN, EVENTS.dagster_event_type == MADE.value, EVENTS.asset_key.in_(assets)
    )
    done = CHECKS.evaluation_event_storage_id.is_not(None)  # not one that was planned only
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
    return when.replace(tzinfo=datetime.UTC).timestamp()  # stored as UTC without a zone
