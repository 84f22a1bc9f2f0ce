"""`conservatory models`: list and compare versions, and change the champion."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipelines.core import params
from pipelines.core.files import write_json
from pipelines.ops.registry import history, saving, versions
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import load_params

app = typer.Typer(
    no_args_is_help=True,
    help="List, compare and promote model versions. The registry is plain files in registry/, in git.",
)
Name = Annotated[str, typer.Argument(help="A tagger or a run of params.yaml, for instance short.")]
Version = Annotated[int, typer.Argument(help="A version's number, as `models list` shows it.", min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str, typer.Option(help="The reason, in a sentence; it is recorded.")]
HERE = Path()


@app.command("list")
def list_models(
    name: Annotated[str, typer.Argument(help="Only this model, with its history.")] = "", as_json: Json = False
) -> None:
    """List the versions of each model: stage, metrics with 95% intervals, commit; with a name, also its history."""
    with _said():
        known = history.names(HERE)
        if name and name not in known:
            versions.load(HERE, name, 0)
        listed = {each: _described(each) for each in ([name] if name else known)}
        if as_json:
            print(json.dumps(listed, indent=2, ensure_ascii=False))
            return
        if not listed:
            print("No model is registered yet. To register one: conservatory models register")
        for each, model in listed.items():
            print(each)
            for version in model["versions"]:
                print(
                    f"  {version['version']:3d}  {version['stage']:10s}  {version['commit'][:12]}  {_scores(version['metrics'])}"
                )
            for event in model["history"] if name else ():
                print(
                    f"  {event['time']}  version {event['version']} {event['event'].replace('_', ' ')}: {event['reason']}"
                )


@app.command()
def register(
    names: Annotated[
        list[str] | None, typer.Argument(help="Taggers and runs; by default all that are trained here.")
    ] = None,
    revision: Annotated[str, typer.Option(help="The commit whose models are registered.")] = "HEAD",
) -> None:
    """Register the models of a commit as challengers; `models promote` then decides. Registered versions do not change."""
    with _said(), history.alone(HERE):
        added, failed, wanted = [], [], names or params.model_names(load_params())
        for name in wanted:
            try:
                version, new = versions.register(HERE, name, revision)
            except RegistryError as error:
                failed.append(str(error))
                continue
            print(f"{name}: version {version}, {'a challenger' if new else 'already registered'}")
            added += [f"{name} {version}"] if new else []
        # also versions that an earlier command registered and could not commit
        if len(failed) < len(wanted) and (added or history.unsaved(HERE)):
            saving.save(HERE, f"Registry: {', '.join(added)} registered" if added else "Registry: uncommitted changes")
        if failed:
            raise RegistryError("\n".join(failed))


@app.command()
def compare(name: Name, champion: Version, challenger: Version, as_json: Json = False) -> None:
    """Compare two versions on the test set of the first, by every guarded metric, and show the drift of their training clips.
    Changes nothing."""
    from pipelines.ops.registry import gate, regression_guard

    with _said():
        pair = (versions.load(HERE, name, version) for version in (champion, challenger))
        comparison = gate.compare(HERE, *pair, options())
        passed, _ = regression_guard.decide(comparison, history.read(HERE, name))
        if as_json:
            print(json.dumps(comparison, indent=2, ensure_ascii=False))
            return
        show(comparison)
        print(f"The gate would {'promote' if passed else 'refuse'} version {challenger}.")


@app.command()
def promote(
    name: Name,
    version: Version,
    gated: Annotated[
        bool, typer.Option("--gate/--no-gate", help="--no-gate promotes without the test, and needs a --reason.")
    ] = True,
    reason: Annotated[str | None, typer.Option(help="The reason, in a sentence; it is recorded.")] = None,
) -> None:
    """Make a challenger the champion, if it is not worse by more than registry.margins on any guarded metric.

    A refused version is retired, and the exit status is 1. Either decision is recorded in the history with its figures.
    """
    from pipelines.ops.registry import promotion

    with _said(), history.alone(HERE):
        event = promotion.promote(HERE, name, version, options(), reason, gated)
        tell(name, event)
        if event["event"] == "promoted":
            _warn_of_withdrawn(name, version)
        saving.save(HERE, f"Registry: {name} {version} {event['event']}")
    raise typer.Exit(0 if event["event"] == "promoted" else 1)


@app.command()
def export(
    name: Name,
    to: Annotated[Path, typer.Argument(help="A new folder.")],
    version: Annotated[int | None, typer.Option(help="Number of the version; by default the champion.", min=1)] = None,
) -> None:
    """Copy a version's files (weights, config, card) out of DVC's cache or remote; `conservatory predict` takes the folder."""
    with _said():
        wanted = version or history.champion(history.read(HERE, name))
        record = versions.load(HERE, name, wanted or 0)
        versions.export(HERE, record, to)
        print(f"{to}: version {wanted} of {name}")
        _warn_of_withdrawn(name, record["version"])


@app.command()
def rollback(
    name: Name,
    reason: Reason,
    to: Annotated[int | None, typer.Option(help="A former champion; by default the previous one.", min=1)] = None,
) -> None:
    """Make a former champion the champion again, without the gate."""
    from pipelines.ops.registry import promotion

    with _said(), history.alone(HERE):
        event = promotion.rollback(HERE, name, reason, to)
        print(f"{name}: version {event['version']} is champion again, version {event['replaces']} retired")
        _warn_of_withdrawn(name, event["version"])
        saving.save(HERE, f"Registry: {name} rolled back to {event['version']}")


@app.command()
def drop(name: Name, version: Version, reason: Reason) -> None:
    """Release the files of a refused version, so that `conservatory prune` may delete them. Record, card and history are kept.

    A version that is or was champion cannot be dropped.
    """
    from pipelines.ops.registry import promotion

    with _said(), history.alone(HERE):
        promotion.drop(HERE, name, version, reason)
        print(f"{name}: version {version} dropped; conservatory prune lists its files that nothing else needs")
        saving.save(HERE, f"Registry: {name} {version} dropped")


def options() -> dict:
    """`registry` of params.yaml."""
    from pipelines.ops.registry import settings

    return settings.options(load_params())


def tell(name: str, event: dict) -> None:
    """Print a decision."""
    if "comparison" in event:
        show(event["comparison"])
    print(f"{name}: version {event['version']} {event['event']}, {event['reason']}")


def show(comparison: dict) -> None:
    """Print a comparison as a table, and the drift."""
    test = comparison["test_set"]
    aside = f" ({test['left_aside']} newer ones ignored)" if test["left_aside"] else ""
    print(
        f"{test['n']} test clips of {test['n_groups']} groups{aside}, {test['n_tags']} tags, test set {test['sha256'][:12]}"
    )
    for metric, found in comparison["metrics"].items():
        low, high = found["difference_ci95"]
        best = comparison.get("best", {}).get(metric, {"version": comparison["champion"]})
        former = "" if best["version"] == comparison["champion"] else _former(best)
        print(
            f"  {metric:32s} {found['champion']:.4f} -> {found['challenger']:.4f}  {found['difference']:+.4f} "
            f"[{low:+.4f}, {high:+.4f}]  {'passed' if found['holds'] else 'FAILED'} (margin {found['margin']:g})"
            + former
        )
    drift = comparison["drift"]
    if "none" in drift:
        print(f"  drift: not measured, {drift['none']}")
        return
    print(
        f"  drift of training clips ({drift['n_reference']} -> {drift['n_present']}, {drift['clips_new']} new): PSI mean "
        f"{drift['psi']['mean']:.3f} ({drift['psi']['expected']:.3f} without drift), shifted {drift['psi']['n_shifted']} of "
        f"{drift['n_features']} features; "
        f"KS different in {drift['ks']['n_different']}; MMD2 {drift['mmd']['mmd2']:.5f}, p {drift['mmd']['p']:.3f}"
    )


def _warn_of_withdrawn(name: str, version: int) -> None:
    """Warn if a version that is to be used was trained on a clip that was withdrawn since."""
    if withdrawn := load_params().get("withdrawn"):
        from pipelines.ops.lineage import trained_on

        for content in trained_on.trained_on(versions.load(HERE, name, version), withdrawn):
            print(
                f"Warning: version {version} of {name} was trained on a clip that was withdrawn: {content[:16]} "
                f"({withdrawn[content]}). conservatory impact {content[:16]}",
                file=sys.stderr,
            )


def _former(best: dict) -> str:
    return f"; best former champion: version {best['version']}, {best['value']:.4f} ({best['difference']:+.4f})"


def _described(name: str) -> dict:
    events = history.read(HERE, name)
    stages = history.stages(events)
    keys = ("version", "commit", "dataset", "code", "metrics")
    records = {version: versions.load(HERE, name, version) for version in stages}
    return {
        "versions": [{"stage": stages[v], **{key: record[key] for key in keys}} for v, record in records.items()],
        "history": events,
    }


def _scores(metrics: dict[str, dict]) -> str:
    shown = [(name, found) for name, found in metrics.items() if "_probe_" not in name]
    return "  ".join(
        f"{name} {f['value']:.4f} {'[{:.4f}, {:.4f}]'.format(*f['ci95']) if f['ci95'] else '(no interval)'} n {f['n']}"
        for name, f in shown
    )


def retrain(
    revision: Annotated[str, typer.Option(help="The commit to start from.")] = "HEAD",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Change a parameter for this retraining: training.seed=7. Can be given several times."
        ),
    ] = None,
    stages: Annotated[
        list[str] | None,
        typer.Option("--stage", help="Only this stage and its inputs, instead of all. Can be given several times."),
    ] = None,
    resume: Annotated[
        str, typer.Option(help="Continue a retraining that was interrupted or failed.", metavar="ID")
    ] = "",
    clean: Annotated[bool, typer.Option("--clean", help="Remove worktrees of interrupted retrainings.")] = False,
    as_json: Annotated[
        Path | None, typer.Option("--json", help="Also write the decisions to this file, as JSON.")
    ] = None,
) -> None:
    """Retrain on the current music; the gate decides whether the new model becomes champion.

    It runs in a separate git worktree with the same DVC cache: your files do not change, and several retrainings may run at once.
    The result is a commit on the branch retrain/<id> and a DVC experiment, pushed to DVC's default remote if there is one. The
    decision is recorded in registry/. A refusal is a result and not an error: the exit status is 0.
    """
    from pipelines.ops.registry import pending_alerts
    from pipelines.ops.registry import retrain as retraining

    given = [
        option
        for option, value in (("--set", changes), ("--stage", stages), ("--revision", revision))
        if value and value != "HEAD"
    ]
    with _said():
        if clean and resume:
            raise RegistryError("--resume continues a retraining and --clean removes it: give only one of them")
        if given and (clean or resume):
            raise RegistryError(
                f"{', '.join(given)}: a resumed retraining keeps its own options; start a new one to change them"
            )
        pending_alerts.send(HERE)
        if clean:
            retraining.clean(HERE)
            return
        options()
        before = _champions()
        try:
            found = (
                retraining.resume(HERE, resume)
                if resume
                else retraining.begin(HERE, revision, changes or [], stages or [])
            )
        except KeyboardInterrupt as error:
            # the error has no text if no retraining was started yet
            go_on = str(error) or "conservatory status lists unfinished retrainings"
            decided = (
                "no champion changed"
                if _champions() == before
                else "decisions already made are kept (conservatory models list)"
            )
            print(f"Interrupted; {decided}. {go_on}", file=sys.stderr)
            raise typer.Exit(130) from None
        for name, event in found["models"].items():
            if event:
                tell(name, event)
        if as_json:
            write_json(as_json, found)


def _champions() -> dict[str, int | None]:
    return {name: history.champion(history.read(HERE, name)) for name in history.names(HERE)}


@contextmanager
def _said() -> Iterator[None]:
    """Print errors of the registry, and exit with status 2."""
    try:
        yield
    except (RegistryError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
