"""A fitted pipeline of the family as a file (`tasks/estimators.py`), and the types that such a file may hold."""

from pathlib import Path

from sklearn.pipeline import Pipeline

from pipelines.tasks import estimators

TRUSTED = [
    "numpy.dtype",
    "pipelines.tasks.classification.fit.preparation.relevance",
    "pipelines.tasks.classification.models.ngrams.NGrams",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
]
"""What the family's pipelines hold and skops does not trust by itself: the type of an imputer's numbers, a function and a
model of its own, and two types of scikit-learn."""

save = estimators.save


def load(path: Path) -> Pipeline:
    """The pipeline of a file. Raises `ValueError` for a file that is damaged or holds a type that is not trusted."""
    return estimators.load(path, TRUSTED)
