"""A retraining: create a worktree, run `conservatory run` in it, commit, push, and apply the gate.

Every step can be repeated: an interrupted retraining continues with the step it was in. Only the last step changes the registry,
by one rename per decision, so a promotion is complete or did not happen."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from pipelines import recipe
from pipelines.core import params, paths
from pipelines.ops import run
from pipelines.ops.alerts import settings as alerts
from pipelines.ops.alerts.send import alert, refusal
from pipelines.ops.patches import experiments, resolver
from pipelines.ops.registry import (
    git,
    history,
    other_branches,
    overrides,
    pending_alerts,
    promotion,
    push_pull,
    saving,
    settings,
    versions,
    worktree,
)
from pipelines.ops.registry.errors import Incomparable, RegistryError
from pipelines.ops.remotes.remote_store import RemoteError
from pipelines.ops.runs import log, made_by, parent, record
from pipelines.ops.settings import load_params

CLIPS = ".cache/clips"
PATIENCE = 8.0  # seconds for DVC to end; the sender of a SIGTERM may send SIGKILL after ten


def begin(project: Path, revision: str, changes: list[str], stages: list[str], say: Callable = print) -> dict:
    """A new retraining of a revision, with `changes` ("training.seed=7") to params.yaml; runs `stages` (all if empty).

    Returns {"id", "commit", "models": {name: the event, or None if there was nothing to decide}}; commit is None if no
    model was new. `RegistryError` says what failed and how to continue.
    """
    name = worktree.new_id()
    with worktree.held(project, name) as lock:
        if git.run(project, "status", "--porcelain", "--untracked-files=no").stdout:
            say("Uncommitted changes here are not part of the retraining.")
        try:
            plan = {"changes": changes, "stages": stages, "branch": git.branch(project)}
            path = worktree.create(project, name, revision, plan)
            for change in changes:
                overrides.set_parameter(path / params.PARAMS, change)
            _settings(path)
            overrides.check(path, stages)
            _withdrawn(project, path)
        except BaseException:
            worktree.remove(project, name, branch=True)
            raise
        return _steps(project, name, lock, say)


def _withdrawn(project: Path, path: Path) -> None:
    """Raise `RegistryError` if a clip is withdrawn here but not in the commit that a retraining starts from."""
    here, there = (set(load_params(tree / params.PARAMS).get("withdrawn") or {}) for tree in (project, path))
    if late := sorted(here - there):
        raise RegistryError(
            f"withdrawn here but not in the commit that the retraining starts from: {', '.join(each[:16] for each in late[:3])}. "
            "It would train on these clips again: commit params.yaml (conservatory run, git commit -a) and start again from that "
            "commit; conservatory retrain --clean removes earlier retrainings"
        )


def _same_branch(project: Path, plan: dict) -> None:
    """Raise `RegistryError` unless the branch is checked out on which a retraining was started: its registry has the champion."""
    now, then = git.branch(project), plan.get("branch")
    if then is not None and now != then:
        raise RegistryError(
            f"the retraining was started on {then or 'no branch'}, and {now or 'no branch'} is checked out now, which may have "
            "another registry. Nothing was decided: check out the branch it was started on, then conservatory retrain --resume"
        )


def resume(project: Path, name: str, say: Callable = print) -> dict:
    """Continue a retraining that was interrupted or failed; see `begin`."""
    plan = worktree.plan(project, name)
    with worktree.held(project, name) as lock:
        for change in plan["changes"]:
            overrides.set_parameter(project / worktree.FOLDER / name / params.PARAMS, change)
        _settings(project / worktree.FOLDER / name)
        _same_branch(project, plan)
        try:
            overrides.check(project / worktree.FOLDER / name, plan["stages"])
        except RegistryError as error:
            raise RegistryError(
                f"{error}. It cannot be continued; to remove it: conservatory retrain --clean"
            ) from error
        _withdrawn(project, project / worktree.FOLDER / name)
        return _steps(project, name, lock, say)


def clean(project: Path, say: Callable = print) -> None:
    """Remove interrupted and failed retrainings, with their branches unless a registered version is on them, and report it.
    Running ones are kept, and reported."""
    registered = other_branches.commits(project)
    found = worktree.waiting(project)
    for name in found:
        try:
            worktree.take_away(project, name, registered)
            say(f"Removed: {name}")
        except RegistryError as error:
            say(error)
    if not found:
        say("Nothing to remove: there is no unfinished retraining")


def _steps(project: Path, name: str, lock, say: Callable) -> dict:
    """Send an alert if the retraining fails in this context. Its end is recorded after the alert, so a kill in between is
    found."""
    start, began = time.monotonic(), log.now()
    silent = {"alerts": "off"} if alerts.off() else {}
    _record(project, name, record.BEGAN, time=began, door="conservatory retrain", pid=os.getpid(), **silent)
    status, why = 1, "interrupted"
    try:
        found = _work(project, name, lock, say)
        status, why = 0, ""
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_go_on(name)) from None
    except Exception as error:
        why = worktree.failure(project, name) or str(error) or type(error).__name__
        pending_alerts.failed(project, name, began, why, str(error), say)
        raise
    finally:
        _record(project, name, record.ENDED, status=status, seconds=round(time.monotonic() - start, 1), reason=why)
    return found


def _settings(path: Path) -> tuple[dict, dict]:
    """A worktree's params.yaml and the settings of the gate. `RegistryError` if invalid: checked before hours of training."""
    try:
        found = yaml.safe_load((path / params.PARAMS).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RegistryError(f"params.yaml of the retraining cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise RegistryError("params.yaml of the retraining is not a table")
    return found, settings.options(found)


def _wanted(path: Path, plan: dict) -> list[str]:
    """The stages to run, all if empty: the named ones, and the one that makes the features for the measure of drift."""
    from dvc.exceptions import DvcException

    dataset = (_settings(path)[0].get("training") or {}).get("dataset")
    try:
        maker = recipe.Graph(recipe.locked_stages(path)).maker.get(str(paths.features(dataset, "pooled")))
        # dvc.lock may name a stage that was removed from the recipe
        known = plan["stages"] and maker in resolver.stages(path)
    except (yaml.YAMLError, DvcException):
        known = False  # the run reports what is wrong with dvc.lock or dvc.yaml
    return [*dict.fromkeys([*plan["stages"], maker])] if known else plan["stages"]


def _record(project: Path, name: str, what: str, **figures: object) -> None:
    record.add(project, [{"time": log.now(), "run": f"retraining-{name}", "what": what, **figures}])


def _work(project: Path, name: str, lock, say: Callable) -> dict:
    path, plan = project / worktree.FOLDER / name, worktree.plan(project, name)
    say(f"Retraining {name}, from commit {plan['base'][:12]}, in {path}")
    go_on = _go_on(name)
    if worktree.has_remote(path):
        try:
            push_pull.pull_tree(path, say)
        except RemoteError as error:
            say(error)  # what is missing is computed
    checkout = ["checkout", "--allow-missing", "--quiet"]
    if _child(path, lock, [sys.executable, "-m", "pipelines.ops.dvc.lock", *checkout], project):
        say("Some earlier results could not be fetched; they are computed again.")
    if status := _child(path, lock, [sys.executable, "-m", "pipelines.cli", "run", *_wanted(path, plan)], project):
        how = f"was killed (signal {-status})" if status < 0 else "failed, the error is above"
        raise RegistryError(f"The retraining {how}; no champion changed. {go_on}")
    commit = _commit(path, name)
    if commit != plan["base"]:
        # DVC counts it among the experiments of the commit it began from: dvc exp list, show, diff, push
        git.run(project, "update-ref", _experiment(name, plan["base"]), commit)
        if worktree.has_remote(path):
            say("Pushing data and models to the remote")
            try:
                push_pull.push_tree(path, say)
            except RemoteError as error:
                raise RegistryError(f"{error} No champion changed. {go_on}") from error
    found, options = _settings(path)
    _same_branch(project, plan)  # the branch may have changed meanwhile
    _withdrawn(project, path)
    try:
        decided = judge(project, params.model_names(found), commit, options, f"retraining {name}", say)
        # after a kill that followed the decision, only the registry has the result
        registered = other_branches.commits(project)
    except RegistryError as error:
        raise RegistryError(f"{error}. Some models are undecided. {go_on}") from error
    for model, event in decided.items():
        if event and event["event"] == "refused":
            alert(project, **refusal(model, event), say=say)
    pending_alerts.refusals(
        project, name, commit, say
    )  # before the worktree is removed: a kill in between loses no alert
    new = commit != plan["base"] and (any(decided.values()) or worktree.holds(project, name, registered))
    if commit == plan["base"]:
        say("Nothing to train: no data, code or parameter has changed since that commit.")
    elif not new:
        git.run(project, "update-ref", "-d", _experiment(name, plan["base"]))
    worktree.remove(project, name, branch=not new)
    return {"id": name, "commit": commit if new else None, "models": decided}


def judge(project: Path, names: list[str], commit: str, options: dict, why: str, say: Callable = print) -> dict:
    """Register a commit's models and apply the gate to the challengers; the registry is committed once.

    Returns name -> event, None for a model decided earlier. A challenger that cannot be compared is refused for that reason.
    `RegistryError` if one could not be decided for another reason: it stays a challenger, and the others are decided.
    """
    decided, undecided = {}, []
    with history.alone(project):
        sentences = []
        for name in names:
            try:
                event = decided[name] = _decide(project, name, commit, options, say)
            except RegistryError as error:
                undecided.append(f"{name}: {error}")
                continue
            if event:
                sentences.append(f"{name} {event['version']} {event['event']}")
        if sentences or history.unsaved(project):
            try:
                saving.save(project, f"Registry: {', '.join(sentences) or 'uncommitted changes'} ({why})", say)
            except RegistryError as error:
                undecided.append(str(error))
    if undecided:
        raise RegistryError("; ".join(undecided))
    return decided


def _decide(project: Path, name: str, commit: str, options: dict, say: Callable) -> dict | None:
    version, _ = versions.register(project, name, commit)
    stage = history.stages(history.read(project, name))[version]
    if stage != "challenger":
        say(f"{name}: the same model as version {version} ({stage}); nothing to decide")
        return None
    try:
        return promotion.promote(project, name, version, options)
    except Incomparable as error:
        champion = history.champion(history.read(project, name))
        return history.append(project, name, "refused", version, str(error), champion=champion)


def _go_on(name: str) -> str:
    return f"To continue: conservatory retrain --resume {name}. To remove it: conservatory retrain --clean"


def _commit(path: Path, name: str) -> str:
    """Commit the results in the worktree and return the commit; the one before, if nothing changed."""
    git.run(path, "add", "--all")
    if git.run(path, "diff", "--cached", "--quiet", check=False).returncode:
        git.run(path, *git.identity(path), "commit", "--quiet", "--no-verify", "-m", f"Retraining {name}")
    return git.commit_id(path, "HEAD")


def _experiment(name: str, base: str) -> str:
    """The reference by which DVC finds the experiment of a retraining that began from the commit `base`."""
    return experiments.reference(base, f"retrain-{name}")


def _child(path: Path, lock, command: list[str], project: Path) -> int:
    """Run a command in the worktree, with its output shown, and return its exit status. It inherits the retraining's lock. A
    signal to this process is passed on and the command waited for; if this process is killed, the command ends too."""
    environment = {
        "CONSERVATORY_CACHE": str((project / CLIPS).absolute()),
        "CONSERVATORY_PROJECT": str(project.absolute()),  # from where relative paths of datasets are meant
        "CONSERVATORY_LOGS": str(log.folder(project).absolute()),
        **run.environment(),
        **parent.named(),
        made_by.FOR: ", for ".join(filter(None, [f"retraining {path.name}", os.environ.get(made_by.FOR)])),
        alerts.OFF: "off",  # this process sends the alert
    }
    before = signal.signal(signal.SIGTERM, _interrupted)
    process = subprocess.Popen(command, cwd=path, env=environment, pass_fds=[lock.fileno()], start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        if process.poll() is None:
            leader = psutil.Process(process.pid)
            started = [leader, *leader.children(recursive=True)]  # stages too, which must not go on writing
            os.killpg(process.pid, signal.SIGINT)
            for stubborn in psutil.wait_procs(started, PATIENCE)[1]:
                stubborn.kill()
            process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupted(number, frame) -> None:
    raise KeyboardInterrupt
