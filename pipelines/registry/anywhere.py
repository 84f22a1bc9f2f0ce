"""Versions that other branches have registered: what they need is needed, whatever is checked out now.

Read is the registry in which each branch, tag, stash, experiment and worktree ends, and in that only hashes and commits: a record
that cannot be parsed keeps what it names, too.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipelines import registered
from pipelines.registry import git, versions

COMMIT = re.compile(r'"commit": *"([0-9a-f]{40,64})"')


def commits(project: Path) -> dict[str, str]:
    """Commit -> the version it is of, for every version of this tree or of any branch, but the dropped."""
    found = {commit: label for text, label in others(project) for commit in COMMIT.findall(text)}
    here = versions.undropped(project)
    return found | {record["commit"]: f"{record['name']} {record['version']}, {stage}" for record, stage in here}


def others(project: Path) -> Iterator[tuple[str, str]]:
    """(text of its record, for instance "short 2, on main") of each version but the dropped that a branch has and this tree has
    not. A branch whose history of a model goes on elsewhere, here or on another one, says nothing: that one knows more."""
    found: dict[str, dict[bytes, tuple[str, dict[int, str]]]] = {}
    for reference, models in _registries(project):
        for name, (history, records) in models.items():
            found.setdefault(name, {}).setdefault(history, (reference, records))
    for name, histories in found.items():
        file = project / registered.FOLDER / name / registered.HISTORY
        here = file.read_bytes() if file.is_file() else b""
        for history, (reference, records) in histories.items():
            later = (other for other in (here, *histories) if other != history and other.startswith(history))
            if history == here or any(later):
                continue
            stages = registered.stages(registered.parsed(history))
            for version, text in records.items():
                if stages.get(version) != registered.DROPPED:
                    yield text, f"{name} {version}, on {reference}"


def _registries(project: Path) -> Iterator[tuple[str, dict[str, tuple[bytes, dict[int, str]]]]]:
    """(a reference, model -> (its history, version -> the text of its record)) of each registry that differs."""
    seen: set[str] = set()
    if git.run(project, "rev-parse", "--git-dir", check=False).returncode:
        return
    for commit, reference in git.references(project).items():
        tree = git.run(
            project, "rev-parse", "--verify", "--quiet", f"{commit}:./{registered.FOLDER}", check=False
        ).stdout
        if not tree or tree in seen:
            continue
        seen.add(tree)
        models: dict[str, tuple[bytes, dict[int, str]]] = {}
        for line in filter(
            None, git.run(project, "ls-tree", "-r", "-z", "--full-tree", tree.strip()).stdout.split("\0")
        ):
            path = line.partition("\t")[2]
            name, _, file = path.partition("/")
            history, records = models.get(name, (b"", {}))
            if file == registered.HISTORY:
                history = (git.show(project, commit, f"{registered.FOLDER}/{path}") or "").encode()
            elif re.fullmatch(r"[0-9]+\.json", file):
                records[int(file.removesuffix(".json"))] = (
                    git.show(project, commit, f"{registered.FOLDER}/{path}") or ""
                )
            models[name] = history, records
        yield reference, models
