"""Detect clips unlike the music that a tagger was trained on, by the distances of `ood` in the tables of `space`."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from pipelines import recipe
from pipelines.core import paths
from pipelines.core.files import read_json

SPACE, TRAINED, EXPORTED = paths.space(), paths.trained(), paths.exported()
PERCENTILE = 95
"""Percentile of the held-out clips' distances. A clip beyond it is called outside; so is one in twenty of the held-out clips."""
MIN_HELD_OUT = 20


def detector(config: dict) -> tuple[Callable[[np.ndarray], bool], str] | None:
    """(is an embedding `(d,)` of this model outside, name of the dataset that it was trained on), for a config of
    `predict.load_model`. None where that cannot be known: no space was made, or by another model of that name, or the training
    music is not in it (published weights), or too little of it was held out.

    The distance is Mahalanobis' to the nearest class mean (`evaluation/ood.py`), of the first target that has labels.
    """
    weights = Path(config["file"])
    name = weights.parent.name
    if (
        weights.absolute() != (EXPORTED / name / "model.onnx").absolute()
        or not (TRAINED / name / "config.json").exists()
    ):
        return None
    dataset = read_json(TRAINED / name / "config.json").get("dataset")  # "" of published weights
    if not dataset or not _is_of(name, dataset):
        return None
    from pipelines.core import embeddings, training_clips
    from pipelines.core.tables import read_table

    clips = read_table(SPACE / "clips.parquet", training_clips.CLIPS)
    targets = [key for key in clips if key.startswith("target_")]
    reference, held_out = (clips[clips["role"] == role] for role in ("reference", "held_out"))
    target = next((key for key in targets if reference[key].notna().any()), None)
    if target:
        reference = reference[reference[target].notna()]
    if reference.empty:
        return None
    labels = reference[target].astype("category").cat.codes.to_numpy() if target else np.zeros(len(reference), int)
    known, other = (
        embeddings.read(SPACE / f"{name}.parquet", part["clip_id"].tolist()) for part in (reference, held_out)
    )

    is_outside = outside(known, labels, other)
    return (lambda embedding: bool(is_outside(embedding[np.newaxis])[0]), dataset) if is_outside else None


def outside(
    reference: np.ndarray, labels: np.ndarray, held_out: np.ndarray
) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function that says of vectors `(m, d)` whether each lies outside the training music `(m,)`: whether its Mahalanobis
    distance to the nearest class mean of `reference` `(n, d)` exceeds that of `PERCENTILE` per cent of `held_out` `(k, d)`.

    labels: class number of each row of `reference`. None where fewer than `MIN_HELD_OUT` are held out, or distances have no unit.
    """
    from pipelines.evaluation import ood
    from pipelines.metrics import scaling

    if len(held_out) < MIN_HELD_OUT:
        return None

    def distance(points: np.ndarray) -> np.ndarray:
        centred = (scaling.centre(part, reference) for part in (points, reference))
        return ood.mahalanobis(*centred, labels, int(labels.max()) + 1).min(axis=1)

    try:
        limit = np.percentile(distance(held_out), PERCENTILE)
    except ValueError:  # no clip differs from another
        return None
    return lambda points: distance(points) > limit


def _is_of(name: str, dataset: str) -> bool:
    """Does the space contain this model's embeddings of the training dataset, by dvc.lock? (`space` copies the embeddings.)"""
    copy, embedding = SPACE / f"{name}.parquet", paths.embeddings(dataset, name).as_posix()
    try:
        graph = recipe.Graph(recipe.locked_stages())
        entry = graph.stages[graph.maker[embedding]]
        model = next(dep["md5"] for dep in entry["deps"] if dep["path"] == f"{EXPORTED}/{name}")
        files = {path.name: _md5(path) for path in (EXPORTED / name).iterdir()}
        return recipe.data_version(entry, embedding) == _md5(copy) and model == recipe.folder_hash(files)
    except (OSError, KeyError, StopIteration, yaml.YAMLError):
        return False


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()
