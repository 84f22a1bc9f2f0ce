"""Run stale stages: update the fingerprints of local folders, then call `dvc repro`."""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipelines.core import params, paths
from pipelines.core.files import place
from pipelines.core.plain import plain
from pipelines.ops import due, side_by_side
from pipelines.ops.due import ALONE
from pipelines.ops.dvc import errors, recover
from pipelines.ops.patches.repro_output import ADVICE, UNCHANGED
from pipelines.ops.runs import follow, record
from pipelines.ops.runs.call import call, environment, without_secrets
from pipelines.ops.settings import load_params

REPORT = paths.page()
CHECKPOINTS = Path(".cache/training")
LOCK = Path(".cache/run.lock")


def refresh(say=print) -> list[str]:
    """Update the fingerprint of every folder, of sound or of notes, and of every encoder in params.yaml. Returns the names of
    those that changed. Embeddings of encoders that params.yaml no longer names are removed: studies find encoders by their files.

    A missing folder (an unmounted disk), or one that is no longer a dataset, keeps its fingerprint: its results are still valid,
    and the run continues with the other datasets."""
    from pipelines.datasets import listing  # imports pandas, which takes most of a second

    def of_sound(entry: dict) -> str:
        return listing.fingerprint(listing.scan(place(entry["path"]), entry.get("follow_links", False)))

    def of_notes(entry: dict) -> str:
        from pipelines.corpora import folder  # only for a project that has one: imports mido

        return folder.fingerprint(folder.scan(place(entry["path"])))

    changed, settings = [], load_params()
    for section, fingerprint in (("datasets", of_sound), ("corpora", of_notes)):
        for name, entry in (settings.get(section) or {}).items():
            if "fingerprint" not in entry:
                continue
            if not place(entry["path"]).exists():
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
    _remove_former_encoders(settings)
    return changed + [name for section in ("encoders", "views") for name in _refresh_outside(settings, section, say)]


def _remove_former_encoders(settings: dict) -> None:
    """Remove the embeddings of encoders that params.yaml no longer has."""
    named = {name for section in ("taggers", "baselines", "encoders") for name in settings.get(section) or {}}
    files = [path for path in Path(paths.EMBEDDINGS).glob("*/*.parquet") if path.stem not in named]
    if not files:
        return
    from pyarrow import ArrowInvalid  # only here: most projects have no file of another name

    from pipelines.core import embeddings

    for path in files:
        try:
            if embeddings.is_encoded(path):
                path.unlink()
        except (ArrowInvalid, OSError):
            continue  # a damaged file, of which nothing is known


def _refresh_outside(settings: dict, section: str, say) -> list[str]:
    """As `refresh`, of models, vectors, words and notes from elsewhere."""
    from pipelines.models.encoders import fingerprints

    changed = {}
    for number, (name, entry, files) in enumerate(fingerprints.entries(settings.get(section) or {})):
        try:
            found = fingerprints.of(*files)
        except (OSError, ValueError) as error:
            say(f"{name}: {plain(str(error))} Continuing with what was read from it before.")
            continue
        if found != entry["fingerprint"]:
            changed[number] = name, found
            if entry["fingerprint"]:
                say(f"{name}: {files[0]} has changed since it was last read")
    if changed:
        with params.editing() as document:
            for number, (_, entry, _) in enumerate(fingerprints.entries(document[section])):
                if number in changed:
                    entry["fingerprint"] = changed[number][1]
    return [name for name, _ in changed.values()]


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
        needs, fresh = due.needs(targets, dataset)
    else:
        calls, fresh = due.forced(targets) if force else ([([], targets)], []) if targets else due.stale(dataset)
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
        if text.strip() and not UNCHANGED.match(text) and not text.startswith(ADVICE):
            print(text, flush=True)

    def run(options: list[str], names: list[str]) -> int:
        return call([*command, *options, *names], without_secrets(environment()), line, follower.error)

    status, everything = None, not targets and not force
    try:
        ended = 0
        if beside:
            ended = side_by_side.run(needs, jobs, command, follower, look)
            if ended and everything and left_out_datasets(follower):
                print(f"Continuing without {', '.join(left_out_datasets(follower))}.", flush=True)
                run(ALONE, [name for name in needs if due.is_summary(name)])
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
        print(f"Done in {took}: {ran} stage{'s' * (ran != 1)} ran, {cached}{skipped} were up to date already{same}.")
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


def _first_look() -> Callable[[], None]:
    """Returns a function that names a page with some clips, once the training dataset has a new manifest."""
    settings = load_params() if params.PARAMS.exists() else {}
    dataset = (settings.get("training") or {}).get("dataset")
    manifest, shown = paths.manifest(dataset), set()

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


def left_out_datasets(follower: follow.Follower) -> list[str]:
    """The datasets and runs of failed stages, if no other stages failed and no tagger is trained on one of them; else none."""
    settings = load_params()
    found = {due.dataset_of(failure["stage"]) for failure in follower.failures}
    named = (settings.get(section) or {} for section in ("datasets", "corpora", "runs", "cross_tests"))
    known = set().union(*named) - {(settings.get("training") or {}).get("dataset")}
    return sorted(found) if found and found <= known else []


def _the_others(stages: list[str], follower: follow.Follower, run: Callable[[list[str], list[str]], int]) -> None:
    """After a stage of one dataset failed: run all stages that do not need it, then the report without that dataset."""
    from pipelines.ops.dvc import freshness

    waiting = stages
    if not stages:
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
        run(ALONE, [name for name in stages if due.is_summary(name)])


def _alert(follower: follow.Follower) -> None:
    """Send an alert that the run failed, if recipients are configured."""
    from pipelines.ops.alerts.send import alert

    failed = follower.failed or {"stage": "", "reason": "", "detail": ""}
    reason = failed["reason"] or "the error is in its log: conservatory logs"
    alert(Path(), "failed", failed["stage"] or "the run", reason, f"run {follower.id}", failed["detail"])


def _lock_state() -> bytes:
    lock = Path("dvc.lock")
    return lock.read_bytes() if lock.exists() else b""
