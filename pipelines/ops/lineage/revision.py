"""The project at a revision: small files from git, data from DVC's cache, both named by dvc.lock.

The revision "" is the working tree: the present files, compared with the commit that is checked out.
"""

import hashlib
import json
import subprocess
from functools import cache, cached_property
from pathlib import Path

import yaml

from pipelines import recipe
from pipelines.ops.patches import config, experiments

LOCK, ENVIRONMENT = "dvc.lock", "constraints.txt"


class LineageError(ValueError):
    """A question that cannot be answered; the message says why, and what to ask instead."""


class Revision:
    """name: a git revision, a DVC experiment, or "" for the working tree. Raises `LineageError`."""

    def __init__(self, name: str = ""):
        self.name = name
        self.commit = _commit(name)

    def __str__(self) -> str:
        return self.name or "the working tree"

    def read(self, path: str) -> bytes | None:
        """The bytes of a tracked file, in the working tree of any file; None if it does not exist."""
        if self.name:
            return blobs(self.commit, [path])[path]
        file = Path(path)
        return file.read_bytes() if file.is_file() else None

    @cached_property
    def graph(self) -> recipe.Graph:
        text = self.read(LOCK)
        if text is None:
            raise LineageError(f"There is no {LOCK} in {self}: `conservatory run` writes it.")
        try:
            return recipe.Graph(recipe.parse_lock(text.decode()))
        except (yaml.YAMLError, KeyError, AttributeError, TypeError, UnicodeDecodeError) as error:
            raise LineageError(
                f"{LOCK} of {self} is damaged: if a run is writing it, ask again; if a merge is unfinished, finish "
                f"it first ({' '.join(str(error).split())[:200]})"
            ) from error

    @cached_property
    def settings(self) -> dict:
        """params.yaml; empty if it does not exist."""
        how = "" if self.name else ": repair it, or restore it by git checkout params.yaml"
        try:
            found = yaml.safe_load(self.read("params.yaml") or b"") or {}
        except (
            yaml.YAMLError,
            ValueError,
            RecursionError,
        ) as error:  # ValueError: an invalid date or too long a number
            where = " ".join(str(error).replace('in "<byte string>", ', "in ").split())[:300]
            raise LineageError(f"params.yaml of {self} is not valid YAML ({where}){how}") from error
        if not isinstance(found, dict):
            raise LineageError(f"params.yaml of {self} is not a table of parameters{how}")
        return found

    def data(self, path: str) -> bytes | None:
        """The bytes of an output, or of a file in one, by the hash in this revision's dvc.lock: from DVC's cache, from a file
        here with that hash, or for files in git (reports/*.json) from there. None if they are unavailable."""
        md5 = self.hash(path)
        if md5 is None:
            return self.read(path)
        for file in (object_path(md5), Path(path)):
            if file.is_file() and hashlib.md5(found := file.read_bytes()).hexdigest() == md5:
                return found
        found = self.read(path)
        return found if found is not None and hashlib.md5(found).hexdigest() == md5 else None

    def hash(self, path: str) -> str | None:
        """DVC's md5 of an output, or of a file in one (a folder's ends in .dir); None if no stage made it."""
        maker = self.graph.maker.get(path)
        if maker:
            return recipe.data_version(self.graph.stages[maker], path)
        for out in self.graph.outputs(path):
            if path.startswith(out + "/"):
                return self.listing(out).get(path[len(out) + 1 :])
        return None

    def made(self, path: str) -> str | None:
        """The same, and for a folder of several outputs the hash of their present state; None if a listing is unavailable."""
        if (md5 := self.hash(path)) or any(
            path == out or path.startswith(out + "/") for out in self.graph.outputs(path)
        ):
            return md5
        files = {}
        for out in self.graph.outputs(path):
            if (self.hash(out) or "").endswith(".dir") and not self.listing(out):
                return None
            files |= {name[len(path) + 1 :]: each for name, each in self.files(out).items()}
        return recipe.folder_hash(files) if files else None

    def listing(self, folder: str) -> dict[str, str]:
        """Path in the folder -> md5 of each file of an output that is a folder; empty if DVC's cache lacks the listing."""
        return listing(recipe.data_version(self.graph.stages[self.graph.maker[folder]], folder))

    def files(self, path: str) -> dict[str, str]:
        """Project path -> md5 of each file of an output; a file is its own."""
        md5 = self.hash(path) or ""
        return {f"{path}/{name}": each for name, each in listing(md5).items()} if md5.endswith(".dir") else {path: md5}


def _commit(name: str) -> str | None:
    found = git("rev-parse", "--verify", "--quiet", f"{name or 'HEAD'}^{{commit}}")
    if found is None and name:
        refs = (git("for-each-ref", "--format=%(objectname) %(refname)", experiments.PREFIX) or "").splitlines()
        found = next((line.split()[0] for line in refs if line.endswith("/" + name)), None)
        if found is None:
            raise LineageError(
                f"{name!r} is not a revision of this project: give a commit, a branch, a tag or an experiment."
            )
    return found and found.strip()


def git(*arguments: str, stdin: str | None = None) -> str | None:
    """The output of git; None if it fails, is not installed, or this is no checkout."""
    found = _git(arguments, stdin)
    return None if found is None else found.decode("utf-8", "replace")


def _git(arguments: tuple[str, ...], stdin: str | None) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-c", "core.quotePath=false", *arguments],
            input=None if stdin is None else stdin.encode(),
            capture_output=True,
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def blobs(commit: str, paths: list[str]) -> dict[str, bytes | None]:
    """Path -> its bytes in a commit, None if it is not a file there; one git process for all."""
    asked = "".join(f"{commit}:./{path}\n" for path in paths if "\n" not in path)
    out, found, place = _git(("cat-file", "--batch"), asked) or b"", dict.fromkeys(paths), 0
    for path in (path for path in paths if "\n" not in path):
        end = out.find(b"\n", place)
        if end < 0:
            break
        kind, place = out[place:end].split()[-2:], end + 1
        if not kind[-1].isdigit():  # "missing"
            continue
        size = int(kind[-1])
        if kind[0] == b"blob":
            found[path] = out[place : place + size]
        place += size + 1
    return found


def tracked(commit: str, folder: str) -> list[str]:
    """The files of a folder in a commit."""
    found = git("ls-tree", "-r", "-z", "--name-only", commit, "--", folder) or ""
    return [name for name in found.split("\0") if name]


def listing(md5: str) -> dict[str, str]:
    """Path in the folder -> md5, for a folder's hash; empty if DVC's cache lacks it, and for a file's hash."""
    if not md5.endswith(".dir"):
        return {}
    try:
        return {row["relpath"]: row["md5"] for row in json.loads(object_path(md5).read_bytes())}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def object_path(md5: str) -> Path:
    """The path in DVC's cache of the file with this hash."""
    return cache_folder() / "files" / "md5" / md5[:2] / md5[2:]


def cache_folder() -> Path:
    """DVC's cache of this project, as configured."""
    return Path(_configured(Path.cwd()).get("cache", {}).get("dir") or Path.cwd() / ".dvc" / "cache")


def remotes() -> dict[str, str]:
    """Name -> address of each configured remote."""
    return {name: remote["url"] for name, remote in _configured(Path.cwd()).get("remote", {}).items()}


@cache
def _configured(project: Path) -> dict:
    return config.read(project) if (project / ".dvc").is_dir() else {}
