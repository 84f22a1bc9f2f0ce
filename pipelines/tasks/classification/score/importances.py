"""The importance of each family of features: by how much macro F1 on test clips falls when its values belong to other clips.

All features of a family (`mfcc`, `chroma`, ...) are permuted together, because each alone can be told from its neighbours
(permutation importance: Breiman 2001, section 10). What several families tell is charged to none of them: a small fall means
that the model does not need the family beside the others, and not that the family tells nothing.
"""

import re
from collections.abc import Callable

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from pipelines.harness import executor
from pipelines.metrics.intervals import FEWEST, percentiles
from pipelines.tasks.classification.fit import preparation, resampling
from pipelines.tasks.classification.fit.labelled import Labelled

REPEATS = 5  # permutations of a family
MOST = 30
"""Families above which there are none to speak of: the names of the features have no families."""
NUMBER = re.compile(r"([_ ]-?\d+|_(?:mean|std|min|max|median|skew))+$")


def families(names: list[str], columns: list[int]) -> dict[str, list[int]]:
    """Family -> its columns: what a name is without bands and statistics (`mfcc` of `mfcc_003_mean`)."""
    found: dict[str, list[int]] = {}
    for column in columns:
        found.setdefault(NUMBER.sub("", names[column]), []).append(column)
    return found


def of(run, data: Labelled, predict: Callable, seed: int) -> list[dict]:
    """predict: values of the test clips `(clips, d)` -> their classes.

    `family`, `features`, `fall` of macro F1 (mean over permutations) and its `ci95` over groups, the largest first. Empty
    where the features have fewer than two families, or more than `MOST`."""
    found = families(data.names, preparation.kept_columns(data.names, run.options["leave_out"]))
    if not 2 <= len(found) <= MOST:
        return []
    test = data.of("test")
    values = data.values[test]
    confusions = resampling.Confusions(data.classes[test], data.clips["group"].to_numpy(str)[test], run.shared)

    def permuted(columns: list[int], number: int) -> np.ndarray:
        other = values.copy()
        order = np.random.default_rng([seed, number]).permutation(len(values))
        other[:, columns] = values[order][:, columns]
        return confusions.macro_f1(predict(other))

    with threadpool_limits(1):
        whole = confusions.macro_f1(predict(values))
        tasks = [(columns, number) for columns in found.values() for number in range(REPEATS)]
        drawn = joblib.Parallel(executor.n_workers(), prefer="threads")(
            joblib.delayed(permuted)(*each) for each in tasks
        )
    falls = whole - np.array(drawn).reshape(len(found), REPEATS, -1).mean(axis=1)
    measured = [
        {
            "family": family,
            "features": len(columns),
            "fall": float(fall[0]),
            "ci95": percentiles(fall[1:]) if confusions.n_groups >= FEWEST else None,
        }
        for (family, columns), fall in zip(found.items(), falls, strict=True)
    ]
    return sorted(measured, key=lambda one: -one["fall"])
