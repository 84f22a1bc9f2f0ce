"""Resampling of whole groups (works, artists) for `metrics.intervals.bootstrap`."""

from collections.abc import Callable

import numpy as np


def by_group(score: Callable, groups: np.ndarray) -> tuple[Callable, int]:
    """(score of drawn groups, number of groups): a drawn group brings all of its rows. groups: `(rows,)` numbers from 0."""
    members = np.split(np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))[:-1])
    return lambda drawn: score(np.concatenate([members[group] for group in drawn])), len(members)
