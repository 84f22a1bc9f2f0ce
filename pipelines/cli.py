"""The `conservatory` command line."""

import errno
import os
import shutil
import sqlite3
import sys
import tempfile
import webbrowser
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from pipelines import generating, separating
from pipelines.core import params, paths
from pipelines.core.plain import plain
from pipelines.ops import families, project_root, run, run_command
from pipelines.ops.alerts import commands as alerts
from pipelines.ops.dvc import errors
from pipelines.ops.failing import fail
from pipelines.ops.lineage import commands as audit
from pipelines.ops.patches import config
from pipelines.ops.registry import commands as registry
from pipelines.ops.registry import push_pull
from pipelines.ops.retention import commands as retention
from pipelines.ops.run_command import load_settings
from pipelines.ops.runs import parent
from pipelines.ops.settings import corpora
from pipelines.ops.settings.kinds import suggestion
from pipelines.ops.status import commands as status
from pipelines.predict import command as predict

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},  # subcommands inherit them
)


def _version(asked: bool) -> None:
    if asked:
        print(f"conservatory {metadata.version('conservatory')}")
        raise typer.Exit


@app.callback()
def overall(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Train and evaluate music models from your audio or scores. Every figure in the report can be traced to its inputs.
    Run it in the project's folder, or below."""


@app.command()
def add(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder <label>/<audio, MIDI, ABC or score>, or a CSV path,label[,split][,group] of audio."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the new dataset: a-z, 0-9 and _.")],
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Also follow symbolic links that lead out of the folder.")
    ] = False,
    folders: Annotated[
        str, typer.Option(help="For files of notes, what the folders in PATH are: label, or group (work, composer).")
    ] = "label",
) -> None:
    """Add a folder or CSV of your own audio, or a folder of notes. The files stay where they are and are never changed.

    All formats of libsndfile are read (WAV, FLAC, OGG, MP3, AIFF, AU and others), whatever the file extension. Clusters are
    compared with the labels; without labels there are still maps, tags and neighbours. In <label>/<artist>/<file> each artist is
    a group; all clips of a group are on the same side of the split. If the CSV has a split
    column (train, validation, test), only test clips are scored, otherwise all clips.

    A folder of MIDI, ABC, MusicXML or Humdrum files becomes a corpus of notes (`corpora` in params.yaml) with a split by groups.
    """
    settings = load_settings()
    if not params.is_name(name):
        fail(
            f"{name!r} is not a valid dataset name: use a-z, 0-9 and _, and begin with a letter; yes, no, on, off, true, "
            "false and null have another meaning in params.yaml."
        )
    if name in settings["datasets"]:
        entry = settings["datasets"][name]
        where = entry.get("path", f"built by pipelines/datasets/{entry['module']}.py")
        first = "" if name == settings["training"]["dataset"] else f", or `conservatory remove {name}` first"
        fail(f"There is a dataset {name!r} already ({where}). Choose another name{first}.")
    if name in (settings.get("corpora") or {}):
        fail(f"There is a corpus {name!r} already. Choose another name, or `conservatory remove {name}` first.")
    if folders not in ("label", "group"):
        fail(f"--folders is {folders!r}, and may be label or group.")
    from pipelines.datasets import listing  # imports pandas, which takes most of a second
    from pipelines.ops import adding, adding_notes

    section = "datasets"
    try:
        if adding_notes.is_collection(path):
            section, (entry, files) = "corpora", adding_notes.entry(path, folders)
            lines = list(adding_notes.summary(name, entry, files))
        else:
            entry, files = adding.entry(path, follow_links)
            lines = list(adding.summary(name, files))
    except listing.SourceError as error:
        fail(str(error))
    params.set_dataset(name, entry, section)
    for line in lines:
        print(line)


@app.command()
def remove(
    name: Annotated[
        str, typer.Argument(help="The name of a dataset or corpus; or a clip: its id, path, title or SHA-256.")
    ],
    why: Annotated[str, typer.Option(help="For a clip: why it must not be used. Recorded in params.yaml.")] = "",
    whole_group: Annotated[
        bool, typer.Option(help="For a clip: also withdraw all clips of its group (work, artist).")
    ] = False,
) -> None:
    """Remove a dataset or corpus from the recipe, or withdraw a clip from all of them.

    Files of a removed dataset stay where they are. DVC's cache keeps its results, which are restored if you add the same dataset
    again.

    A clip is withdrawn by its content: all files with that content, in any dataset, go to the quarantine table, and the next run
    makes features, models and figures without them. `conservatory impact CLIP` lists what will change.
    """
    settings = load_settings()
    known = corpora.with_datasets(settings)
    # a dataset's name wins over a file of the same name
    if name not in known and audit.withdraw_clip(project_root.meant(name), why, whole_group):
        return
    if name not in known:
        there = Path("dvc.lock").exists()
        sought = f"and no clip {name!r}" if there else f"{name!r}, and clips are known only after the first run"
        fail(f"There is no dataset {sought}{suggestion(name, known, 'datasets are')}.{audit.not_searched()}")
    if why or whole_group:
        fail(f"{name!r} is a dataset; --why and --whole-group apply to clips only.")
    if name == settings["training"]["dataset"]:
        fail(f"The taggers are trained on {name!r} (training.dataset in params.yaml); set another one there first.")
    if used := [run for run, entry in (settings.get("runs") or {}).items() if entry["dataset"] == name]:
        fail(
            f"{name!r} is the dataset of the run{'s' * (len(used) > 1)} {', '.join(used)} in params.yaml: remove them first."
        )
    params.set_dataset(name, None, "datasets" if name in settings["datasets"] else "corpora")
    if name in (settings.get("max_quarantined") or {}):  # the dataset's own limit, which is no longer read
        with params.editing() as document:
            del document["max_quarantined"][name]
    print(f"Removed {name} from params.yaml. `conservatory run` makes the report without it.")


