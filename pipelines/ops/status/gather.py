"""Collect the data for `conservatory status`. A part that cannot be read is reported, and the others are shown."""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from pipelines.core import params, paths
from pipelines.core.files import read_json
from pipelines.ops.dvc import freshness
from pipelines.ops.patches import cache
from pipelines.ops.registry import history, versions, worktree
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention import experiments
from pipelines.ops.runs import log, record
from pipelines.ops.settings import load_params
from pipelines.ops.status import disk

FAILED = "failed"
ORDER = (FAILED, freshness.STALE, freshness.NEVER, freshness.GONE, freshness.FRESH)
CODE = Path(__file__).parents[3]
PATIENCE = 20.0  # seconds for Dagster to answer
MAX_RUNS = 10


def gather(project: Path = Path()) -> dict:
    """The present state. Raises `freshness.StatusError` if the recipe cannot be read."""
    asked = _ask_dagster(project)
    entries = record.read(project)
    rows = _stages(project, record.stages(entries), record.runs(entries))
    counts = Counter(stage["state"] for stage in rows)
    return {
        "project": project.absolute().name,
        "time": log.now(),
        "counts": {state: counts[state] for state in ORDER if counts[state]},
        "stages": rows,
        **_runs(project, entries),
        "quarantine": _quarantine(project),
        "models": _models(project),
        **_retrainings(project),
        "disk": disk.usage(project, cache.folder(cached := cache.of_project(project))),
        "experiments": experiments.usage(project, cached),
        "dagster": _answer(asked),
    }


def healthy(found: dict) -> bool:
    """Is there nothing to run and nothing to repair?"""
    return set(found["counts"]) <= {freshness.FRESH}


def _stages(project: Path, last: dict[str, dict], runs: dict[str, dict]) -> list[dict]:
    """Each stage, in the recipe's order. A stage that is not up to date, and whose newest known result is a failure, is FAILED.
    If only its outputs are missing (DVC removes them before a run), it is FAILED only if its inputs were as in dvc.lock when it
    failed: otherwise a change caused the failure and was undone since."""
    rows = []
    for name, found in freshness.states(project).items():
        stage = {"name": name, "state": found.state, "why": list(found.why)}
        if known := last.get(name):
            stage |= {key: known[key] for key in ("time", "seconds", "items", "unit", "per_second") if key in known}
            unmended = runs.get(known["run"], {}).get(record.AS_LOCKED) if found.state == freshness.GONE else True
            if known.get("state") == FAILED and found.state != freshness.FRESH and unmended:
                stage |= {"state": FAILED, "reason": known.get("reason", ""), "run": known["run"]}
        rows.append(stage)
    return rows


def _runs(project: Path, entries: list[dict]) -> dict:
    """The newest runs, newest first, with the runs in progress."""
    rows, going = [], []
    for run, known in reversed(record.runs(entries).items()):
        if "ended" not in known:
            alive = log.alive(known.get("pid"), known.get("began", ""))
            known = {**known, "state": "running" if alive else "ended unexpectedly"}
            if alive:
                going.append(
                    {"run": run, "door": known.get("door"), "since": known.get("began"), "now": _now(project, run)}
                )
        else:
            known = {**known, "state": "done" if known.get("status") == 0 else FAILED}
        keys = ("run", "door", "began", "ended", "state", "seconds", "ran", "unchanged", "restored", "failed", "reason")
        rows.append({key: known[key] for key in keys if key in known})
    return {"going": going, "runs": rows[:MAX_RUNS]}


def _now(project: Path, run: str) -> str:
    """The last message of a run's log about its stage."""
    path, last = log.folder(project) / f"{run}.jsonl", ""
    if path.exists():
        for entry in log.read(path):
            if entry.get("event") in ("started", "progress"):
                last = entry["message"]
    return last


