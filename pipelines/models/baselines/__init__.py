"""Embeddings without a network, which a tagger's must beat; one file each, named after its entry in `baselines` of params.yaml.

`embed(pooled, reference, **parameters) -> (clips, d) float32`: `pooled` are the pooled features `(clips, statistics)` of a
dataset, `reference` the rows to fit on: its training clips, or all if there is no split; for other music, clips of the training
dataset. A clip's embedding depends on the clip and `reference` only.
"""

from types import ModuleType

from pipelines.core import plugins


def load(name: str) -> ModuleType:
    """The file of baseline `name`. Raises `ValueError` as `plugins.load` does."""
    return plugins.load("baseline", "pipelines/models/baselines", name, "embed")
