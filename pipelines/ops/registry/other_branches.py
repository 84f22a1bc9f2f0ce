"""Versions registered on other branches: their files are kept, whatever is checked out.

The registry at the tip of each branch, tag, stash, experiment and worktree is searched for hashes and commits by a regular
expression, so a record that cannot be parsed still protects the files it names.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from pipelines.ops import registrations
from pipelines.ops.registry import git, versions
from pipelines.ops.registry.history import champions as champions_of

COMMIT = re.compile(r'"commit": *"([0-9a-f]{40,64})"')
RECORD = re.compile(r"([0-9]+)\.json")


def commits(project: Path) -> dict[str, str]:
    """Commit -> its version, for every version of this tree or of any branch that was not dropped."""
    found = {commit: label for text, label in others(project) for commit in COMMIT.findall(text)}
    here = versions.undropped(project)
    return found | {record["commit"]: f"{record['name']} {record['version']}, {stage}" for record, stage in here}


def others(project: Path) -> Iterator[tuple[str, str]]:
    """(text of its record, for instance "short 2, on main") of each version on a branch that this tree lacks and that was not
    dropped. A branch is ignored for a model if another one continues its history. A version that this tree dropped counts as
    dropped unless it was champion there."""
    models: dict[str, dict[str, tuple[str, dict[int, str]]]] = {}
    for reference, name, history, records in _registries(project):
        models.setdefault(name, {}).setdefault(history, (reference, records))
    contents = git.objects(project, {history for histories in models.values() for history in histories if history})
    wanted: list[tuple[str, str, int, str, bool]] = []
    for name, histories in models.items():
        file = project / registrations.FOLDER / name / registrations.HISTORY
        here = file.read_bytes() if file.is_file() else b""
        known = {contents.get(history, b""): found for history, found in histories.items()}
        for history, (reference, records) in known.items():
            if history == here or any(other != history and other.startswith(history) for other in (here, *known)):
                continue
            events = list(registrations.parsed(history))
            stages, champions = registrations.stages(events), champions_of(events)
            for version, record in records.items():
                if stages.get(version) != registrations.DROPPED:
                    wanted.append((reference, name, version, record, version in champions))
    texts = git.objects(project, {record for *_, record, _ in wanted})
    dropped = _dropped(project, {name for _, name, *_ in wanted})
    for reference, name, version, record, champion in wanted:
        if record in texts and (champion or dropped.get((name, version)) != texts[record]):
            yield texts[record].decode("utf-8", "replace"), f"{name} {version}, on {reference}"


def _dropped(project: Path, names: set[str]) -> dict[tuple[str, int], bytes]:
    """(model, version) -> its record, for versions dropped here."""
    found = {}
    for name in names:
        for version, stage in registrations.stages(registrations.events(name, project)).items():
            file = versions.path(project, name, version)
            if stage == registrations.DROPPED and file.is_file():
                found[name, version] = file.read_bytes()
    return found


def _registries(project: Path) -> Iterator[tuple[str, str, str, dict[int, str]]]:
    """(reference, model, git object of its history or "", version -> git object of its record) of each different registry. Few
    git processes for all: there may be hundreds of references."""
    if git.run(project, "rev-parse", "--git-dir", check=False).returncode:
        return
    prefix = git.run(project, "rev-parse", "--show-prefix").stdout.strip()
    trees = {
        f"{commit}:{prefix}{registrations.FOLDER}": reference for commit, reference in git.references(project).items()
    }
    for tree, reference in git.distinct(project, trees).items():
        models: dict[str, tuple[str, dict[int, str]]] = {}
        for line in filter(
            None, git.run(project, "ls-tree", "-r", "-z", "--full-tree", tree, check=False).stdout.split("\0")
        ):
            (_, _, blob), path = line.split("\t", 1)[0].split(), line.split("\t", 1)[1]
            name, _, file = path.partition("/")
            history, records = models.get(name, ("", {}))
            if file == registrations.HISTORY:
                history = blob
            elif match := RECORD.fullmatch(file):
                records[int(match[1])] = blob
            models[name] = history, records
        yield from ((reference, name, history, records) for name, (history, records) in models.items())
