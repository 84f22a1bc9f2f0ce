"""Load one of the files that users add: a dataset, a feature, a tagger, a baseline. Each kind has a folder of `pipelines/`."""

import difflib
import importlib
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parents[2]


def load(kind: str, folder: str, name: str, function: str) -> ModuleType:
    """The module `name` of `folder` ("pipelines/features").

    Raises `ValueError` where there is no such file, or it has no `function`, and names the nearest one and the file to write.
    """
    module = f"{folder.replace('/', '.')}.{name}"
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        found = None
    if not hasattr(found, function):
        known = sorted(path.stem for path in (PROJECT / folder).glob("[!_]*.py"))
        near = difflib.get_close_matches(name, [other for other in known if other != name], 1)
        meant = f"; do you mean {near[0]}?" if near else ""
        raise ValueError(f"no {kind} {name!r}: write {folder}/{name}.py with {function}() (see its neighbours){meant}")
    return found
