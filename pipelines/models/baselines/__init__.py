"""Embeddings without a network, which a tagger's must beat; one file each, named in params.yaml's `baselines`.

`embed(pooled, reference, **parameters) -> (clips, d) float32`: `pooled` are the pooled features `(clips, statistics)` of a
dataset, `reference` the rows that may be fitted on (its train clips, or all where there is no split; the training dataset's
where music from elsewhere is placed in its space). What a clip becomes follows from it and `reference` alone.
"""

import importlib
from types import ModuleType


def load(name: str) -> ModuleType:
    """The file of baseline `name`. Raises `ValueError` naming the file to write where there is none."""
    try:
        return importlib.import_module(f"pipelines.models.baselines.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"pipelines.models.baselines.{name}":
            raise
        raise ValueError(f"no baseline {name!r}: write pipelines/models/baselines/{name}.py") from error
