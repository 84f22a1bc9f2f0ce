"""Splits by group: how one is made, and checks of a manifest's split that become asset checks."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

SIDES = ("train", "validation", "test")

MIN_CLIPS = 5  # a class with fewer test clips gets a warning: its F1 means little


NO_GROUPS = "no two clips share a group: clips of one work or artist may stand on two sides, and count as independent"


def is_grouped(clips: pd.DataFrame) -> bool:
    """Whether any two clips that are no copies are of one group (columns `group`, `sha256`): without, nothing is known of works
    or artists."""
    return bool(clips.drop_duplicates("sha256")["group"].duplicated().any())


def assign(
    groups: Sequence[str], classes: Sequence[str], shares: Mapping[str, float], seed: int | list[int]
) -> list[str]:
    """The side of each clip: whole groups, and each class close to its `shares` on every side.

    Greedy: the largest groups first (equal ones in a seeded order), each to the side that lacks most of its classes.
    """
    members: dict[str, Counter] = {}
    for name, label in zip(groups, classes, strict=True):
        members.setdefault(name, Counter())[label] += 1
    wanted = {(label, side): n * shares[side] for label, n in Counter(classes).items() for side in SIDES}
    order = np.random.default_rng(seed).permutation(sorted(members))
    sides = {}
    for name in sorted(map(str, order), key=lambda name: -members[name].total()):
        side = max(SIDES, key=lambda side: sum(wanted[label, side] * n for label, n in members[name].items()))
        sides[name] = side
        for label, n in members[name].items():
            wanted[label, side] -= n
    return [sides[name] for name in groups]


def alike(labels: Iterable[str]) -> list[list[str]]:
    """Labels that a person reads as one: they differ in case, in spaces around them, or in Unicode's form alone."""
    same: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        same.setdefault(unicodedata.normalize("NFC", label).strip().casefold(), []).append(label)
    return [names for names in same.values() if len(names) > 1]


def lost(before: pd.Series, after: pd.Series) -> list[str]:
    """Classes of `before` of which `after` has no clip, sorted; "" is none."""
    return sorted(set(before.dropna()) - set(after.dropna()) - {""})


def lost_classes(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    """`lost` of every target (`target_*` columns) of two tables of clips."""
    targets = [column for column in before if column.startswith("target_")]
    return [label for column in targets for label in lost(before[column], after[column])]


def audit(manifest: pd.DataFrame) -> dict[str, tuple[bool | None, str]]:
    """Name -> (passed, sentence): no group and no exact copy on two sides, no class nearly empty, labels that can be told apart.
    None where it cannot be known."""
    sides = manifest.groupby("group")["split"].nunique()
    leaks = sides[sides > 1].index.tolist()
    grouped = is_grouped(manifest)
    copies = manifest.groupby("sha256")["split"].nunique()
    doubled = int((copies > 1).sum())
    checks = {
        "no group in two splits": (
            not leaks if grouped else None,
            f"{len(leaks)} of {len(sides)} groups are on two sides {leaks[:3] or ''}" if grouped else NO_GROUPS,
        ),
        "no exact copy in two splits": (not doubled, f"{doubled} files have an exact copy on another side"),
    }
    targets = [column for column in manifest if column.startswith("target_")]
    torn = {column: manifest.groupby("sha256")[column].nunique() for column in targets}
    torn = {column.removeprefix("target_"): int((labels > 1).sum()) for column, labels in torn.items()}
    checks["copies have one label"] = (
        not any(torn.values()),
        "; ".join(f"{n} sounds have two labels of {target}" for target, n in torn.items()) or "there are no labels",
    )
    same = [names for column in targets for names in alike(manifest[column].dropna().astype(str))]
    checks["labels can be told apart"] = (
        not same,
        "; ".join("read as one: " + ", ".join(map(repr, names)) for names in same) or "no two read as one",
    )
    scored = manifest[manifest["split"].isin(["test", "all"])]
    for column in targets:
        counts = scored[column].value_counts()
        thin = counts[counts < MIN_CLIPS]
        checks[f"class balance of {column.removeprefix('target_')}"] = (
            thin.empty,
            f"{len(counts)} classes of {counts.min() if len(counts) else 0} to {counts.max() if len(counts) else 0} "
            f"scored clips{'; fewer than ' + str(MIN_CLIPS) + ': ' + ', '.join(thin.index[:5]) if len(thin) else ''}",
        )
    if not targets:
        checks["class balance"] = (None, "there are no labels")
    return checks