@app.command("list")
def list_datasets() -> None:
    """List the datasets and the corpora of notes: clips or pieces, hours, quarantined files, and where they come from."""
    from pipelines.core.files import read_json

    settings = load_settings()
    for section, stage, summary in (
        ("datasets", "audio", "{clips} clips, {hours:.2f} h, {quarantined} quarantined"),
        ("corpora", "notes", "{pieces} pieces, {notes:,} notes, {quarantined} quarantined"),
    ):
        for name, entry in (settings.get(section) or {}).items():
            record = paths.record(stage, name)
            state = summary.format(**read_json(record)["figures"]) if record.exists() else "not read yet"
            where = entry.get("path", f"pipelines/{section}/{entry['module']}.py")
            print(f"{name:20s} {state:44s} {plain(where)}")


@app.command()
def refresh() -> None:
    """Update the fingerprints of your own folders in params.yaml. `run` does this first."""
    from pipelines.datasets import listing

    load_settings()
    try:
        changed = run.refresh()
    except listing.SourceError as error:
        fail(str(error))
    if not changed:
        print("No folder has changed.")


@app.command()
def report() -> None:
    """Open the report in a browser."""
    load_settings()
    if not run.REPORT.exists():
        fail("There is no report yet; `conservatory run` makes it.")
    print(run.REPORT.absolute())
    webbrowser.open(run.REPORT.absolute().as_uri())


@app.command("cache")
def show_cache(
    prune: Annotated[bool, typer.Option(help="Remove the least recently used entries, down to the limit.")] = False,
    limit_gb: Annotated[float | None, typer.Option(help="Limit for --prune, instead of cache.limit_gb.", min=0)] = None,
    only: Annotated[str, typer.Option(help="With --prune: only this kind, for instance pcm or log_mel.")] = "",
) -> None:
    """Show the clip cache (decoded audio and features, by content); --prune frees disk space.

    Removed entries are computed again when needed. `--prune --limit-gb 0` empties the cache.
    """
    from pipelines.core import cache

    limit = load_settings()["cache"]["limit_gb"] if limit_gb is None else limit_gb
    if not prune and (only or limit_gb is not None):
        fail("--only and --limit-gb need --prune.")
    if prune:
        if only and only not in cache.usage():
            fail(f"The cache has no kind {only!r}{suggestion(only, cache.usage())}.")
        removed, freed = cache.prune(limit * 1e9, only or None)
        print(f"Removed {removed} entries, {freed / 1e9:.3f} GB.")
    kinds = cache.usage()
    for kind, (entries, size) in kinds.items():
        print(f"{kind:24s} {entries:9d} entries {size / 1e9:9.3f} GB")
    total = sum(size for _, size in kinds.values())
    print(f"{cache.folder().absolute()}: {total / 1e9:.3f} GB of at most {limit:g} GB")


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anyone who can connect to it can run jobs.")
    ] = "127.0.0.1",
    read_only: Annotated[
        bool,
        typer.Option(
            "--read-only", help="Display only: no job can be launched, and no schedule or sensor can be turned on."
        ),
    ] = False,
) -> None:
    """Open Dagster: the lineage graph, runs and schedules.

    For a team, with Postgres and system services, see docs/deployment.md.
    """
    load_settings()
    print(f"Dagster: http://{host}:{port} (stop with Ctrl-C; runs and history are kept in .dagster/)", flush=True)
    command = [sys.executable, "-m", "assets.serve", "--host", host, "--port", str(port)]
    command += ["--read-only"] if read_only else []
    os.execve(command[0], command, run.environment())  # replaces this process, so that Ctrl-C reaches it


app.command("run")(run_command.run_stages)
app.command("predict")(predict.predict_files)
app.command("generate")(generating.generate)
app.command("separate")(separating.separate_files)
audit.register(app)
status.register(app)
families.register(app)
app.add_typer(registry.app, name="models")
app.add_typer(alerts.app, name="alerts")
app.command()(registry.retrain)
app.command()(push_pull.push)
app.command()(push_pull.pull)
app.command()(retention.prune)
project_root.meant_from_there(app)


def main() -> None:
    """Entry point. Changes to the project's root first."""
    project_root.enter(sys.argv[1:])
    try:
        with parent.watched():
            app()
    except Exception as error:
        if isinstance(error, OSError | sqlite3.OperationalError) and _full(error):  # the latter from DVC's own tables
            full = "Nothing is lost: free space (conservatory cache --prune) and try again."
            print(f"The disk is full: {error}. {full}", file=sys.stderr)
            sys.exit(1)
        if not (why := errors.sentence(error)):
            raise
        print(why, file=sys.stderr)
        sys.exit(2)


def _full(error: OSError | sqlite3.OperationalError) -> bool:
    """Was the disk full? SQLite then reports "disk is full", or for a mapped file only "disk I/O error"."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    places = [place for place in (".", tempfile.gettempdir(), config.tables_folder()) if os.path.isdir(place)]
    without_room = any(shutil.disk_usage(place).free < 1 << 20 for place in places)
    return "disk is full" in str(error) or ("disk I/O error" in str(error) and without_room)


if __name__ == "__main__":
    main()
