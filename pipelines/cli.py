"""The `conservatory` command line."""

import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import webbrowser
from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer
import yaml

from pipelines import predicting
from pipelines.core import params
from pipelines.core.plain import plain
from pipelines.ops import project_root, run
from pipelines.ops.alerts import commands as alerts
from pipelines.ops.dvc import errors
from pipelines.ops.lineage import commands as audit
from pipelines.ops.registry import commands as registry
from pipelines.ops.registry import pending_alerts, push_pull
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention import commands as retention
from pipelines.ops.runs import parent
from pipelines.ops.settings import load_params
from pipelines.ops.settings.kinds import nearest
from pipelines.ops.status import commands as status

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Music in, an evaluation report out: one recipe, every figure traceable. Run it in the project's folder, or below.",
)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="A folder <label>/<audio file>, or a CSV path,label[,split][,group].")],
    name: Annotated[str, typer.Option(help="What to call the dataset: a-z, 0-9 and _.")],
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Also read what symbolic links name outside of the folder.")
    ] = False,
) -> None:
    """Add music of your own to the recipe. The files stay where they are and are never changed.

    WAV, FLAC, OGG, MP3, AIFF, AU and whatever else libsndfile knows is read, whatever it is called. The labels become the classes
    that clusters are matched to; a folder of files without labels has maps, tags and neighbours. In <label>/<artist>/<file> the
    artists are groups, which are never on two sides of a split. With a split column (train, validation, test) the test clips
    are scored, otherwise all are.
    """
    settings = _settings()
    if not params.is_name(name):
        _fail(
            f"{name!r} cannot be a dataset's name: use a-z, 0-9 and _, beginning with a letter; yes, no, on, off, true, "
            "false and null mean something else in params.yaml."
        )
    if name in settings["datasets"]:
        entry = settings["datasets"][name]
        where = entry.get("path", f"built by pipelines/datasets/{entry['module']}.py")
        first = "" if name == settings["training"]["dataset"] else f", or `conservatory remove {name}` first"
        _fail(f"There is a dataset {name!r} already ({where}). Choose another name{first}.")
    from pipelines.datasets import listing  # pandas takes most of a second, and --help needs none of it
    from pipelines.ops import adding

    try:
        entry, files = adding.entry(path, follow_links)
    except listing.SourceError as error:
        _fail(str(error))
    lines = list(adding.told(name, files))
    params.set_dataset(name, entry)
    for line in lines:
        print(line)


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(help="The dataset, as it was added; or a clip: its id, path, title or SHA-256.")
    ],
    why: Annotated[str, typer.Option(help="Of a clip: why it may no longer be used. Kept in params.yaml.")] = "",
    whole_group: Annotated[bool, typer.Option(help="Of a clip: all clips of its group (work, artist) too.")] = False,
) -> None:
    """Take a dataset out of the recipe, or withdraw a clip from every dataset.

    Of a dataset, your files stay where they are; what was computed goes to DVC's cache, from where it comes back if you add
    the same dataset again.

    A clip is withdrawn by its content: under whatever name and in whichever dataset, it goes to the quarantine table, and the
    next run makes features, models and figures without it. `conservatory impact CLIP` shows beforehand what that is.
    """
    settings = _settings()
    # a dataset's name is that, whatever file is called so where the user stands
    if name not in settings["datasets"] and audit.withdraw_clip(project_root.meant(name), why, whole_group):
        return
    if name not in settings["datasets"]:
        there = Path("dvc.lock").exists()
        sought = f"and no clip {name!r}" if there else f"{name!r}, and no clip is known before the first run"
        _fail(f"There is no dataset {sought}{_meant(name, settings['datasets'], 'datasets are')}.")
    if why or whole_group:
        _fail(f"{name!r} is a dataset, and --why and --whole-group are for clips.")
    if name == settings["training"]["dataset"]:
        _fail(f"The taggers are trained on {name!r} (training.dataset in params.yaml); name another there first.")
    params.set_dataset(name, None)
    if name in (settings.get("max_quarantined") or {}):  # a limit of its own, which nothing reads now
        with params.editing() as document:
            del document["max_quarantined"][name]
    print(f"Removed {name} from params.yaml. `conservatory run` makes the report without it.")


@app.command("list")
def list_datasets() -> None:
    """List the datasets and their state."""
    for name, entry in _settings()["datasets"].items():
        record = Path("data/records/audio") / f"{name}.json"
        state = "not read yet"
        if record.exists():
            from pipelines.core.files import read_json

            figures = read_json(record)["figures"]
            state = f"{figures['clips']} clips, {figures['hours']:.2f} h, {figures['quarantined']} quarantined"
        where = entry.get("path", f"pipelines/datasets/{entry['module']}.py")
        print(f"{name:20s} {state:44s} {plain(where)}")


