"""Run stale stages: update the fingerprints of local folders, then call `dvc repro`."""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

from pipelines.core import params
from pipelines.core.plain import plain
from pipelines.ops import estimate
from pipelines.ops.dvc import errors, recover
from pipelines.ops.runs import follow, record
from pipelines.ops.runs.call import call, environment, without_secrets
from pipelines.ops.settings import load_params

REPORT = Path("reports/index.html")
CHECKPOINTS = Path(".cache/training")
LOCK = Path(".cache/run.lock")
ALONE, FORCED = ["--single-item"], ["--force", "--single-item"]
SUMMARIES = ("metrics", "report")
"""Stages that read all datasets, and do without one that is not there."""
Call = tuple[list[str], list[str]]  # options of `dvc repro` and the stages it is given


def refresh(say=print) -> list[str]:
    """Record the present state of every folder dataset in params.yaml. Returns the names of those that changed.

    A folder that is away (a disk not mounted), or holds no dataset any more, keeps its fingerprint: what was computed from it is
    still true, and the other datasets go on.
    """
    from pipelines.datasets import listing  # pandas takes most of a second, and `conservatory --help` needs none of it

    changed = []
    for name, entry in load_params()["datasets"].items():
        if "fingerprint" not in entry:
            continue
        source = listing.place(entry["path"])
        if not source.exists():
            say(f"{name}: {entry['path']} is not there; going on with what was read from it before")
            continue
        try:
            found = listing.fingerprint(listing.scan(source, entry.get("follow_links", False)))
        except listing.SourceError as error:
            say(f"{name}: {plain(str(error))} Going on with what was read from it before.")
            continue
        if found != entry["fingerprint"]:
            params.set_dataset(name, {"fingerprint": found})
            say(f"{name}: {entry['path']} has changed since it was last read")
            changed.append(name)
    return changed


def repro(targets: list[str], force: bool = False, dataset: str = "") -> int:
    """`dvc repro` of the targets, its output passed on; with none of all stages, or of all of one dataset and the report.

    Returns its exit status; 0 says the targets are up to date. With `force` they are run once more, after what they need was
    brought up to date.
    """
    errors.check()
    with alone():
        _let_others_end()
        status = _repro(targets, force, dataset)
        # a plain `dvc repro` that began meanwhile has files of ours in use, at which DVC ends; what it says to do then is wrong
        while status and _let_others_end():
            status = _repro(targets, force, dataset)
    return status


def _let_others_end() -> bool:
    """Wait for whoever runs stages here without our lock: a plain `dvc repro`, or what a killed run left. Was there one?"""
    others = recover.at_work()
    if others:
        numbers = ", ".join(str(process.pid) for process in others)
        print(
            f"Stages are being run here already (process {numbers}); waiting for the end of that, then going on.",
            flush=True,
        )
        while recover.at_work():
            time.sleep(0.2)
    return bool(others)


@contextmanager
def alone(say=print) -> Iterator[None]:
    """One run at a time in a project; a second waits until the first has ended, and says so. (DVC's own lock of files would
    end it, and advise to remove a lock that is in use.)"""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with open(LOCK, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another run goes on in this project; waiting for its end (Ctrl-C stops waiting, not the other run).")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _repro(targets: list[str], force: bool, dataset: str) -> int:
    began = time.monotonic()
    try:
        recover.recover()
    except recover.Conflict as error:
        raise SystemExit(str(error)) from None
    recover.forget()
    if force and any(target.startswith("train") for target in targets):
        shutil.rmtree(CHECKPOINTS, ignore_errors=True)  # or a training that was finished would not begin again
    before = _lock_state()
    calls, fresh = _forced(targets) if force else ([([], targets)], []) if targets else _due(dataset)
    command = [sys.executable, "-m", "pipelines.ops.dvc.lock", "--wait-for-lock", "repro"]
    from pipelines.ops.dvc import freshness

    follower = follow.Follower(Path(), "conservatory run", as_locked=freshness.as_locked)
    follower.counts["unchanged"] += len(fresh)
    record.made_good(Path(), fresh, follower.id)

    look = _first_look()

    def line(text: str) -> None:
        follower.line(text)
        if text.startswith("Running stage"):  # so the one before has ended
            look()
        if text.strip() and not follow.UNCHANGED.match(text) and not text.startswith(follow.CHATTER):
            print(text, flush=True)

    def run(options: list[str], names: list[str]) -> int:
        return call([*command, *options, *names], without_secrets(environment()), line, follower.error)

    status, everything = None, not targets and not force
    try:
        ended = 0
        for options, names in calls:
            if ended := run(options, names):
                break
        if ended and everything:
            _the_others(calls[0][1], follower, run)
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
            f"Done but for {', '.join(left_out)} in {took}: the errors are above, and the report was made without: "
            f"{REPORT.absolute()}\nWhat was finished is kept, and once that is mended the same command goes on from here."
        )
    else:
        print(
            f"Stopped after {took}: the error is above. What was finished is kept, and once that is mended the same "
            "command goes on from here."
        )
    return status


