"""Statistics of generated pieces beside those of held-out pieces of people, with what people and chance reach."""

from collections.abc import Sequence

import numpy as np

from pipelines.metrics.intervals import FEWEST, percentiles
from pipelines.tasks.sequences.fit import floor, measures
from pipelines.tasks.sequences.score import overlap, overlap_bootstrap


def table(
    generated: Sequence[np.ndarray],
    people: Sequence[np.ndarray],
    groups: Sequence[str],
    training: Sequence[np.ndarray],
    n_bootstrap: int,
    seed: int,
) -> dict:
    """`{"means", "overlaps", "mean_overlap"}`. means: statistic that is a number -> its mean over the pieces of each set,
    `people` (held out), `generated`, `training`, `random`. overlaps: statistic -> set -> `{"overlap", "kl", "ci95"}` of the set
    with `people` (`overlap.compare`). mean_overlap: set -> the mean overlap of those statistics that have one for every set, and
    `n`, how many; `ci95`: set -> its interval. Intervals are of overlaps, from resamples of people's groups and of the set's
    pieces (`overlap_bootstrap.py`).

    `training` is the ceiling, people against people; `random` the floor, cells drawn from a unigram of the training pieces. Most
    statistics depend on the length of a piece and the width of a kernel on the number of pieces. So the other sets are as many
    pieces as were generated (training pieces at even distances, where there are more), generated and random pieces are cut to the
    lengths of people's in turn, and people's to that of the generated ones.
    """
    longest = len(generated[0])
    held_out = [piece[:longest] for piece in people]
    lengths = [len(held_out[place % len(held_out)]) for place in range(len(generated))]
    chosen = np.unique(np.linspace(0, len(training) - 1, len(generated)).round().astype(int))
    random = floor.sample(floor.log_probabilities(floor.counted(training)), len(generated), longest, seed)
    sets = {
        "generated": [piece[:steps] for piece, steps in zip(generated, lengths, strict=True)],
        "training": [training[place][:longest] for place in chosen],
        "random": [piece[:steps] for piece, steps in zip(random, lengths, strict=True)],
    }
    theirs = measures.of_each(held_out)
    ours = {name: measures.of_each(pieces) for name, pieces in sets.items()}
    overlaps = {
        key: {name: overlap.compare(values, found[key]) for name, found in ours.items()}
        for key, values in theirs.items()
    }
    everywhere = [key for key, each in overlaps.items() if all(one["overlap"] is not None for one in each.values())]
    means = {
        name: float(np.mean([overlaps[key][name]["overlap"] for key in everywhere])) if everywhere else None
        for name in sets
    }
    drawn = overlap_bootstrap.draws(groups, len(people), n_bootstrap, seed)
    of_means = {}
    for name, found in ours.items():
        chosen_pieces = overlap_bootstrap.draws(np.arange(len(sets[name])), len(sets[name]), n_bootstrap, seed + 1)
        again = {}
        for key, each in overlaps.items():
            value = each[name]["overlap"]
            if value is not None:
                again[key] = overlap_bootstrap.overlaps(theirs[key], found[key], drawn, chosen_pieces)
            each[name]["ci95"] = _interval(again.get(key), value, groups)
        of_means[name] = _interval(
            np.mean([again[key] for key in everywhere], axis=0) if everywhere else None, means[name], groups
        )
    return {
        "means": {
            key: {name: _mean(found[key]) for name, found in {"people": theirs, **ours}.items()}
            for key, values in theirs.items()
            if values.ndim == 1
        },
        "overlaps": overlaps,
        "mean_overlap": {
            "n": len(everywhere),
            **means,
            "ci95": of_means,
        },
    }


def _interval(resampled: np.ndarray | None, value: float | None, groups: Sequence[str]) -> list[float] | None:
    """The percentiles of resampled overlaps about their median, set around the value. A resample has fewer different pieces, and
    so a lower overlap: of every set alike, training pieces too, to which the others are compared."""
    if resampled is None or value is None or len(set(groups)) < FEWEST:
        return None
    return np.clip(value + np.array(percentiles(resampled)) - np.nanmedian(resampled), 0.0, 1.0).tolist()


def _mean(values: np.ndarray) -> float | None:
    found = values[np.isfinite(values)]
    return float(found.mean()) if len(found) else None
