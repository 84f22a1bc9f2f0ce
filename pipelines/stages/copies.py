"""copies: clips that are no independent evidence, brought into one group: nearly the same sound, by their pooled features.

Groups of the manifest (works, artists) and clips of the very same sound come in joined. What is scored later reads the groups of
this stage (`independent_clips`), so that folds and bootstraps never have a clip on one side and its copy on the other.
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipelines.core import params, paths
from pipelines.core.manifest import COPIES, join_groups, usable_clips
from pipelines.core.record import write_record
from pipelines.core.tables import read_table, write_table
from pipelines.evaluation import leaks
from pipelines.features import POOLED
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.metrics import scaling

MANY = 0.1  # of the clips: more near copies than this are worth a look


def main(dataset: str) -> None:
    log = start(f"copies {dataset}")
    options = params.read()["leaks"]
    clips = usable_clips(dataset)
    points = standardised_pooled(dataset, clips, (clips["split"] == "train").to_numpy())
    n, pairs, untold = len(clips), np.empty((0, 2), dtype=np.int64), ""
    try:
        found, near = leaks.near(points, None, 0, options["seed"], near_cosine(options))
        pairs = np.array([pair[:2] for pair in found["pairs"]], dtype=np.int64).reshape(-1, 2)
    except ValueError as error:  # too few clips, or hardly different ones
        untold, near = str(error), np.zeros(n, dtype=bool)
    same = connected_components(coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n)), directed=False)[1]
    joined = join_groups(same, clips["group"])
    path = paths.copies(dataset)
    write_table(pd.DataFrame({"clip_id": clips["clip_id"], "group": joined}), path, COPIES)
    figures = {
        "clips": n,
        "near copies of an earlier clip": int(near.sum()),
        "groups before": int(clips["group"].nunique()),
        "groups": len(set(joined)),
    }
    said = (
        untold
        or f"{near.sum()} of {n} clips are near copies of an earlier one, by a cosine of {found['threshold']:.6f} or more"
    )
    checks = {"near copies are few": (None if untold else bool(near.mean() <= MANY), said)}
    write_record("copies", dataset, figures=figures, table=path, checks=checks)
    log.info("%s; %d groups of %d", said, figures["groups"], figures["groups before"])


def standardised_pooled(dataset: str, clips: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    """`(clips, d)` pooled features, standardised on train; on all clips where none is train."""
    pooled = read_table(paths.pooled(dataset), POOLED).set_index("clip_id")
    values = pooled.loc[clips["clip_id"]].to_numpy(np.float64)
    return scaling.standardise(values, values[train] if train.any() else values)


def near_cosine(options: dict) -> float | None:
    """The cosine from which clips count as near copies, by `leaks` of params.yaml; None: to be learnt from the clips."""
    return None if options["near_cosine"] == "learnt" else float(options["near_cosine"])


if __name__ == "__main__":
    command.run(main, __doc__)
