"""Run DVC with an atomic and fast dvc.lock: `python -m pipelines.ops.dvc.lock repro` for `python -m dvc repro`.

After each stage DVC reads all of dvc.lock, changes one entry and writes all of it back in place: a kill meanwhile leaves half a
file, and of thousands of stages each waits a minute for it. Here the entry's lines are replaced and the file renamed into
place; the bytes are DVC's own (tests/ops/dvc/test_lock_file.py). Entries that nobody asks for are not parsed and checked, which
takes DVC longer than a stage where there are thousands. DVC itself, without this, does the same work.
"""

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import yaml
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.stage import serialize
from dvc.utils.serialize import dumps_yaml

from pipelines import recipe
from pipelines.core.files import atomic
from pipelines.ops.runs import parent
from pipelines.recipe import ENTRY, HEAD


def splice(text: str, name: str, entry: dict) -> str | None:
    """A dvc.lock's `text` with the stage's entry in its place, or at the end where it had none. None where `text` is not
    laid out as DVC writes it, or holds more than stages."""
    if not text.startswith(HEAD) or not text.endswith("\n") or re.search(r"^\S", text[len(HEAD) :], re.MULTILINE):
        return None
    block = dumps_yaml({"stages": {name: _apart(entry)}}).removeprefix("stages:\n")
    key = block[: block.index("\n") + 1]
    begin = len(HEAD) if text.startswith(key, len(HEAD)) else text.find("\n" + key, len(HEAD) - 1) + 1
    if not begin:
        return text + block
    after = ENTRY.search(text, begin + len(key))
    return text[:begin] + block + (text[after.start() :] if after else "")


def names(text: str) -> list[str]:
    """The stages that a dvc.lock's `text` has entries of."""
    return [line[2:-1].strip("'\"") for line in text.splitlines() if line.endswith(":") and ENTRY.match(line)]


def without(text: str, gone: Collection[str]) -> str:
    """A dvc.lock's `text` without the entries of these stages."""
    kept, skipping = [], False
    for line in text.splitlines(keepends=True):
        if ENTRY.match(line):
            skipping = bool(set(names(line)) & set(gone))
        elif not line.startswith(" "):
            skipping = False
        if not skipping:
            kept.append(line)
    return "".join(kept) if len(kept) > HEAD.count("\n") else "schema: '2.0'\nstages: {}\n"


def _apart(value):
    """`value` with no part in two places: YAML would name it once and point there, and names are the whole file's."""
    if isinstance(value, dict):
        return {key: _apart(part) for key, part in value.items()}
    return [_apart(part) for part in value] if isinstance(value, list) else value


def dump_stages(self: Lockfile, stages: list, **kwargs) -> None:
    """In place of `Lockfile.dump_stages`."""
    path = Path(self.path)
    before = text = path.read_text(encoding="utf-8") if path.exists() else HEAD
    for stage in stages:
        for name, entry in serialize.to_lockfile(stage, **kwargs).items():
            text = text and splice(text, name, entry)
    if text is None:
        _dump_stages(self, stages, **kwargs)
    elif text != before:
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        self.repo.scm_context.track_file(self.relpath)


class Entries(Mapping):
    """Stage -> its entry, parsed and checked by DVC's schema when it is asked for. Raises what DVC raises for a spoilt file."""

    def __init__(self, file: Lockfile, parts: Iterable[str]):
        self.file, self.read = file, {}
        self.parts = {name: part for part in parts for name in _named(part)}

    def __getitem__(self, name: str) -> dict:
        if name not in self.read:
            part = self.parts[name]
            try:
                document = {"schema": "2.0", "stages": {name: recipe.parse_lock(part)[name]}}
                self.read[name] = self.file.validate(document, self.file.relpath)["stages"][name]
            except (
                yaml.YAMLError,
                KeyError,
                DvcException,
            ):  # an alias into another entry, or an error that DVC has words for
                self.read = dict(_load_yaml(self.file)[0]["stages"])
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def _named(part: str) -> Iterable[str]:
    """The stage that a document of one entry is of; where its name is not written plainly, as YAML reads it."""
    key = part[len(HEAD) :].partition("\n")[0]
    return [key[2:-1]] if re.fullmatch(r"  [A-Za-z][\w@.+-]*:", key, re.ASCII) else recipe.parse_lock(part)


def load_yaml(self: Lockfile, **kwargs) -> tuple[dict, str]:
    """In place of `Lockfile._load_yaml`."""
    with self.repo.fs.open(self.path, encoding="utf-8") as file:
        text = file.read()
    parts = recipe.apart(text)
    if kwargs or parts == [text] or recipe.doubled(text):
        return _load_yaml(self, **kwargs)
    try:
        return {"schema": "2.0", "stages": Entries(self, parts)}, text
    except yaml.YAMLError:  # a name of several lines
        return _load_yaml(self)


_dump_stages, _load_yaml = Lockfile.dump_stages, Lockfile._load_yaml


def install() -> None:
    """Let DVC in this process read and write dvc.lock so."""
    Lockfile.dump_stages, Lockfile._load_yaml = dump_stages, load_yaml


def main() -> int:
    from dvc.cli import main as dvc

    install()
    with parent.watched():
        return dvc(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
