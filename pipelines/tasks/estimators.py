"""A fitted scikit-learn estimator as a file: skops, which stores arrays and names of types, never code.

A pickle runs whatever it says when it is opened. skops builds only types that it knows or that the caller lists as trusted: the
file itself cannot extend that list. skops names objects by their address in memory and dates its files; both are normalised here,
so that equal estimators give equal bytes and DVC sees no change where there is none.

skops is imported where it is used, because its import takes seconds.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from pipelines.core.files import atomic

SCHEMA = "schema.json"


def save(estimator: BaseEstimator, path: Path) -> None:
    """Write `estimator`; equal ones give equal bytes."""
    import skops.io

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as dumped:
        parts = {name: dumped.read(name) for name in dumped.namelist()}
    numbers: dict[int | str, int] = {}
    names: dict[str, str] = {}
    schema = _numbered(json.loads(parts.pop(SCHEMA)), numbers, names)
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as kept:
        kept.writestr(zipfile.ZipInfo(SCHEMA), json.dumps(schema), zipfile.ZIP_DEFLATED)
        for old, new in names.items():
            kept.writestr(zipfile.ZipInfo(new), parts[old], zipfile.ZIP_DEFLATED)


def load(path: Path, trusted: Sequence[str]) -> BaseEstimator:
    """The estimator of a file. trusted: types that it may hold beside those that skops trusts. Raises `ValueError` for a file
    that is damaged or holds another type."""
    import skops.io

    try:
        return skops.io.load(path, trusted=list(trusted))
    except Exception as error:  # skops raises whatever the damaged part made it meet
        raise ValueError(f"{path} is no model of this family, or is damaged: {error}") from error


def _numbered(value: Any, numbers: dict[int | str, int], names: dict[str, str]) -> Any:
    """`value` with addresses and files numbered in the order in which they appear; fills both tables.

    Numbers and words (`JsonNode`) have one number for equal values: whether two equal floats are one object in memory depends on
    the process in which the estimator was fitted.
    """
    if isinstance(value, list):
        return [_numbered(each, numbers, names) for each in value]
    if not isinstance(value, dict):
        return value
    found = {}
    for key, each in value.items():
        if key == "__id__":
            own = value["content"] if value.get("__loader__") == "JsonNode" else each
            found[key] = numbers.setdefault(own, len(numbers))
        elif key == "file" and isinstance(each, str):
            found[key] = names.setdefault(each, f"{len(names)}{Path(each).suffix}")
        else:
            found[key] = _numbered(each, numbers, names)
    return found
