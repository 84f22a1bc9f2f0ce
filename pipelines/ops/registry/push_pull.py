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
    str, typer.Option("--remote", "-r", help="A remote's name (`dvc remote list`); the default one with none.")
]
HERE = Path()


def push(
    remote: Remote = "",
    tree_only: Annotated[
        bool,
        typer.Option("--tree-only", help="Not what registered models need, only what dvc.lock of this tree names."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read and hash all that lies in the remote too, and push again what is damaged."),
    ] = False,
) -> None:
    """Upload the files that this tree and every registered model need to the remote; each file is hashed first.

    A damaged file is not pushed; half a file, as a broken connection may leave it, is pushed again; what is neither here nor
    there is an error and not a warning. The exit status is 0 if all is there. Whatever failed, the same command goes on."""
    _carry(lambda repo: transfer.push(repo, _wanted(repo, not tree_only), remote, verify, *_purged(HERE, repo)))


def pull(
    remote: Remote = "",
    models: Annotated[bool, typer.Option("--models", help="Also what every registered model needs.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Hash again all that is in DVC's cache here.")] = False,
) -> None:
    """Download the files that this tree needs from the remote and check them out; each file is hashed on arrival.

    What is damaged in DVC's cache is put aside and fetched again; what is damaged in the remote is refused and named; what was
    purged because a clip in it was withdrawn is not fetched, and named where this tree needs it. Files that you changed are left
    alone. The exit status is 0 if all is here. Whatever failed, the same command goes on.
    """
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
        failed = error  # what did come is of use
    if not purged_outputs.checkout(*(["--allow-missing"] if failed or torn else [])):
        fetched = "What was fetched is in DVC's cache. " if any(came) else ""
        # of a folder that lacks a purged file, DVC would take away all
        force = (
            "move them away, and pull again"
            if torn
            else "`dvc checkout --force PATH` puts what was recorded in their place"
        )
        print(
            f"{fetched}Not all could be laid out: the error is above. Files of yours that stand in the way are kept; {force}.",
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
    """Push what the tree in `project` names to its default remote. `RemoteError` where not all is there in the end."""
    from dvc.repo import Repo

    with Repo(str(project.absolute())) as repo:
        transfer.push(repo, cache_references.of_tree(repo), "", False, *_purged(project, repo), say=say)


def pull_tree(project: Path, say: Callable = print) -> None:
    """Fetch what the tree in `project` names from its default remote into DVC's cache. `RemoteError` where not all came."""
    from dvc.repo import Repo

    with Repo(str(project.absolute())) as repo:
        transfer.pull(repo, cache_references.of_tree(repo), "", False, *_purged(project, repo), say=say)


def _purged(project: Path, repo) -> tuple[dict[str, str], dict[str, str]]:
    """What is not carried, and what is all the same."""
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
            raise RemoteError("dvc.lock cannot be read: `git checkout dvc.lock` brings back the committed one.")
        recover.clear(HERE)
        with Repo(str(HERE.absolute())) as repo:
            work(repo)
    except (RemoteError, RegistryError, recover.Conflict) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
    except (OSError, sqlite3.Error) as error:  # DVC keeps notes in a database, which a full disk stops too
        print(
            f"{remote_store.reason_here(error)}. Files already transferred are kept; the same command continues.",
            file=sys.stderr,
        )
        raise typer.Exit(1) from None
    except DvcException as error:
        print(f"{error}: run this in the project's folder", file=sys.stderr)
        raise typer.Exit(2) from None
