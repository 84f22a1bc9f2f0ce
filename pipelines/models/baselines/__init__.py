"""Embeddings without a network, which a tagger's must beat; one file each, named in params.yaml's `baselines`.

`embed(pooled, reference, **parameters) -> (clips, d) float32`: `pooled` are the pooled features `(clips, statistics)` of a
dataset, `reference` the rows that may be fitted on (its train clips, or all where there is no split; the training dataset's
where music from elsewhere is placed in its space). What a clip becomes follows from it and `reference` alone.
"""

from types import ModuleType

from pipelines.core import plugins


def load(name: str) -> ModuleType:
    """The file of baseline `name`. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("baseline", "pipelines/models/baselines", name, "embed")
