"""Items of a stage group as Dagster partitions, and mappings between the partitions of two assets.

The simplest of Dagster's mappings that gives the same dependencies as DVC's graph is chosen, so a new kind of stage needs no
change here."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations

import dagster as dg

from assets.recipe import Stage, StageGroup

SHOWN = 50  # keys named in an error
NOT_IN_KEYS = set("|[],")  # Dagster keeps these for keys of two dimensions


class Items(dg.StaticPartitionsDefinition):
    """The items of a dimension. The error for an unknown key lists the known ones, unlike Dagster's own: a page that was loaded
    before a dataset was removed still offers it, and Dagster's API accepts any key."""

    def __init__(self, what: str, keys: list[str]):
        super().__init__(keys)
        self.what = what

    def get_partition_keys_in_range(self, partition_key_range: dg.PartitionKeyRange) -> Sequence[str]:
        self._refuse_unknown(partition_key_range.start, partition_key_range.end)
        return super().get_partition_keys_in_range(partition_key_range)

    def validate_partition_key(self, partition_key: str, context) -> None:
        self._refuse_unknown(partition_key)

    def _refuse_unknown(self, *wanted: str) -> None:
        keys = self.get_partition_keys()
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        for key in wanted:
            if key not in keys:
                raise dg.DagsterUnknownPartitionError(
                    f"{self.what} {key!r} is not in the recipe: params.yaml gives {', '.join(keys[:SHOWN])}{more} "
                    "(if the page offers another, reload the definitions)."
                )


def definition(group: StageGroup) -> dg.PartitionsDefinition | None:
    """None without items; a list of keys over one dimension, a product of two, or DVC's own item names.

    Dagster has no partitions of three dimensions, and none of two whose keys contain one of `|[],`.
    """
    if not group.dimensions:
        return None
    if not _is_product(group):
        what = " x ".join(group.dimensions)
        return Items(f"{group.name}: {what}", [key(group, stage) for stage in group.stages])
    return dg.MultiPartitionsDefinition(
        {
            name: Items(f"{group.name}: {name}", list(dict.fromkeys(stage.values[place] for stage in group.stages)))
            for place, name in enumerate(group.dimensions)
        }
    )


def key(group: StageGroup, stage: Stage) -> str | None:
    """The partition of the group's asset that `stage` makes; None if the asset has no partitions."""
    if not group.dimensions:
        return None
    if _is_product(group):
        return dg.MultiPartitionKey(dict(zip(group.dimensions, stage.values, strict=True)))
    return stage.values[0] if len(group.dimensions) == 1 else stage.name.partition("@")[2]


def mapping(down: StageGroup, up: StageGroup) -> dg.PartitionMapping | None:
    """The mapping from partitions of `down` to the partitions of `up` that they read. None if `up` has no partitions.

    If no mapping equals DVC's graph, one with more partitions is taken, never one with fewer: those of the same dataset, or those
    that any partition of `down` needs. A tagger of one dimension and a representation of two have no exact mapping.
    """
    if not up.dimensions:
        return None
    needed = _needed(down, up)
    candidates = list(_candidates(down, up, needed))
    for candidate in candidates:
        if _mapped(candidate, down, up, needed) == needed:
            return candidate
    for candidate in candidates:
        found = _mapped(candidate, down, up, needed)
        by_dimension = isinstance(candidate, dg.MultiToSingleDimensionPartitionMapping)
        if by_dimension and found and all(needed[one] <= found[one] for one in needed):
            return candidate
    any_needs = set().union(*needed.values())
    if any_needs < {str(key(up, stage)) for stage in up.stages}:
        return dg.SpecificPartitionsPartitionMapping(sorted(any_needs))
    return dg.AllPartitionMapping()


def _is_product(group: StageGroup) -> bool:
    return len(group.dimensions) == 2 and not NOT_IN_KEYS & group.characters


def _needed(down: StageGroup, up: StageGroup) -> dict[str | None, set[str]]:
    """Partition of `down` -> partitions of `up` that DVC's graph says it reads."""
    keys = {stage.name: key(up, stage) for stage in up.stages}
    read = defaultdict(set)
    for name, other in down.upstream[up.name]:
        read[name].add(str(keys[other]))
    return {key(down, stage): read[stage.name] for stage in down.stages}


def _candidates(down: StageGroup, up: StageGroup, needed: dict) -> Iterator[dg.PartitionMapping]:
    """Mappings that may fit, simplest first."""
    if down.dimensions:
        yield dg.IdentityPartitionMapping()
        for dimension in set(down.dimensions) & set(up.dimensions):
            yield dg.MultiToSingleDimensionPartitionMapping(dimension)
    yield dg.AllPartitionMapping()
    if len({frozenset(keys) for keys in needed.values()}) == 1:
        yield dg.SpecificPartitionsPartitionMapping(sorted(next(iter(needed.values()))))
    if not down.dimensions:
        return
    if _is_product(down) and _is_product(up):
        yield from _by_dimension(down, up)
    elif not _is_product(down) and not _is_product(up):
        yield _static([(str(one), other) for one, others in needed.items() for other in others])


def _by_dimension(down: StageGroup, up: StageGroup) -> Iterator[dg.PartitionMapping]:
    """Each dimension of `up` follows from one of `down`, or from none (then all of it is needed)."""
    places = {stage.name: stage.values for stage in (*down.stages, *up.stages)}
    for choice in permutations((*range(len(down.dimensions)), None, None), len(up.dimensions)):
        dimensions = {}
        for place, (name, source) in enumerate(zip(up.dimensions, choice, strict=True)):
            if source is not None:
                pairs = {(places[one][source], places[other][place]) for one, other in down.upstream[up.name]}
                rule = dg.IdentityPartitionMapping() if all(a == b for a, b in pairs) else _static(pairs)
                dimensions[name] = dg.DimensionPartitionMapping(down.dimensions[source], rule)
        yield dg.MultiPartitionMapping(dimensions)


def _static(pairs) -> dg.StaticPartitionMapping:
    found = defaultdict(set)
    for one, other in pairs:
        found[other].add(one)
    return dg.StaticPartitionMapping({other: sorted(ones) for other, ones in sorted(found.items())})


def _mapped(candidate: dg.PartitionMapping, down: StageGroup, up: StageGroup, needed: dict) -> dict | None:
    """Partition of `down` -> partitions of `up` that Dagster computes from `candidate`; None if that does not suit the two."""
    up_keys, down_keys = definition(up), definition(down)
    mapped = {}
    try:
        candidate.validate_partition_mapping(up_keys, down_keys)
        for one in needed:
            subset = down_keys.subset_with_partition_keys([one]) if down_keys else None
            found = candidate.get_upstream_mapped_partitions_result_for_partitions(subset, down_keys, up_keys)
            mapped[one] = {str(name) for name in found.partitions_subset.get_partition_keys()}
    except Exception:  # Dagster raises several exceptions for a mapping that does not suit two definitions
        return None
    return mapped
