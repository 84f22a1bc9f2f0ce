"""Presets of the task families: entries of params.yaml that belong together, written and removed as one.

A family's `presets.yaml` maps the name of a preset to

    about: one sentence
    needs: what must be there first, "" for nothing
    minutes: how long its stages take on two cores
    datasets, corpora, features, symbols, taggers, views, combined, tasks, runs, cross_tests: entries as in params.yaml
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.core import params
from pipelines.ops import settings

FOLDER = Path(__file__).parents[1] / "tasks"
SECTIONS = (
    "datasets",
    "corpora",
    "features",
    "symbols",
    "taggers",
    "views",
    "combined",
    "tasks",
    "runs",
    "cross_tests",
)


class PresetError(ValueError):
    """The preset cannot be enabled or disabled; the message says why."""


@dataclass(frozen=True)
class Preset:
    """entries: section of params.yaml -> name -> entry."""

    name: str
    task: str
    about: str
    needs: str
    minutes: float
    entries: Mapping[str, Mapping[str, Any]]

    def each(self) -> Iterator[tuple[str, str, Any]]:
        """(section, name, entry) of every entry."""
        for section in SECTIONS:
            for name, entry in self.entries.get(section, {}).items():
                yield section, name, entry


def presets() -> dict[str, Preset]:
    """Name -> preset, of all families in alphabetical order."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*/presets.yaml")):
        for name, text in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
            entries = {section: text[section] for section in SECTIONS if section in text}
            found[name] = Preset(name, path.parent.name, text["about"], text["needs"], text["minutes"], entries)
    return found


def is_enabled(preset: Preset, settings: Mapping[str, Any]) -> bool:
    """Are all its entries in params.yaml, changed or not?"""
    return all(name in (settings.get(section) or {}) for section, name, _ in preset.each())


def enable(preset: Preset) -> list[str]:
    """Write the preset's entries into params.yaml; returns those that were not there, as `runs.notes_svm`.

    An entry that is there and differs is the user's, and stays. Raises `SystemExit` where the result would not be valid, and then
    nothing is written.
    """
    added = []
    with params.editing() as document:
        for section, name, entry in reversed(list(preset.each())):  # each is inserted first in its section
            if name not in (document.get(section) or {}):
                _insert(document, section, name, entry)
                added.append(f"{section}.{name}")
        settings.check(_plain(document), Path())
    return added[::-1]


def disable(preset: Preset) -> tuple[list[str], dict[str, str]]:
    """Remove the preset's entries from params.yaml: (those removed, those kept -> why). An entry stays where it was changed, or
    something else needs it. Raises `PresetError` where none of them is there."""
    removed, kept = [], {}
    with params.editing() as document:
        there = [
            (section, name, entry) for section, name, entry in preset.each() if name in (document.get(section) or {})
        ]
        if not [section for section, *_ in there if section != "tasks"]:  # which several presets share
            raise PresetError(f"Preset {preset.name} is not enabled: params.yaml has none of its entries.")
        others = [other for other in presets().values() if other.name != preset.name]
        others = [other for other in others if is_enabled(other, document)]
        for section, name, entry in reversed(there):  # runs first: then nothing of the preset needs its datasets
            needed = next((other.name for other in others if name in other.entries.get(section, {})), "")
            if needed:
                kept[f"{section}.{name}"] = f"preset {needed} has it too"
            elif section != "tasks" and _plain(document[section][name]) != entry:
                kept[f"{section}.{name}"] = "it was changed since"
            elif why := _user(document, section, name):
                kept[f"{section}.{name}"] = f"{why} needs it"
            else:
                del document[section][name]
                removed.append(f"{section}.{name}")
        settings.check(_plain(document), Path())
    return removed, kept


def _user(document: Mapping[str, Any], section: str, name: str) -> str:
    """What else in params.yaml needs this entry; "" where nothing does."""
    if section == "datasets" and (document.get("training") or {}).get("dataset") == name:
        return "training.dataset"
    if section == "features":
        for tagger, entry in document.get("taggers", {}).items():
            if isinstance(entry, Mapping) and entry.get("reads") == name:
                return f"taggers.{tagger}"
    keys = {"datasets": {"dataset": name}, "tasks": {"task": name}, "features": {"from": "features", "reads": name}}
    keys |= {"corpora": keys["datasets"], "symbols": keys["features"]}
    keys["taggers"] = {"from": "embeddings", "reads": f"{name}.parquet"}
    keys["runs"] = {"run": name}
    keys |= {each: {"from": each, "reads": name} for each in ("views", "combined")}
    for user in ("runs", "cross_tests", "views", "combined"):
        for run, entry in (document.get(user) or {}).items():
            wanted = keys.get(section, {})
            also = {f"with_{key}": value for key, value in wanted.items()}  # the second table of a combined one
            if wanted and any(all(entry.get(key) == value for key, value in each.items()) for each in (wanted, also)):
                return f"{user}.{run}"
    return ""


def _insert(document: Any, section: str, name: str, entry: Any) -> None:
    """Write an entry first in its section, on one line: a comment before the next section hangs on the last entry."""
    from ruamel.yaml.comments import CommentedMap

    if document.get(section) is None:
        document[section] = CommentedMap()
    if not document[section]:
        document[section].fa.set_block_style()
    line = CommentedMap(entry)
    line.fa.set_flow_style()
    document[section].insert(0, name, line)


def _plain(value: Any) -> Any:
    """ruamel's containers as dicts and lists."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value
