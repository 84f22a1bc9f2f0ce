"""Run stale stages: update the fingerprints of local folders, then call `dvc repro`."""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import yaml

from pipelines.core import params
from pipelines.core.plain import plain
from pipelines.harness import executor
from pipelines.ops import estimate, parallel
from pipelines.ops.dvc import errors, recover
from pipelines.ops.patches.repro_output import ADVICE, UNCHANGED
from pipelines.ops.runs import follow, parent, record
from pipelines.ops.runs.call import call, environment, without_secrets
from pipelines.ops.runs.progress import duration
from pipelines.ops.settings import load_params

REPORT = Path("reports/index.html")
CHECKPOINTS = Path(".cache/training")
LOCK = Path(".cache/run.lock")
ALONE, FORCED = ["--single-item"], ["--force", "--single-item"]
SUMMARIES = ("compare", "metrics", "task_page", "report")
"""Kinds of stages that read all datasets and runs, and work without a missing one."""
Call = tuple[list[str], list[str]]  # options of `dvc repro` and the stages it is given


def refresh(say=print) -> list[str]:
    """Update the fingerprint of every folder, of sound or of notes, in params.yaml. Returns the names of those that changed.

    A missing folder (an unmounted disk), or one that is no longer a dataset, keeps its fingerprint: its results are still valid,
    and the run continues with the other datasets."""
    from pipelines.datasets import listing  # imports pandas, which takes most of a second

    def of_sound(entry: dict) -> str:
        return listing.fingerprint(listing.scan(listing.place(entry["path"]), entry.get("follow_links", False)))

    def of_notes(entry: dict) -> str:
        from pipelines.corpora import folder  # only for a project that has one: imports mido

        return folder.fingerprint(folder.scan(folder.place(entry["path"])))

    changed, settings = [], load_params()
    for section, fingerprint in (("datasets", of_sound), ("corpora", of_notes)):
        for name, entry in (settings.get(section) or {}).items():
            if "fingerprint" not in entry:
                continue
            if not listing.place(entry["path"]).exists():
                say(f"{name}: {entry['path']} is missing; continuing with what was read from it before")
                continue
            try:
                found = fingerprint(entry)
            except ValueError as error:
                say(f"{name}: {plain(str(error))} Continuing with what was read from it before.")
                continue
            if found != entry["fingerprint"]:
                params.set_dataset(name, {"fingerprint": found}, section)
                say(f"{name}: {entry['path']} has changed since it was last read")
                changed.append(name)
    return changed


def repro(targets: list[str], force: bool = False, dataset: str = "", jobs: int = 1, after: Sequence[str] = ()) -> int:
    """Run `dvc repro` for the targets, with its output passed on; without targets for all stages, or for those of one dataset and
    the report.

    Returns the exit status, 0 if the targets are up to date. With `force` they run even if nothing changed, after their inputs
    were brought up to date, one after another. jobs: how many stages may run at once. after: stages that run last, on the outputs
    that exist then."""
    errors.check()
    with alone():
        _let_others_end()
        status = _repro(targets, force, dataset, jobs, after)
        # a plain `dvc repro` that started meanwhile uses files of this run, at which DVC failed
        while status and _let_others_end():
            status = _repro(targets, force, dataset, jobs, after)
    return status


def _let_others_end() -> bool:
    """Wait for processes that run stages here without our lock (a plain `dvc repro`, stages of a killed run). Were there any?"""
    others = recover.at_work()
    if others:
        numbers = ", ".join(str(process.pid) for process in others)
        print(
            f"Another process is running stages here (process {numbers}); waiting until it ends.",
            flush=True,
        )
        while recover.at_work():
            time.sleep(0.2)
    return bool(others)


