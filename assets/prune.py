"""Delete old runs and events of Dagster: `python -m assets.prune --keep-days N --keep-last N [--yes]`, in the project's folder.

A run is deleted with its events and logs. A run is kept if it is not finished, is recent, belongs to another project with the
same DAGSTER_HOME, or made the latest materialization of a partition: without that event the graph would show the partition as
never made. Events of `conservatory run` belong to no Dagster run; the same policy applies to them (`prune_events.py`).
dagster.yaml limits the history of sensors and schedules."""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from dvc.exceptions import DvcException

from assets import location, prune_events, recipe, serve
from assets.patches import event_storage, event_tables

DAY = 86_400.0
PAGE = 1000


def find(instance: dg.DagsterInstance, keep_days: float, keep_last: int) -> tuple[list[str], dict[str, int]]:
    """The runs to delete, oldest first; and reason -> how many runs are kept for it."""
    latest = latest_runs(instance)
    going, kept, number, cursor = [], dict[str, int](), 0, None
    while records := instance.get_run_records(limit=PAGE, cursor=cursor):
        cursor = records[-1].dagster_run.run_id
        for record in records:
            run, ended = record.dagster_run, record.end_time or record.update_timestamp.timestamp()
            ours = location.is_ours(run.remote_job_origin)
            number += ours
            if not ours:
                reason = "of another project"
            elif not run.is_finished:
                reason = "not finished"
            elif run.run_id in latest:
                reason = "made the latest materialization of an asset"
            elif number <= keep_last:
                reason = f"among the {keep_last} newest"
            elif (time.time() - ended) / DAY < keep_days:
                reason = f"less than {keep_days:g} days old"
            else:
                going.append(run.run_id)
                continue
            kept[reason] = kept.get(reason, 0) + 1
    return going[::-1], kept


def latest_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that made the latest materialization of a partition, or one that the latest are compared with."""
    found = set(event_tables.compared(instance).values()) if event_tables.known(instance) else set()
    for key in instance.all_asset_keys():
        ids = set(event_storage.latest_materializations(instance, key))
        records = instance.get_asset_records([key])
        found |= {record.asset_entry.last_run_id for record in records if record.asset_entry.last_run_id}
        if ids:
            wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=sorted(ids))
            found |= {record.run_id for record in instance.fetch_materializations(wanted, limit=len(ids)).records}
    return found


def remove(instance: dg.DagsterInstance, run_ids: list[str], say: Callable = print) -> None:
    """Delete runs with their events and logs. After a kill in between, the next call deletes the rest."""
    for run_id in run_ids:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assets.prune", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--keep-days", type=float, default=90)
    parser.add_argument("--keep-last", type=float, default=50)
    parser.add_argument("--yes", action="store_true", help="delete; without it, only count what would be deleted")
    arguments = parser.parse_args()
    project = Path.cwd()
    if "DAGSTER_HOME" not in os.environ:
        os.environ["DAGSTER_HOME"] = str(serve.prepare(project))
    with dg.DagsterInstance.get() as instance:
        going, kept = find(instance, arguments.keep_days, int(arguments.keep_last))
        _say(f"Dagster's runs: {len(going)} to delete{' (with their events and logs)' if going else ''}", kept)
        if arguments.yes:
            remove(instance, going)
        if not event_tables.known(instance):
            print("Dagster's events of runs outside it: all kept, because the tables of this event log are not known")
            return
        try:
            ours = [dg.AssetKey(name).to_string() for name in recipe.load(project)]
        except DvcException as error:
            print(f"Dagster's events of runs outside it: all kept, because dvc.yaml cannot be read ({error})")
            return
        events, kept = prune_events.find(instance, arguments.keep_days, int(arguments.keep_last), ours)
        _say(f"Dagster's events of runs outside it: {len(events)} to delete", kept)
        if arguments.yes:
            event_tables.remove(instance, events)


def _say(what: str, kept: dict[str, int]) -> None:
    print(what)
    for reason, count in kept.items():
        print(f"  {count} kept: {reason}")


if __name__ == "__main__":
    main()