@app.command("run")
def run_stages(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages to bring up to date, with what they need: cluster, cluster@mine.")
    ] = None,
    dataset: Annotated[
        str, typer.Option(help="Only what is of this dataset, with what it needs, and the report.")
    ] = "",
    force: Annotated[bool, typer.Option(help="Run the named stages once more, even if nothing changed.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run nothing: say what would run, why, and about how long it takes.")
    ] = False,
    profile: Annotated[
        str,
        typer.Option(help="Run the demo with the parameters of profiles/PROFILE.yaml, in a folder of its own: class."),
    ] = "",
) -> None:
    """Run stale stages: all of them, or the named ones and their dependencies.

    Folders of your own are looked at first: new, changed and removed files count. A run that was interrupted goes on where
    it stopped. The same as `dvc repro`, with the folders refreshed. With --force what the named stages need is brought up to date
    first, as without; what is made of them is left to the next run.

    --profile class runs the whole demo in about two minutes: fewer clips, one short training. It changes neither params.yaml nor
    your results, and its report is in .cache/profiles/class/reports.
    """
    settings = _settings()
    if profile:
        _run_profile(profile, alone=not (stages or dataset or force or dry_run))
    targets = list(stages or [])
    if dataset:
        if dataset not in settings["datasets"]:
            _fail(f"There is no dataset {dataset!r}{_meant(dataset, settings['datasets'])}.")
        if stages:
            _fail("Name stages, or --dataset: the stages of a dataset are named cluster@mine.")
    if force and not targets:
        _fail("--force wants the stages named, for instance: conservatory run --force report")
    if stages:
        known = yaml.safe_load(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"]
        if unknown := [stage for stage in stages if stage.partition("@")[0] not in known]:
            _fail(f"There is no stage {unknown[0]!r}{_meant(unknown[0].partition('@')[0], known)}.")
    from pipelines.datasets import listing

    try:
        run.refresh()
    except listing.SourceError as error:
        _fail(str(error))
    if dry_run:
        _say_plan(targets, dataset)
        return
    ended = run.repro(targets, force, dataset)
    pending_alerts.tell(Path())
    if ended == 0 and run.REPORT.exists() and (not targets or "report" in targets):
        print(f"Report: {run.REPORT.absolute()}")
    raise typer.Exit(ended)


def _run_profile(name: str, alone: bool) -> None:
    from pipelines.ops import profiles

    if not alone:
        _fail("--profile runs the whole demo; it takes no stages and no other option.")
    if name not in profiles.names():
        _fail(f"There is no profile {name!r}{_meant(name, profiles.names())}.")
    try:
        profiles.start(name)
    except RegistryError as error:
        _fail(str(error))


def _say_plan(targets: list[str], dataset: str) -> None:
    from pipelines.ops.dvc.freshness import StatusError
    from pipelines.ops.runs.progress import duration

    if targets:
        _fail("--dry-run tells of a whole run, or with --dataset of one dataset; it takes no stages.")
    try:
        planned = run.plan(dataset)
    except StatusError as error:
        _fail(str(error))
    for stage, why, (seconds, like) in planned:
        long = f"{'about ' if like else ''}{duration(seconds)}" if seconds is not None else "not known"
        print(f"{stage:36s} {long:>15s}  {plain('; '.join(filter(None, (why, f'by {like}' if like else ''))))}")
    if not planned:
        print("Nothing to do.")
        return
    known = [each for *_, each in planned if each.seconds is not None]
    ran = [each.seconds for each in known if not each.like]
    alike = [each.seconds for each in known if each.like]
    told = []
    if ran:
        told.append(f"{len(ran)} of them took {duration(sum(ran))} when they last ran here")
    if alike:
        takes = "takes" if len(alike) == 1 else "take"
        told.append(f"{len(alike)} {takes} about {duration(sum(alike))}, by the same stages of other datasets")
    if unknown := len(planned) - len(ran) - len(alike):
        told.append(f"how long {unknown} of them will take is not known")
    total = f", about {duration(sum(ran + alike))}{' and what is not known' if unknown else ''}" if ran or alike else ""
    print(f"{len(planned)} stages{total}: {'; '.join(told)}.")


@app.command()
def refresh() -> None:
    """Record the current state of your folders in params.yaml. `run` does this first."""
    from pipelines.datasets import listing

    _settings()
    try:
        changed = run.refresh()
    except listing.SourceError as error:
        _fail(str(error))
    if not changed:
        print("No folder has changed.")


@app.command()
def report() -> None:
    """Open the report in a browser."""
    _settings()
    if not run.REPORT.exists():
        _fail("There is no report yet: `conservatory run` makes it.")
    print(run.REPORT.absolute())
    webbrowser.open(run.REPORT.absolute().as_uri())


@app.command("cache")
def show_cache(
    prune: Annotated[bool, typer.Option(help="Remove what was used longest ago, down to the limit.")] = False,
    limit_gb: Annotated[float | None, typer.Option(help="Limit for --prune, instead of cache.limit_gb.", min=0)] = None,
    only: Annotated[str, typer.Option(help="With --prune: this kind alone, for instance pcm or log_mel.")] = "",
) -> None:
    """Show the clip cache (decoded audio and features, by content); --prune frees disk space.

    Nothing but time is lost by removing any of it. `--prune --limit-gb 0` empties it.
    """
    from pipelines.core import cache

    limit = _settings()["cache"]["limit_gb"] if limit_gb is None else limit_gb
    if not prune and (only or limit_gb is not None):
        _fail("--only and --limit-gb say what --prune removes: give --prune too.")
    if prune:
        if only and only not in cache.usage():
            _fail(f"Nothing of kind {only!r} is kept{_meant(only, cache.usage())}.")
        removed, freed = cache.prune(limit * 1e9, only or None)
        print(f"Removed {removed} entries, {freed / 1e9:.3f} GB.")
    kinds = cache.usage()
    for kind, (entries, size) in kinds.items():
        print(f"{kind:24s} {entries:9d} entries {size / 1e9:9.3f} GB")
    total = sum(size for _, size in kinds.values())
    print(f"{cache.folder().absolute()}: {total / 1e9:.3f} GB of at most {limit:g} GB")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on; anyone who reaches it can run jobs.")] = "127.0.0.1",
    read_only: Annotated[
        bool, typer.Option("--read-only", help="To look at: nothing can be run or turned on.")
    ] = False,
) -> None:
    """Open Dagster: the lineage graph, runs and schedules.

    For a team, with Postgres and services that start by themselves: docs/deployment.md.
    """
    _settings()
    print(f"Dagster: http://{host}:{port} (stop with Ctrl-C; runs and history are kept in .dagster/)", flush=True)
    command = [sys.executable, "-m", "assets.serve", "--host", host, "--port", str(port)]
    command += ["--read-only"] if read_only else []
    os.execve(command[0], command, run.environment())  # that process is the one to be ended, and ends what it started


