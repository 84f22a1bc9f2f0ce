"""`conservatory prune`: free disk space by the policy in params.yaml."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.ops import run
from pipelines.ops.registry import pending_alerts
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.retention import policy

HERE = Path()


def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Delete. Without it, only list what would be deleted.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be deleted, as without --yes.")
    ] = False,
    withdrawn: Annotated[
        bool,
        typer.Option(
            "--withdrawn",
            help="Also delete the bytes of withdrawn clips: in older results, reports and the cache of clips.",
        ),
    ] = False,
    remote: Annotated[
        str,
        typer.Option(
            "--remote",
            "-r",
            help="With --withdrawn: delete the files listed in registry/purged.json from this remote, and nothing here.",
        ),
    ] = "",
    also: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Also delete these files, which are kept by default: {', '.join(policy.ALSO)}. Can be given several times."
        ),
    ] = None,
) -> None:
    """Free disk space: old experiments, interrupted retrainings, unreferenced files of the DVC cache, old Dagster runs.

    `retention` in params.yaml defines what is old. Files of registered models, branches, tags, worktrees and kept experiments
    stay. Only --withdrawn --remote NAME changes a remote: it deletes there the files that --withdrawn has purged here. If the
    command is killed, run it again.
    """
    from pipelines.ops.retention import prune as pruning  # imports pandas, which takes most of a second

    if remote:
        _prune_remote(remote, yes and not dry_run, withdrawn and not also)
        return
    try:
        if unknown := set(also or ()) - set(policy.ALSO):
            raise RegistryError(f"--also {unknown.pop()}: allowed are {', '.join(policy.ALSO)}")
        rules = policy.read(HERE)
        really = yes and not dry_run
        if really:
            pending_alerts.send(HERE)  # before the files it is derived from are deleted
        pruning.prune(HERE, rules, also or [], withdrawn, really, show)
    except (RegistryError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    status = _dagster(rules["runs"], really)
    given = " ".join([*(["--withdrawn"] if withdrawn else []), *(f"--also {name}" for name in also or ()), "--yes"])
    print("Done." if really else f"Nothing was deleted. To delete: conservatory prune {given}")
    raise typer.Exit(status)


def _prune_remote(remote: str, really: bool, alone: bool) -> None:
    """Delete withdrawn clips from a remote. Exit status 1 if some could not be deleted or the remote cannot be reached."""
    from dvc.exceptions import DvcException

    from pipelines.ops.remotes.remote_store import RemoteError
    from pipelines.ops.retention import withdrawn_on_remote

    try:
        if not alone:
            raise RegistryError(
                "--remote needs --withdrawn and no other option: only withdrawn clips are deleted from a remote"
            )
        withdrawn_on_remote.prune(HERE, remote, really, show)
    except RemoteError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except (RegistryError, FileNotFoundError, DvcException) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    print(
        "Done." if really else f"Nothing was deleted. To delete: conservatory prune --withdrawn --remote {remote} --yes"
    )


def show(rows: list[dict]) -> None:
    """Print what is deleted and what is kept, with sizes and reasons."""
    for title, going in (("To delete", True), ("Kept", False)):
        chosen = [each for each in rows if bool(each["kept"]) is not going]
        known = [each["bytes"] for each in chosen if each["bytes"] is not None]
        print(f"{title}: {f'{sum(known) / 1e6:,.1f} MB' if chosen else 'nothing'}")
        for each in chosen:
            size = "" if each["bytes"] is None else f"{each['bytes'] / 1e6:,.1f} MB"
            print(f"  {each['kind']:10s} {size:>12s}  {each['name']}" + (f"  ({each['kept']})" if each["kept"] else ""))


def _dagster(rules: dict, really: bool) -> int:
    """The same for Dagster's runs, in a separate process, since `pipelines` does not import Dagster."""
    home = Path(os.environ.get("DAGSTER_HOME") or HERE / ".dagster")
    if not home.is_dir() or importlib.util.find_spec("dagster") is None:
        return 0
    command = [
        sys.executable,
        "-m",
        "assets.prune",
        "--keep-days",
        str(rules["keep_days"]),
        "--keep-last",
        str(rules["keep_last"]),
    ]
    return subprocess.run([*command, *(["--yes"] if really else [])], env=run.environment()).returncode
