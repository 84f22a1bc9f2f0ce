"""The files that `conservatory predict` and `separate` are given: those to use, and what to say of the others."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from pipelines.ops.settings.kinds import nearest


def music(paths: Iterable[Path]) -> tuple[list[Path], list[dict], int]:
    """(audio files, unusable files (`{"path", "reason"}`), number of ignored files) of files and folders, in their order.

    A file that is named twice is returned once. A file that is named itself is returned whatever its name. Links to folders are
    not followed.
    """
    from pipelines.datasets import listing

    def bad(file: Path) -> str:
        return listing.foreign(file) if file.suffix.lower() in listing.FOREIGN_SUFFIXES else ""

    return _searched(paths, listing.is_music, bad, "music")


def midi(paths: Iterable[Path]) -> tuple[list[Path], list[dict], int]:
    """As `music`, of MIDI files."""
    from pipelines.corpora.folder import SUFFIXES

    return _searched(paths, lambda file: file.suffix.lower() in SUFFIXES, lambda file: "", "MIDI file")


def _searched(
    paths: Iterable[Path], wanted: Callable[[Path], bool], bad: Callable[[Path], str], kind: str
) -> tuple[list[Path], list[dict], int]:
    """As `music`. bad: why a file that is not wanted is named as unusable; "" for one that is ignored."""
    found: dict[str, Path] = {}
    failed, n_passed_over = [], 0
    for path in paths:
        if not path.is_dir():
            found.setdefault(os.path.realpath(path), path)
            continue
        n_before, repeated = len(found) + len(failed), False

        def unreadable(error: OSError) -> None:
            failed.append({"path": error.filename, "reason": f"the folder cannot be read: {error.strerror}"})

        for folder, folders, names in os.walk(path, onerror=unreadable):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
                if wanted(file):
                    repeated |= os.path.realpath(file) in found
                    found.setdefault(os.path.realpath(file), file)
                elif reason := bad(file):
                    failed.append({"path": str(file), "reason": reason})
                else:
                    n_passed_over += 1
        if len(found) + len(failed) == n_before:
            more = " that was not named before" if repeated else ""
            failed.append({"path": str(path), "reason": f"the folder contains no {kind}{more}"})
    return list(found.values()), failed, n_passed_over


def near_missing(path: str) -> str:
    """ "; do you mean ...?" where `path` is not there and its folder has a file of nearly its name, else ""."""
    given = Path(path)
    try:
        meant = "" if given.exists() else nearest(given.name, [other.name for other in given.parent.iterdir()])
    except OSError:
        return ""
    return f"; do you mean {given.parent / meant}?" if meant else ""


def end(found_files: list[Path], failed: list[dict], n_passed_over: int, kind: str) -> None:
    """Say how many files were ignored or could not be used; the exit status is 1 if any could not."""
    if n_passed_over:
        was = (
            f"1 file that is not {kind} was"
            if n_passed_over == 1
            else f"{n_passed_over} files that are not {kind} were"
        )
        print(f"{was} ignored.", file=sys.stderr)
    if failed:
        n = len(found_files) + sum(entry["path"] not in set(map(str, found_files)) for entry in failed)
        print(f"{len(failed)} of {n} files could not be used.", file=sys.stderr)
        raise typer.Exit(1)