def _first_look() -> Callable[[], None]:
    """What names, once the training dataset has a new manifest, a page with some of its clips."""
    dataset = (load_params().get("training") or {}).get("dataset")
    manifest, shown = Path("data/manifests") / f"{dataset}.parquet", set()

    def made() -> float:
        return manifest.stat().st_mtime_ns if manifest.exists() else 0

    shown.add(made())

    def look() -> None:
        if made() in (0, *shown):
            return
        shown.add(made())
        from pipelines.report import first_look  # pandas, only where there is something to draw

        try:
            print(f"Look at {first_look.write(dataset).absolute()} while the rest runs.", flush=True)
        except (OSError, ValueError) as error:  # the run needs no page
            print(f"There is no first page to look at: {plain(str(error))}", flush=True)

    return look


def _due(dataset: str = "") -> tuple[list[Call], list[str]]:
    """A call with the stages that are not up to date, each after what it needs, and the others. Asked of all at once, they cost a
    tenth of what DVC spends on each that it leaves alone. Where the recipe cannot be read, DVC will say why.

    dataset: those that are of it, what these need, and the report, which shows of the other datasets what there is.
    """
    from pipelines.ops.dvc import freshness

    try:
        fresh, due = _sorted_out(freshness.states(), dataset)
    except freshness.StatusError:
        return [([], [])], []
    return [(ALONE, due)] if due else [], fresh


def _sorted_out(found: dict, dataset: str) -> tuple[list[str], list[str]]:
    """(up to date, to be run) of what `stages.states` found: of all stages, or of those that `_due` takes for one dataset."""
    from pipelines.ops.dvc import freshness

    if dataset:
        wanted = {name for name in found if dataset_of(name) == dataset or name in SUMMARIES}
        for name in reversed(found):
            if name in wanted and name not in SUMMARIES:
                wanted.update(found[name].needs)
        found = {name: state for name, state in found.items() if name in wanted}
    fresh = [name for name, state in found.items() if state.state == freshness.FRESH]
    due = [name for name, state in found.items() if state.state != freshness.FRESH]
    if dataset and set(due) <= set(SUMMARIES):
        due = []  # what other datasets wait for is not asked for
    return fresh, due


def plan(dataset: str = "") -> list[tuple[str, str, estimate.Estimate]]:
    """(stage, why it is not up to date, how long it takes) of what a run would run."""
    from pipelines.ops.dvc import freshness

    found = freshness.states()
    _, due = _sorted_out(found, dataset)
    known = estimate.took(record.read(Path()))
    sizes = estimate.sizes(load_params()["datasets"]) if set(due) - set(known) else {}
    return [(name, "; ".join(found[name].why), estimate.estimate(name, known, sizes)) for name in due]


def left_out_datasets(follower: follow.Follower) -> list[str]:
    """The datasets of which a stage has failed, where those are all that failed and taggers are trained on none of them."""
    settings = load_params()
    found = {dataset_of(failure["stage"]) for failure in follower.failures}
    known = set(settings["datasets"]) - {(settings.get("training") or {}).get("dataset")}
    return sorted(found) if found and found <= known else []


def dataset_of(stage: str) -> str:
    """The dataset that a stage's instance is of: mine of cluster@mine and of features@mine-log_mel; "" for a stage of none."""
    return estimate.parts(stage)[1]


def _the_others(due: list[str], follower: follow.Follower, run: Callable[[list[str], list[str]], int]) -> None:
    """After a stage of one dataset has failed: all that does not need it, then the report without that dataset."""
    from pipelines.ops.dvc import freshness

    waiting = due
    if not due:
        return  # DVC was given all, because the recipe could not be read
    while waiting and not follower.busy and left_out_datasets(follower):
        found = freshness.states()
        stopped = {failure["stage"] for failure in follower.failures}
        for name, state in found.items():  # in the order of what needs what
            if not stopped.isdisjoint(state.needs):
                stopped.add(name)
        waiting = [name for name in waiting if name not in stopped and found[name].state != freshness.FRESH]
        known = len(follower.failures)
        if not waiting or not run(ALONE, waiting):
            break
        if len(follower.failures) == known:
            return  # interrupted, or DVC itself has failed
    if not follower.busy and left_out_datasets(follower):
        print(f"Going on without {', '.join(left_out_datasets(follower))}.", flush=True)
        run(ALONE, [name for name in due if name in SUMMARIES])


def _forced(targets: list[str]) -> tuple[list[Call], list[str]]:
    """The calls that run these stages once more: first what they need and is not up to date, since DVC forces all that it is
    given and looks at nothing else; then they, and between two of them what lies there. And what of their needs is up to date.
    """
    from pipelines.ops.dvc import freshness

    try:
        found = freshness.states()
    except freshness.StatusError:
        return [(FORCED, targets)], []
    named = {
        target: [name for name in found if name.partition("@")[0] == target or name == target] for target in targets
    }
    if not all(named.values()):
        return [(FORCED, targets)], []  # DVC says that there is no such stage
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
    """Tell whom the user named, if anybody, that the run failed."""
    from pipelines.ops.alerts.send import alert

    failed = follower.failed or {"stage": "", "reason": "", "detail": ""}
    reason = failed["reason"] or "the error is in its log: conservatory logs"
    alert(Path(), "failed", failed["stage"] or "the run", reason, f"run {follower.id}", failed["detail"])


def _lock_state() -> bytes:
    lock = Path("dvc.lock")
    return lock.read_bytes() if lock.exists() else b""
