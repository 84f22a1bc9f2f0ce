"""Estimate how long a run takes: from the last run of each stage here, or from the same stage of another dataset, scaled by
size."""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipelines.core import paths
from pipelines.core.files import place

Size = tuple[int, float | None]
"""Clips of a dataset, and seconds of music if known."""


FIXED = 0.4
"""Share of a stage's time that does not depend on the dataset's size: for 34 clips `ood`, `degrade`, `study` and `cluster` took
half as long as for 768."""


class Estimate(NamedTuple):
    seconds: float | None
    like: str
    """The stage it is estimated from; "" if the stage itself has run here, or nothing is known."""


def took(entries: Iterable[dict]) -> dict[str, float]:
    """Stage -> seconds of its last successful run, from the lines of `runs/record.py`."""
    return {
        entry["stage"]: entry["seconds"]
        for entry in entries
        if entry["what"] == "stage"
        and entry.get("state") == "ran"
        and "stage" in entry
        and entry.get("seconds") is not None
    }


def estimate(stage: str, known: Mapping[str, float], sizes: Mapping[str, Size]) -> Estimate:
    """known: `took`; sizes: of the datasets whose size is known.

    A stage that has not run is estimated from the same stage (and feature or tagger) of the dataset nearest in size. The share
    `FIXED` of the time is independent of the size (imports, clusterings from many starts); the rest is proportional to the
    seconds of music, or to the clips if those are unknown. `raw` differs between datasets and has no estimate."""
    if stage in known:
        return Estimate(known[stage], "")
    kind, dataset, rest = parts(stage)
    if dataset not in sizes or kind == "raw":
        return Estimate(None, "")
    found = []
    for other, seconds in known.items():
        same_kind, like, same_rest = parts(other)
        if (kind, rest) == (same_kind, same_rest) and like in sizes and (ratio := _ratio(sizes[dataset], sizes[like])):
            found.append((abs(math.log(ratio)), other, (FIXED + (1 - FIXED) * ratio) * seconds))
    if not found:
        return Estimate(None, "")
    _, other, seconds = min(found)
    return Estimate(seconds, other)


def parts(stage: str) -> tuple[str, str, str]:
    """(kind, dataset, feature or tagger) of a stage: features, mine, log_mel for features@mine-log_mel."""
    kind, _, instance = stage.partition("@")
    dataset, _, rest = instance.partition("-")
    return kind, dataset, rest


def sizes(datasets: Mapping[str, dict]) -> dict[str, Size]:
    """Dataset of params.yaml -> its size: from its manifest, or for a folder not read yet, from its files."""
    from pipelines.datasets import listing

    found: dict[str, Size] = {}
    for name, entry in datasets.items():
        manifest = paths.manifest(name)
        if manifest.exists():
            import pyarrow.parquet as pq  # a tenth of a second to import

            try:
                durations = pq.read_table(manifest, columns=["duration_s"])["duration_s"].to_pylist()
            except (OSError, ValueError, KeyError):  # damaged, which its stage reports
                continue
            found[name] = (len(durations), math.fsum(durations))
        elif "fingerprint" in entry:
            try:
                files = listing.scan(place(entry["path"]), entry.get("follow_links", False))
            except listing.SourceError:  # missing, or no longer a dataset
                continue
            found[name] = (int((files["problem"] == "").sum()), None)
    return {name: size for name, size in found.items() if size[0]}


def _ratio(size: Size, other: Size) -> float:
    if size[1] and other[1]:
        return size[1] / other[1]
    return size[0] / other[0]
