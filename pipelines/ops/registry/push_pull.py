"""`conservatory push` and `conservatory pull`: transfer data and models to and from a DVC remote, with every file hashed."""

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from pipelines.ops.dvc import errors, recover
from pipelines.ops.registry import cache_references, purged_outputs
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.remotes import remote_store, transfer
from pipelines.ops.remotes.remote_store import RemoteError

Remote = Annotated[
    str, typer.Option("--remote", "-r", help="Name of a remote (`dvc remote list`); by default the default remote.")
]
HERE = Path()


def push(
    remote: Remote = "",
    tree_only: Annotated[
        bool,
        typer.Option(
            "--tree-only", help="Only the files that dvc.lock of this tree names, not those of registered models."
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Also read and hash the files in the remote, and push damaged ones again."),
    ] = False,
) -> None:
    """Upload the files that this tree and every registered model need to the remote; each file is hashed first.

    A damaged file is not pushed; an incomplete file in the remote is pushed again; a file that is missing both here and in the
    remote is an error. Exit status 0 means that all files are in the remote. After an error, run the same command again.
    """
    _carry(lambda repo: transfer.push(repo, _wanted(repo, not tree_only), remote, verify, *_purged(HERE, repo)))


def pull(
    remote: Remote = "",
    models: Annotated[bool, typer.Option("--models", help="Also the files that registered models need.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash all files in DVC's cache again.")] = False,
) -> None:
    """Download the files that this tree needs from the remote and check them out; each file is hashed on arrival.

    A damaged file in DVC's cache is moved aside and fetched again; a damaged file in the remote is refused and named. Files that
    were purged because they contain a withdrawn clip are not downloaded; the command lists those that this tree needs. Files that
    you changed are kept. Exit status 0 means that all files are here. After an error, run the same command again."""
    failed, came, torn = None, [], {}

    def work(repo) -> None:
        wanted, (purged, again) = _wanted(repo, models), _purged(HERE, repo)
        try:
            came.append(transfer.pull(repo, wanted, remote, verify, purged, again))
        finally:
            torn.update({} if again or not purged else purged_outputs.torn(repo, purged))

    try:
        _carry(work)
    except typer.Exit as error:
        failed = error  # the fetched files are useful
    if not purged_outputs.checkout(*(["--allow-missing"] if failed or torn else [])):
        fetched = "The fetched files are in DVC's cache. " if any(came) else ""
        # --force would make DVC delete a folder that lacks a purged file
        force = (
            "move them away, and pull again"
            if torn
            else "`dvc checkout --force PATH` replaces them by the recorded files"
        )
        print(
            f"{fetched}Some outputs could not be checked out; the error is above. Changed files of yours are kept; {force}.",
            file=sys.stderr,
        )
        if torn:
            print(purged_outputs.lay_out_rest(HERE, torn), file=sys.stderr)
        raise typer.Exit(1)
    if lacking := purged_outputs.lay_out_rest(HERE, torn):
        print(lacking, file=sys.stderr)
        raise typer.Exit(1)
    if failed:
        raise failed


def push_tree(project: Path, say: Callable = print) -> None:
    """Push the files that the tree in `project` names to its default remote. `RemoteError` if some are not there in the end."""
    from dvc.repo import Repo

    with Repo(str(project.absolute())) as repo:
        transfer.push(repo, cache_references.of_tree(repo), "", False, *_purged(project, repo), say=say)


def pull_tree(project: Path, say: Callable = print) -> None:
    """Fetch the files that the tree in `project` names from its default remote. `RemoteError` if some could not be fetched."""
    from dvc.repo import Repo

    with Repo(str(project.absolute())) as repo:
        transfer.pull(repo, cache_references.of_tree(repo), "", False, *_purged(project, repo), say=say)


def _purged(project: Path, repo) -> tuple[dict[str, str], dict[str, str]]:
    """The files not to transfer, and the outputs whose files are transferred all the same."""
    purged = cache_references.purged(project)
    return purged, cache_references.let_in(project, repo) if purged else {}


def _wanted(repo, models: bool) -> dict[str, str]:
    return (cache_references.of_versions(HERE) if models else {}) | cache_references.of_tree(repo)


def _carry(work) -> None:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo  # a second to import

    errors.check()
    try:
        recover.unmerged(HERE)
        if recover.unreadable(HERE):
            raise RemoteError("dvc.lock cannot be read: `git checkout dvc.lock` restores the committed one.")
        recover.clear(HERE)
        with Repo(str(HERE.absolute())) as repo:
            work(repo)
    except (RemoteError, RegistryError, recover.Conflict) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except (OSError, sqlite3.Error) as error:  # DVC's own SQLite tables may fail on a full disk too
        print(
            f"{remote_store.reason_here(error)}. Files already transferred are kept; the same command continues.",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None
    except DvcException as error:
        print(f"{error}: run this in the project's folder", file=sys.stderr)
        raise typer.Exit(2) from None
