"""The front page's card of a corpus: how many pieces, groups and files that could not be used, the split, and the licence."""

from pipelines.core import max_quarantined, paths
from pipelines.core.manifest import PIECES, QUARANTINE
from pipelines.core.splits import is_grouped
from pipelines.core.tables import read_table
from pipelines.report.lineage import Lineage
from pipelines.report.state import State

SIDES = ("train", "validation", "test", "all")


def cards(state: State, lineage: Lineage) -> list[dict]:
    """A card of each corpus that was read: `{"name", "pieces", "hours", "notes", "groups", "copies", "splits", "targets",
    "quarantined", "refused", "licences", "source"}`.

    groups: None where no two pieces share one. splits: (side, pieces). targets: (target, number of classes). refused: (kind of
    reason, files).
    """
    names = state.settings.get("corpora") or {}
    return [_card(name, lineage) for name in names if paths.manifest(name).exists()]


def _card(name: str, lineage: Lineage) -> dict:
    pieces = read_table(paths.manifest(name), PIECES)
    quarantine = read_table(paths.manifest_quarantine(name), QUARANTINE)
    splits = pieces["split"].value_counts()
    reasons = quarantine["reason"].map(max_quarantined.kind).value_counts(sort=False).sort_index()
    targets = [column for column in pieces if column.startswith("target_")]
    return {
        "name": name,
        "pieces": len(pieces),
        "hours": float(pieces["duration_s"].sum()) / 3600,
        "notes": int(pieces["n_notes"].sum()),
        "groups": int(pieces["group"].nunique()) if is_grouped(pieces) else None,
        "copies": int(pieces["duplicate_of"].notna().sum()),
        "splits": [(side, int(splits[side])) for side in SIDES if side in splits],
        "targets": [(column.removeprefix("target_"), int(pieces[column].nunique())) for column in targets],
        "quarantined": len(quarantine),
        "refused": [(reason, int(n)) for reason, n in reasons.items()],
        "licences": sorted(pieces["licence"].unique()),
        "source": lineage.mark(paths.manifest(name).as_posix()),
    }
