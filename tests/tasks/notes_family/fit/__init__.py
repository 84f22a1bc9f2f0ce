"""Fit a classifier on the training clips; it is kept as arrays, never as a pickle."""

import numpy as np

from pipelines.tasks import inputs, part


def fit(run, seed, folder):
    clips, values, _ = inputs.vectors(run)
    classes = inputs.labels(run, clips, run.options["target"])
    rows = ((clips["split"] == "train") & (classes != "")).to_numpy()
    if len(set(classes[rows])) < 2:
        raise ValueError(f"target {run.options['target']!r} has fewer than two classes in the train split")
    np.savez(
        folder / "model.npz",
        **part(run.task, f"models.{run.model}").fit(values[rows], classes[rows], seed, run.options),
    )
    return {"clips": int(rows.sum()), "classes": len(set(classes[rows]))}
