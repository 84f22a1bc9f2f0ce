"""Scores of runs in one schema, with an interval over groups, the spread over trainings, and a trivial baseline.

A family of tasks states its metrics as functions of **columns**: name -> array with a row for each scored unit (a clip, a piece,
a stem). The columns `unit` (its name) and `group` (work, artist) are always there.

All runs on one set of units are resampled with the same draws of groups. So the difference of two runs' resampled scores is a
paired bootstrap, and the predictions need not be read again.
"""

import hashlib
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.metrics.intervals import FEWEST, by_group, percentiles, reflected, resampled

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Metric:
    """`compute(columns)` returns the score, NaN where these units have none; `chance(columns)` what random answers get on
    average, where that is known. reflected: of a score that resampling itself raises or lowers (`intervals.reflected`)."""

    compute: Callable[[Columns], float]
    unit: str = "share"
    higher_is_better: bool = True
    chance: Callable[[Columns], float] | None = None
    reflected: bool = False


def fingerprint(columns: Columns) -> str:
    """16 hex digits of the scored units, their groups and, where there is one, the column `actual`: two runs with the same may
    be compared."""
    named = [columns[name].tolist() for name in ("unit", "group", "actual") if name in columns]
    return hashlib.sha256(repr(named).encode()).hexdigest()[:16]


def score(
    metrics: Mapping[str, Metric],
    trainings: Sequence[Columns],
    baseline: Columns,
    split: str,
    n_bootstrap: int,
    seed: int,
) -> tuple[dict[str, dict], dict[str, np.ndarray]]:
    """(scores, resampled scores) of one run.

    trainings: the columns of each training, all of the same units in the same order; a score is their mean. baseline: the same
    units, answered without a model. Scores: metric -> `value`, `ci95`, `n`, `n_groups`, `chance`, `baseline`, `unit`, `split`,
    `higher_is_better`, `trainings` (the score of each), `sd_trainings` (their standard deviation; None of one) and `gain_ci95`
    (of the score minus the baseline's; its variance contains that over trainings). Resampled: metric -> `(n_bootstrap,)`, and
    `<metric> baseline`. Intervals are percentiles of a bootstrap of whole groups (Efron 1979), None below four groups. A metric
    that these units have no score of has None for every number.
    """
    if len({fingerprint(columns) for columns in (*trainings, baseline)}) > 1:
        raise ValueError("predictions of all trainings and of the baseline must have the same units in the same order")

    def of_rows(rows: np.ndarray) -> list[tuple[float, float]]:
        """For each metric the score, a mean over trainings, and the baseline's."""
        *answers, trivial = ({key: c[rows] for key, c in columns.items()} for columns in (*trainings, baseline))
        return [
            (np.mean([metric.compute(answer) for answer in answers]), metric.compute(trivial))
            for metric in metrics.values()
        ]

    _, group = np.unique(trainings[0]["group"], return_inverse=True)
    of_groups, n_groups = by_group(of_rows, group)
    drawn = resampled(of_groups, n_groups, n_bootstrap, seed) if n_groups >= FEWEST else None
    scores, kept = {}, {}
    for place, (name, metric) in enumerate(metrics.items()):
        each = [float(metric.compute(columns)) for columns in trainings]
        reference = float(metric.compute(baseline))
        value, spread = float(np.mean(each)), statistics.stdev(each) if len(each) > 1 else None
        interval = gain = None
        defined = math.isfinite(value) and math.isfinite(reference)
        if defined and drawn is not None:
            runs, trivial = drawn[:, place].T
            kept |= {name: runs, f"{name} baseline": trivial}
            interval = reflected(percentiles(runs), value) if metric.reflected else percentiles(runs)
            gain = widened(percentiles(runs - trivial), value - reference, _variance(spread, len(each)))
        scores[name] = {
            "value": value if defined else None,
            "ci95": interval,
            "n": len(group),
            "n_groups": n_groups,
            "chance": None if metric.chance is None else float(metric.chance(trainings[0])),
            "baseline": reference if defined else None,
            "unit": metric.unit,
            "split": split,
            "higher_is_better": metric.higher_is_better,
            "trainings": each if defined else [],
            "sd_trainings": spread if defined else None,
            "gain_ci95": gain,
        }
    return scores, kept


def difference(a: dict, b: dict, resampled_a: np.ndarray | None, resampled_b: np.ndarray | None) -> dict:
    """`{"value", "ci95", "n", "better"}` of score `a` minus score `b`, two runs of one fingerprint and metric.

    `better`: "a" or "b", where the interval excludes zero, else None. The interval contains the variance over trainings of each
    run that has several; `over_trainings` says if both have.
    """
    if a["value"] is None or b["value"] is None:
        return {"value": None, "ci95": None, "n": a["n"], "better": None, "over_trainings": False}
    value = a["value"] - b["value"]
    known = a["sd_trainings"] is not None and b["sd_trainings"] is not None
    variance = sum(_variance(each["sd_trainings"], len(each["trainings"])) for each in (a, b))
    interval = None
    if resampled_a is not None and resampled_b is not None:
        interval = widened(percentiles(resampled_a - resampled_b), value, variance)
    better = None
    if interval and (interval[0] > 0 or interval[1] < 0):
        better = "a" if (value > 0) == a["higher_is_better"] else "b"
    return {"value": value, "ci95": interval, "n": a["n"], "better": better, "over_trainings": known}


def drop(own: dict, other: dict, resampled_own: np.ndarray | None, resampled_other: np.ndarray | None) -> dict:
    """The score of a run on its own test units minus that on other units, in the schema of `score`; lower is better.

    Both are resampled independently, because the units are others: the draws of one are shuffled against those of the other. The
    trainings are the same, so their spread is that of each one's own drop.
    """
    sign = 1 if own["higher_is_better"] else -1
    defined = own["value"] is not None and other["value"] is not None
    each = [sign * (a - b) for a, b in zip(own["trainings"], other["trainings"], strict=True)] if defined else []
    value = float(np.mean(each)) if defined else None
    spread = statistics.stdev(each) if len(each) > 1 else None
    interval = None
    if defined and resampled_own is not None and resampled_other is not None:
        shuffled = np.random.default_rng(0).permutation(resampled_other)
        interval = percentiles(sign * (resampled_own - shuffled))
        interval = widened(interval, value, _variance(spread, len(each)))
    return {
        "value": value,
        "ci95": interval,
        "n": other["n"],
        "n_groups": other["n_groups"],
        "chance": None,
        "baseline": None,
        "unit": own["unit"],
        "split": f"{own['split']} - {other['split']}",
        "higher_is_better": False,
        "trainings": each,
        "sd_trainings": spread,
        "gain_ci95": None,
    }


def widened(interval: list[float], value: float, variance: float) -> list[float]:
    """`interval` around `value`, each side lengthened by an independent error of this variance."""
    return [
        value + math.copysign(math.hypot(edge - value, 1.96 * math.sqrt(variance)), edge - value) for edge in interval
    ]


def _variance(spread: float | None, n: int) -> float:
    """Of the mean of `n` trainings with standard deviation `spread`."""
    return spread**2 / n if spread else 0.0
