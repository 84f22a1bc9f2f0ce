"""A fitted scikit-learn pipeline as a file: skops, which stores arrays and names of types, never code.

A pickle runs whatever it says when it is opened. skops builds only types that it knows or that the caller lists as trusted.
`TRUSTED` is that list: the file itself cannot extend it. skops names objects by their address in memory and dates its files; both
are normalised here, so that equal pipelines give equal bytes and DVC sees no change where there is none.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import skops.io
from sklearn.pipeline import Pipeline

from pipelines.core.files import atomic

TRUSTED = [
    "numpy.dtype",
    "pipelines.tasks.classification.preparation.relevance",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
]
"""What the family's pipelines hold and skops does not trust by itself: the type of an imputer's numbers, a function of its own,
and two types of scikit-learn."""
SCHEMA = "schema.json"


def save(pipeline: Pipeline, path: Path) -> None:
    """Write `pipeline`; equal pipelines give equal bytes."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(pipeline))) as dumped:
        parts = {name: dumped.read(name) for name in dumped.namelist()}
    numbers: dict[int, int] = {}
    names: dict[str, str] = {}
    schema = _numbered(json.loads(parts.pop(SCHEMA)), numbers, names)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as kept:
        kept.writestr(zipfile.ZipInfo(SCHEMA), json.dumps(schema), zipfile.ZIP_DEFLATED)
        for old, new in names.items():
            kept.writestr(zipfile.ZipInfo(new), parts[old], zipfile.ZIP_DEFLATED)


def load(path: Path) -> Pipeline:
    """The pipeline of a file. Raises `ValueError` for a file that is damaged or holds a type that is not trusted."""
    try:
        return skops.io.load(path, trusted=TRUSTED)
    except Exception as error:  # skops raises whatever the damaged part made it meet
        raise ValueError(f"{path} is no model of this family, or is damaged: {error}") from error


def _numbered(value: Any, numbers: dict[int, int], names: dict[str, str]) -> Any:
    """`value` with addresses and files numbered in the order in which they appear; fills both tables."""
    if isinstance(value, list):
        return [_numbered(each, numbers, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, each in value.items():
        if key == "__id__":
            found[key] = numbers.setdefault(each, len(numbers))
        elif key == "file" and isinstance(each, str):
            found[key] = names.setdefault(each, f"{len(names)}{Path(each).suffix}")
        else:
            found[key] = _numbered(each, numbers, names)
    return found
