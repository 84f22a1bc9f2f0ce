"""Write dvc.lock atomically, and parse only the entries that are needed.

Patches: `dvc.dvcfile.Lockfile.dump_stages` and `Lockfile._load_yaml`, which `install` replaces in this process.

Why: after each stage DVC parses all of dvc.lock, changes one entry and rewrites the file in place. A kill during the write leaves
half a file, and with thousands of stages each rewrite takes a minute. Here the lines of the entry are replaced and the new file
is renamed over the old one, with the bytes that DVC would have written. DVC also validates every entry when it reads the file;
here an entry is parsed and validated when it is first used.

Written for: dvc 3.67.1

Without it: DVC reads and writes dvc.lock itself, with the same result. It is slower, and a kill can truncate the file;
`conservatory run` then restores it (`pipelines/ops/dvc/recover.py`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml
from dvc.dvcfile import Lockfile
from dvc.exceptions import DvcException
from dvc.stage import serialize
from dvc.utils.serialize import dumps_yaml

from pipelines import recipe
from pipelines.core.files import atomic
from pipelines.ops.patches.versions import fits
from pipelines.recipe import ENTRY, HEAD

VERSION = "3.67.1"


def install() -> None:
    """Replace DVC's methods in this process. With a DVC of another minor version they stay as they are."""
    if fits("dvc", VERSION, "DVC writes dvc.lock itself, which is slower, and a kill can truncate the file"):
        Lockfile.dump_stages, Lockfile._load_yaml = dump_stages, load_yaml


def splice(text: str, name: str, entry: dict) -> str | None:
    """The text of a dvc.lock with the entry of one stage replaced, or appended if it had none.

    None if `text` does not have DVC's layout, or contains more than stages.
    """
    if not text.startswith(HEAD) or not text.endswith("\n") or re.search(r"^\S", text[len(HEAD) :], re.MULTILINE):
        return None
    block = dumps_yaml({"stages": {name: _apart(entry)}}).removeprefix("stages:\n")
    key = block[: block.index("\n") + 1]
    begin = len(HEAD) if text.startswith(key, len(HEAD)) else text.find("\n" + key, len(HEAD) - 1) + 1
    if not begin:
        return text + block
    after = ENTRY.search(text, begin + len(key))
    return text[:begin] + block + (text[after.start() :] if after else "")


def _apart(value):
    """A copy of `value` in which no object occurs twice: YAML would write an anchor and an alias, and anchors are per file."""
    if isinstance(value, dict):
        return {key: _apart(part) for key, part in value.items()}
    return [_apart(part) for part in value] if isinstance(value, list) else value


def dump_stages(self: Lockfile, stages: list, **kwargs) -> None:
    """Replaces `Lockfile.dump_stages`."""
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
    """Stage -> its entry, parsed and validated by DVC's schema at the first access. Raises DVC's errors for a damaged file."""

    def __init__(self, file: Lockfile, parts: Iterable[str]):
        self.file, self.read = file, {}
        self.parts = {name: part for part in parts for name in _names(part)}

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
            ):  # an alias into another entry, or an error that DVC explains
                self.read = dict(_load_yaml(self.file)[0]["stages"])
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)


def _names(part: str) -> Iterable[str]:
    """The stage of a document with one entry. A plain name is read off the line; any other is parsed as YAML."""
    key = part[len(HEAD) :].partition("\n")[0]
    return [key[2:-1]] if re.fullmatch(r"  [A-Za-z][\w@.+-]*:", key, re.ASCII) else recipe.parse_lock(part)


def load_yaml(self: Lockfile, **kwargs) -> tuple[dict, str]:
    """Replaces `Lockfile._load_yaml`."""
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