app.command("predict")(predicting.predict_files)
audit.register(app)
status.register(app)
app.add_typer(registry.app, name="models")
app.add_typer(alerts.app, name="alerts")
app.command()(registry.retrain)
app.command()(push_pull.push)
app.command()(push_pull.pull)
app.command()(retention.prune)
project_root.meant_from_there(app)


def _settings() -> dict:
    try:
        return load_params()
    except FileNotFoundError as error:
        _fail(str(error))


def _meant(word: str, known: Collection[str], there: str = "there is") -> str:
    """What a word that is not known may have been, and what there is."""
    near = nearest(word, known)
    return f"{f' (do you mean {near}?)' if near else ''}; {there} {', '.join(known) or 'none'}"


def _fail(message: str) -> None:
    print(plain(message), file=sys.stderr)
    raise typer.Exit(2)


def main() -> None:
    """Entry point: stages and parameters are found from the project's folder."""
    project_root.enter(sys.argv[1:])
    try:
        with parent.watched():
            app()
    except Exception as error:
        if isinstance(error, OSError | sqlite3.OperationalError) and _full(error):  # of DVC's own tables the latter
            full = "Nothing is lost: make room (conservatory cache --prune) and try again."
            print(f"The disk is full: {error}. {full}", file=sys.stderr)
            sys.exit(1)
        if not (why := errors.sentence(error)):
            raise
        print(why, file=sys.stderr)
        sys.exit(2)


def _full(error: OSError | sqlite3.OperationalError) -> bool:
    """Did it end at a full disk? SQLite then says "disk is full", or where it maps a file no more than "disk I/O error"."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    from dvc.dirs import site_cache_dir  # where DVC keeps its tables

    places = [place for place in (".", tempfile.gettempdir(), site_cache_dir()) if os.path.isdir(place)]
    without_room = any(shutil.disk_usage(place).free < 1 << 20 for place in places)
    return "disk is full" in str(error) or ("disk I/O error" in str(error) and without_room)


if __name__ == "__main__":
    main()