def _quarantine(project: Path) -> list[dict]:
    """Quarantined files, by dataset or corpus and kind of reason."""
    rows = []
    try:
        settings = load_params(project / params.PARAMS)
        datasets = [*(settings.get("datasets") or {}), *(settings.get("corpora") or {})]
    except FileNotFoundError:
        return []
    except SystemExit as error:  # an invalid value
        raise freshness.StatusError(str(error)) from None
    for name in datasets:
        count = _n_quarantined(project, name)
        if count:
            try:
                kinds = _kinds(project, name)
            except (OSError, ValueError, KeyError) as error:
                rows.append({"dataset": name, "n": count, "reasons": {}, "problem": str(error)})
                continue
            rows.append({"dataset": name, "n": count, "reasons": dict(kinds.most_common(8))})
        elif count == 0:
            rows.append({"dataset": name, "n": 0, "reasons": {}})
    return rows


def _n_quarantined(project: Path, name: str) -> int | None:
    """The number in the dataset's record; None before the dataset was read."""
    for stage in ("audio", "manifest", "notes"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return int(read_json(project / paths.record(stage, name))["figures"]["quarantined"])
    return None


def _kinds(project: Path, name: str) -> Counter:
    # half a second to import, and mostly there is nothing to read
    import pyarrow.parquet as pq

    from pipelines.core.max_quarantined import kind

    tables = (project / paths.audio(name) / "quarantine.parquet", project / paths.manifest_quarantine(name))
    path = next((path for path in tables if path.exists()), tables[0])
    return Counter(kind(reason or "?") for reason in pq.read_table(path, columns=["reason"])["reason"].to_pylist())


def _models(project: Path) -> list[dict]:
    rows = []
    for name in history.names(project):
        try:
            events = history.read(project, name)
            by_stage = history.stages(events)
            champion = history.champion(events)
            metrics = versions.load(project, name, champion)["metrics"] if champion else {}
        except RegistryError as error:
            rows.append({"name": name, "problem": str(error)})
            continue
        crowned = [e["time"] for e in events if e["version"] == champion and e["event"] in history.PROMOTING]
        decided = [e for e in events if e["event"] != "registered"]
        last = decided[-1] if decided else None
        rows.append(
            {
                "name": name,
                "champion": champion,
                "since": crowned[-1] if crowned else None,
                "metrics": {key: metrics[key] for key in ("roc_auc", "pr_auc") if key in metrics},
                "challengers": [version for version, stage in by_stage.items() if stage == "challenger"],
                "last": {key: last[key] for key in ("time", "event", "version", "reason")} if last else None,
            }
        )
    return rows


def _retrainings(project: Path) -> dict[str, list[str]]:
    """The retrainings in progress, and those that were interrupted or failed and can be resumed."""
    working, left = [], []
    for name in worktree.waiting(project):
        if worktree.at_work(project, name):
            working.append(name)
        else:
            left.append(f"{name} {worktree.failure(project, name)}".strip())
    return {"retraining": working, "retrainings": left}


def _ask_dagster(project: Path) -> subprocess.Popen | None:
    """Start a process that reads Dagster's history, if the project has one. Importing Dagster takes longer than everything else,
    which is done meanwhile."""
    home = os.environ.get("DAGSTER_HOME") or str((project / ".dagster").absolute())
    if not (Path(home) / "dagster.yaml").exists():
        return None
    path = os.pathsep.join(filter(None, [str(CODE), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "assets.ticks"],
        cwd=home,
        env={**os.environ, "DAGSTER_HOME": home, "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answer(asked: subprocess.Popen | None) -> dict | None:
    """Schedules, sensors and failed runs, as `assets/ticks.py` prints them; None without a history of Dagster."""
    if asked is None:
        return None
    try:
        out, error = asked.communicate(timeout=PATIENCE)
        return json.loads(out)
    except subprocess.TimeoutExpired:
        asked.kill()
        asked.communicate()
        return {"problem": f"Dagster did not answer in {PATIENCE:.0f} s"}
    except ValueError:
        return {"problem": f"Dagster's history cannot be read: {(error.strip().splitlines() or ['no answer'])[-1]}"}
