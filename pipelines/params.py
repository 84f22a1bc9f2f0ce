"""Read params.yaml, and add or change a dataset's entry without losing its comments."""

from pathlib import Path
from typing import Any

import yaml

from pipelines.store.files import atomic

PARAMS = Path("params.yaml")


def load() -> dict[str, Any]:
    """All parameters. Raises `FileNotFoundError` outside a project folder."""
    if not PARAMS.exists():
        raise FileNotFoundError(f"{PARAMS} is not here: run this in the project's folder (now in {Path.cwd()})")
    return yaml.safe_load(PARAMS.read_text(encoding="utf-8"))


def set_dataset(name: str, entry: dict[str, Any] | None) -> None:
    """Write `datasets.<name>`, or with None remove it; the rest of the file, comments too, stays as it is."""
    from ruamel.yaml import YAML  # only here: reading, which every stage does, needs the faster library

    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load(PARAMS.read_text(encoding="utf-8"))
    if entry is None:
        del document["datasets"][name]
    elif name in document["datasets"]:
        document["datasets"][name].update(entry)
    else:
        # first, because a comment before the next section hangs on the last entry
        document["datasets"].insert(0, name, entry)
    with atomic(PARAMS) as temporary, open(temporary, "w", encoding="utf-8") as file:
        editor.dump(document, file)


def embedding_names(settings: dict) -> list[str]:
    """Every embedding of the recipe: taggers first, then baselines."""
    return [name for group in settings["taggers"].values() for name in group] + list(settings["baselines"])
