"""Estimate how long a run takes: from the last run of each stage here, else from the same stage of another dataset, scaled by
size, else from the minutes that a preset states for its runs.

Two kinds of stages do not take what they took last time. Stages of a folder that has grown take longer by its size. Of the
features of a dataset, the first to run computes all of them in one pass, and the others read its results from the cache of clips:
where none of those that will run is the one that computed, the first takes the time of the pass.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipelines.core import paths
from pipelines.core.files import place
from pipelines.ops import presets

Size = tuple[int, float | None]
"""Clips of a dataset, and seconds of music if known."""


FIXED = 0.4
"""Share of a stage's time that does not depend on the dataset's size: for 34 clips `ood`, `degrade`, `study` and `cluster` took
half as long as for 768."""


class Estimate(NamedTuple):
    seconds: float | None
    like: str
    """What it is estimated from, mostly another stage; "" if the stage itself has run here, or nothing is known."""


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


def plan(
    stages: Iterable[str],
    known: Mapping[str, float],
    sizes: Mapping[str, Size],
    growth: Mapping[str, float],
    stated: Mapping[str, tuple[float, str]],
) -> dict[str, Estimate]:
    """The estimates of stages that will run, in their order. known: `took`; sizes: of the datasets whose size is known;
    growth: of folders; stated: `of_presets`."""
    found = {}
    for stage in stages:
        found[stage] = estimate(stage, known, sizes)
        if stage in known and (ratio := growth.get(parts(stage)[1], 1)) > 1:
            seconds = (FIXED + (1 - FIXED) * ratio) * known[stage]
            found[stage] = Estimate(seconds, f"its last run, on a folder {ratio:.3g} times smaller")
        elif found[stage].seconds is None and stage in stated:
            found[stage] = Estimate(*stated[stage])
    for dataset in {parts(stage)[1] for stage in found if stage.startswith("features@")}:
        own = [stage for stage in found if stage.startswith("features@") and parts(stage)[1] == dataset]
        ran = {stage: s for stage, s in known.items() if stage.startswith("features@") and parts(stage)[1] == dataset}
        longest = max(ran, key=ran.__getitem__, default=None)
        if longest and longest not in own and found[own[0]].like == "":
            found[own[0]] = Estimate(ran[longest], longest)
    return found


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
    """Dataset of params.yaml -> its size: from its manifest; of one not read yet, from its files or its entry."""
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
        elif "clips" in entry and "duration_s" in entry:  # one that is built
            found[name] = (entry["clips"], entry["clips"] * entry["duration_s"])
    return {name: size for name, size in found.items() if size[0]}


def growth(datasets: Mapping[str, dict]) -> dict[str, float]:
    """Folder of params.yaml -> its files, divided by those that it had when its manifest was made."""
    from pipelines.datasets import listing

    found = {}
    for name, entry in datasets.items():
        tables = (paths.manifest(name), paths.manifest_quarantine(name))
        if entry.get("module") != "folder" or not all(path.exists() for path in tables):
            continue
        import pyarrow.parquet as pq

        try:
            before = sum(pq.read_metadata(path).num_rows for path in tables)
            files = listing.scan(place(entry["path"]), entry.get("follow_links", False))
        except (OSError, ValueError, listing.SourceError):  # damaged or missing, which its stage reports
            continue
        if before:
            found[name] = int((files["problem"] != listing.OF_EVENTS).sum()) / before
    return found


def of_presets(settings: Mapping) -> dict[str, tuple[float, str]]:
    """Stage -> (seconds, the preset) of the runs and taggers of enabled presets: equal shares of the preset's minutes."""
    found = {}
    for preset in presets.presets().values():
        if presets.is_enabled(preset, settings):
            stages = own_stages(preset)
            share = 60 * preset.minutes / max(1, len(stages))
            found |= {stage: (share, f"the minutes stated by the preset {preset.name}") for stage in stages}
    return found


def own_stages(preset: presets.Preset) -> list[str]:
    """The stages that fit and score a preset's runs and train its taggers."""
    stages = [f"{kind}@{name}" for name in preset.entries.get("runs", {}) for kind in ("fit", "score")]
    return stages + [f"train@{name}" for name in preset.entries.get("taggers", {})]


def _ratio(size: Size, other: Size) -> float:
    if size[1] and other[1]:
        return size[1] / other[1]
    return size[0] / other[0]