@contextmanager
def alone(say=print) -> Iterator[None]:
    """A lock for one run at a time in a project; a second run says that it waits. (At DVC's own lock it would fail, with advice
    to delete a lock that is in use.)"""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with open(LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(
                "Another run is in progress in this project; waiting until it ends (Ctrl-C stops waiting, not the other run)."
            )
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _repro(targets: list[str], force: bool, dataset: str, jobs: int, after: Sequence[str]) -> int:
    began = time.monotonic()
    try:
        recover.recover()
    except recover.Conflict as error:
        raise SystemExit(str(error)) from None
    recover.forget()
    if force and any(target.startswith("train") for target in targets):
        shutil.rmtree(CHECKPOINTS, ignore_errors=True)  # otherwise a finished training would not start again
    before = _lock_state()
    beside = jobs > 1 and not force
    if beside:
        needs, fresh = _needs(targets, dataset)
    else:
        calls, fresh = _forced(targets) if force else ([([], targets)], []) if targets else _due(dataset)
    command = [sys.executable, "-m", "pipelines.ops.dvc.lock", "--wait-for-lock", "repro"]
    from pipelines.ops.dvc import freshness

    follower = follow.Follower(Path(), "conservatory run", as_locked=freshness.as_locked)
    follower.counts["unchanged"] += len(fresh)
    record.made_good(Path(), fresh, follower.id)

    def line(text: str) -> None:
        follower.line(text)
        if text.strip() and not UNCHANGED.match(text) and not text.startswith(ADVICE):
            print(text, flush=True)

    def run(options: list[str], names: list[str]) -> int:
        return call([*command, *options, *names], without_secrets(environment()), line, follower.error)

    status, everything = None, not targets and not force
    try:
        ended = 0
        if beside:
            ended = _side_by_side(needs, jobs, command, follower)
            if ended and everything and left_out_datasets(follower):
                print(f"Continuing without {', '.join(left_out_datasets(follower))}.", flush=True)
                run(ALONE, [name for name in needs if is_summary(name)])
        else:
            for options, names in calls:
                if ended := run(options, names):
                    break
            if ended and everything:
                _the_others(calls[0][1], follower, run)
        if after and not ended:
            ended = run(ALONE, [*after])
        status = ended
    finally:
        follower.end(130 if status is None else status, "" if status is not None else "interrupted")
    if status and not follower.busy:
        _alert(follower)
    ran, skipped, restored = (follower.counts[state] for state in ("ran", "unchanged", "restored"))
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    took = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    if status == 0 and not ran and not restored and _lock_state() == before:
        print(f"Nothing to do: all {skipped} stages are up to date ({took}).")
    elif status == 0:
        same = "; the outputs are the same as before" if _lock_state() == before else ""
        cached = f"{restored} were restored from DVC's cache, " if restored else ""
        print(f"Done in {took}: {ran} stages ran, {cached}{skipped} were up to date already{same}.")
    elif everything and (left_out := left_out_datasets(follower)):
        print(
            f"Done in {took}, except for {', '.join(left_out)}: the errors are above, and the report was made without: "
            f"{REPORT.absolute()}\nFinished stages are kept. Correct the errors and run the same command again to continue."
        )
    else:
        print(
            f"Stopped after {took}: the error is above. Finished stages are kept. Correct the error and run the same command "
            "again to continue."
        )
    return status


def _side_by_side(needs: dict[str, tuple[str, ...]], jobs: int, command: list[str], follower: follow.Follower) -> int:
    """Run stages beside each other, each as a process, or with `executor.kind: ray` on a node of the cluster. Returns 1 if one
    failed, else 0."""
    settings = load_params()
    trains = _training(needs)
    env = without_secrets(environment()) | parent.named()

    def ended(stage: str, found: parallel.Ended) -> None:
        follower.replay(found.lines, found.status)
        took = found.lines[-1][0] - found.lines[0][0] if found.lines else 0.0
        print(f"{stage}: {'FAILED' if found.status else 'ended'} after {duration(took)}", flush=True)

    def say(stage: str) -> Callable[[str], None]:
        def line(text: str) -> None:
            if text.strip() and not UNCHANGED.match(text) and not text.startswith((*ADVICE, "> ", "Running")):
                print(text if text.startswith(stage.partition("@")[0]) else f"{stage}: {text}", flush=True)

        return line

    def start(stage: str, gpu: str) -> parallel.Ended:
        own = {**env, "CUDA_VISIBLE_DEVICES": gpu} if gpu else env
        return parallel.here([*command, *ALONE, stage], own, say(stage))

    if settings.get("executor", {}).get("kind") != "ray":
        return 1 if parallel.schedule(needs, jobs, start, ended, trains, parallel.gpus()) else 0
    with executor.session(settings["executor"]) as on_a_node:

        def start_there(stage: str, gpu: str) -> parallel.Ended:
            began = time.monotonic()
            status, lines = on_a_node(parallel.on_a_node, (command[1:] + ALONE + [stage], {}))
            found = parallel.Ended(status, [(began + when, text, is_error) for when, text, is_error in lines])
            for _, text, _ in found.lines:
                say(stage)(text)
            return found

        return 1 if parallel.schedule(needs, jobs, start_there, ended) else 0


def _training(stages: Iterable[str]) -> list[str]:
    """Those of the stages that train a model, by the recipe's `meta`."""
    recipe = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
    kinds = {kind for kind, stage in recipe.items() if stage.get("do", stage).get("meta", {}).get("trains")}
    return [stage for stage in stages if stage.partition("@")[0] in kinds]


def _needs(targets: list[str], dataset: str) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """(each stage to be run -> the stages it needs, in their order; the stages that are up to date) of the targets and what
    these need; without targets of everything, or of one dataset. Raises `SystemExit` where the recipe cannot be read."""
    from pipelines.ops.dvc import freshness

    try:
        found = freshness.states()
    except freshness.StatusError as error:
        raise SystemExit(str(error)) from error
    if targets:
        wanted = {name for name in found if name in targets or name.partition("@")[0] in targets}
        for name in reversed(found):
            wanted.update(found[name].needs if name in wanted else ())
        found = {name: state for name, state in found.items() if name in wanted}
    fresh, due = _sorted_out(found, dataset)
    return {name: found[name].needs for name in due}, fresh


def _due(dataset: str = "") -> tuple[list[Call], list[str]]:
    """(a call with the stages that are not up to date, each after its inputs; the stages that are). Comparing all stages at once
    takes a tenth of DVC's time per skipped stage. If the recipe cannot be read, DVC reports why.

    dataset: only its stages, their inputs, and the report, which shows the present results of the other datasets.
    """
    from pipelines.ops.dvc import freshness

    try:
        fresh, due = _sorted_out(freshness.states(), dataset)
    except freshness.StatusError:
        return [([], [])], []
    return [(ALONE, due)] if due else [], fresh


def _sorted_out(found: dict, dataset: str) -> tuple[list[str], list[str]]:
    """(up to date, to run) from the result of `freshness.states`, for all stages, or those of one dataset as in `_due`."""
    from pipelines.ops.dvc import freshness

    if dataset:
        runs = load_params().get("runs") or {}
        of_it = {dataset, *(name for name, entry in runs.items() if entry["dataset"] == dataset)}
        wanted = {name for name in found if dataset_of(name) in of_it or is_summary(name)}
        for name in reversed(found):
            if name in wanted and not is_summary(name):
                wanted.update(found[name].needs)
        found = {name: state for name, state in found.items() if name in wanted}
    fresh = [name for name, state in found.items() if state.state == freshness.FRESH]
    due = [name for name, state in found.items() if state.state != freshness.FRESH]
    if dataset and all(map(is_summary, due)):
        due = []  # only other datasets changed
    return fresh, due


def plan(dataset: str = "") -> list[tuple[str, str, estimate.Estimate]]:
    """(stage, why it is not up to date, how long it takes) for the stages that a run would run."""
    from pipelines.ops.dvc import freshness

    found = freshness.states()
    _, due = _sorted_out(found, dataset)
    known = estimate.took(record.read(Path()))
    sizes = estimate.sizes(load_params()["datasets"]) if set(due) - set(known) else {}
    return [(name, "; ".join(found[name].why), estimate.estimate(name, known, sizes)) for name in due]


def left_out_datasets(follower: follow.Follower) -> list[str]:
    """The datasets and runs of failed stages, if no other stages failed and no tagger is trained on one of them; else none."""
    settings = load_params()
    found = {dataset_of(failure["stage"]) for failure in follower.failures}
    named = (settings.get(section) or {} for section in ("datasets", "corpora", "runs"))
    known = set().union(*named) - {(settings.get("training") or {}).get("dataset")}
    return sorted(found) if found and found <= known else []


def is_summary(stage: str) -> bool:
    return stage.partition("@")[0] in SUMMARIES


def dataset_of(stage: str) -> str:
    """The dataset of a stage: mine for cluster@mine and features@mine-log_mel; "" if it has none."""
    return estimate.parts(stage)[1]


def _the_others(due: list[str], follower: follow.Follower, run: Callable[[list[str], list[str]], int]) -> None:
    """After a stage of one dataset failed: run all stages that do not need it, then the report without that dataset."""
    from pipelines.ops.dvc import freshness

    waiting = due
    if not due:
        return  # the recipe could not be read, and DVC was given all stages
    while waiting and not follower.busy and left_out_datasets(follower):
        found = freshness.states()
        stopped = {failure["stage"] for failure in follower.failures}
        for name, state in found.items():  # each after its inputs
            if not stopped.isdisjoint(state.needs):
                stopped.add(name)
        waiting = [name for name in waiting if name not in stopped and found[name].state != freshness.FRESH]
        known = len(follower.failures)
        if not waiting or not run(ALONE, waiting):
            break
        if len(follower.failures) == known:
            return  # interrupted, or DVC itself failed
    if not follower.busy and left_out_datasets(follower):
        print(f"Continuing without {', '.join(left_out_datasets(follower))}.", flush=True)
        run(ALONE, [name for name in due if is_summary(name)])


def _forced(targets: list[str]) -> tuple[list[Call], list[str]]:
    """(the calls that run these stages again, their inputs that are up to date). First stale inputs, since DVC forces all stages
    it is given and checks no others; then the stages, with those between two of them."""
    from pipelines.ops.dvc import freshness

    try:
        found = freshness.states()
    except freshness.StatusError:
        return [(FORCED, targets)], []
    named = {
        target: [name for name in found if name.partition("@")[0] == target or name == target] for target in targets
    }
    if not all(named.values()):
        return [(FORCED, targets)], []  # DVC reports the unknown stage
    forced = {name for names in named.values() for name in names}
    wanted, after = set(forced), set[str]()
    for name in reversed(found):
        wanted.update(found[name].needs if name in wanted else ())
    for name, state in found.items():
        if not (forced | after).isdisjoint(state.needs):
            after.add(name)
    before = [name for name in found if name in wanted - forced - after]
    due = [name for name in before if found[name].state != freshness.FRESH]
    rest = [name for name in found if name in wanted & (forced | after)]
    calls = [(ALONE, due)] if due else []
    calls += [(FORCED if again else ALONE, list(names)) for again, names in groupby(rest, forced.__contains__)]
    return calls, [name for name in before if name not in due]


def _alert(follower: follow.Follower) -> None:
    """Send an alert that the run failed, if recipients are configured."""
    from pipelines.ops.alerts.send import alert

    failed = follower.failed or {"stage": "", "reason": "", "detail": ""}
    reason = failed["reason"] or "the error is in its log: conservatory logs"
    alert(Path(), "failed", failed["stage"] or "the run", reason, f"run {follower.id}", failed["detail"])


def _lock_state() -> bytes:
    lock = Path("dvc.lock")
    return lock.read_bytes() if lock.exists() else b""
