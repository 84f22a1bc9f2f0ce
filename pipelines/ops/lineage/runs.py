"""The run behind a stage's outputs: the commit that recorded it, and whether the code it ran is that commit's.

dvc.lock names no run. But each run changes the stage's entry in it, and git knows the commit that added the entry: with its date
and author, and a tree that should contain the code that ran.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipelines import recipe
from pipelines.ops.lineage import figures
from pipelines.ops.lineage.revision import ENVIRONMENT, LOCK, LineageError, Revision, blobs, git, tracked

ENTRY = re.compile(r"^  (\S.*):\n((?:   .*\n|\n)*)", re.MULTILINE)


def recorded(revision: Revision, names: list[str]) -> dict[str, dict | None]:
    """Stage -> `{"commit", "date", "committed", "author", "subject"}` of the commit that added the stage's entry of this
    revision; None if it is in no commit yet (or outside git). In a shallow clone it may be one of `boundaries()`; then the commit
    is unknown."""
    text = (revision.read(LOCK) or b"").decode()
    wanted, found = _entries(text), dict.fromkeys(names)
    searching = set(names)
    for commit in commits(revision, LOCK, "--first-parent"):
        there = _entries((blobs(commit["commit"], [LOCK])[LOCK] or b"").decode("utf-8", "replace"))
        for name in list(searching):
            if name in wanted and there.get(name) == wanted[name]:
                found[name] = commit
            else:
                searching.discard(name)
        if not searching:
            break
    return found


def commits(revision: Revision, path: str, *options: str) -> Iterator[dict]:
    """`{"commit", "date", "committed", "author", "subject"}` of the commits up to the revision's that changed a file, the latest
    first; none outside git. options: of `git log`."""
    log = git("log", *options, "--format=%H%x09%aI%x09%cI%x09%an%x09%s", revision.commit or "HEAD", "--", path) or ""
    for line in log.splitlines():
        yield dict(zip(("commit", "date", "committed", "author", "subject"), line.split("\t", 4), strict=True))


def boundaries() -> set[str]:
    """The oldest commits of a shallow clone, which seem to add everything they contain."""
    file = Path((git("rev-parse", "--git-path", "shallow") or "").strip())
    return set(file.read_text(encoding="utf-8").split()) if file.is_file() else set()


def brought(revision: Revision, path: str, key: str, value: object) -> dict | None:
    """The commit that gave a parameter its value: the earliest before the revision from which on it has that value. None if it is
    in no commit yet."""
    found = None
    for commit in commits(revision, path, "--first-parent"):
        try:
            settings = yaml.safe_load(blobs(commit["commit"], [path])[path] or b"") or {}
            there = figures.lookup(settings, key)[1]
        except (LineageError, yaml.YAMLError):  # missing or damaged
            break
        if there != value:
            break
        found = commit
    return found


def _entries(text: str) -> dict[str, str]:
    """Stage -> its entry in a dvc.lock as text, which is compared a hundred times faster than YAML."""
    return {name.strip("'\""): entry for name, entry in ENTRY.findall(text.partition("\nstages:\n")[2] + "\n")}


def code(entry: dict, commit: str | None) -> list[dict]:
    """`{"path", "md5", "in_commit"}` of each code file or folder of a stage. in_commit: has the commit the code that ran? None if
    there is no commit to compare with."""
    deps = {dep["path"]: dep.get("md5", "") for dep in entry.get("deps", []) if recipe.is_code(dep["path"])}
    there = hashes(commit, deps) if commit else {}
    return [
        {"path": path, "md5": md5, "in_commit": there[path] == md5 if there else None} for path, md5 in deps.items()
    ]


_known: dict[tuple[str, str], str | None] = {}


def hashes(commit: str, deps: dict[str, str]) -> dict[str, str | None]:
    """Path -> DVC's hash of it in a commit; `deps` maps paths to hashes, which end in .dir for folders."""
    files = {path: tracked(commit, path) if md5.endswith(".dir") else [path] for path, md5 in deps.items()
             if (commit, path) not in _known}  # fmt: skip
    contents = blobs(commit, [name for names in files.values() for name in names])
    for path, names in files.items():
        md5s = {name: hashlib.md5(contents[name]).hexdigest() for name in names if contents[name] is not None}
        if deps[path].endswith(".dir"):
            _known[commit, path] = recipe.folder_hash({name[len(path) + 1 :]: md5 for name, md5 in md5s.items()})
        else:
            _known[commit, path] = md5s.get(path)
    return {path: _known[commit, path] for path in deps}


def folder_here(path: str) -> dict[str, str]:
    """Path in a folder of the working tree -> md5 of each file."""
    files = (file for file in Path(path).rglob("*") if file.is_file())
    return {file.relative_to(path).as_posix(): hashlib.md5(file.read_bytes()).hexdigest() for file in files}


def code_folder(revision: Revision, path: str) -> str | None:
    """DVC's hash of a folder of code."""
    if revision.name:
        return hashes(revision.commit, {path: ".dir"})[path]
    compiled = ("__pycache__", ".pyc")
    return recipe.folder_hash(
        {name: md5 for name, md5 in folder_here(path).items() if not any(part in name for part in compiled)}
    )


def environment(revision: Revision) -> dict:
    """`{"file", "sha256", "packages": {name: version}}`: the versions pinned at a revision."""
    return _pins(revision.read(ENVIRONMENT))


def environments(revision: Revision, recorded: dict[str, dict | None]) -> dict[str, dict]:
    """Stage -> the same for the commit that recorded it (`recorded`), since later pins did not affect it; for a stage in no
    commit yet, for the revision."""
    commits = {run["commit"] for run in recorded.values() if run}
    there = {commit: _pins(blobs(commit, [ENVIRONMENT])[ENVIRONMENT]) for commit in commits}
    return {name: there[run["commit"]] if run else environment(revision) for name, run in recorded.items()}


def _pins(text: bytes | None) -> dict:
    if text is None:
        return {"file": ENVIRONMENT, "sha256": None, "packages": {}}
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", text.decode("utf-8", "replace"), re.MULTILINE)
    return {"file": ENVIRONMENT, "sha256": hashlib.sha256(text).hexdigest(), "packages": dict(pins)}
