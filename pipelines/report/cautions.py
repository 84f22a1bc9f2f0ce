"""Warnings at the top of a page: unusable files, and music unlike the taggers' training music."""

from pipelines.core import max_quarantined, paths
from pipelines.report.lineage import Lineage
from pipelines.report.state import State, tagger_names

UNLIKE = 0.9
"""AUROC from which music is called unlike the training music: its clip is farther than the held-out one in 9 of 10 pairs."""
BETWEEN = 0.65
"""AUROC below which it is called like the training music; at 0.5 there is no difference."""


def of(state: State, lineage: Lineage) -> list[dict]:
    """`{"dataset", "sentence", "mark"}`, in the recipe's order."""
    found = []
    for name, dataset in state.datasets.items():
        if bad := max_quarantined.faults(dataset.quarantine):
            found.append(
                (
                    name,
                    f"{bad} of {bad + len(dataset.clips)} files could not be used, its page lists the reasons",
                    paths.audio(name),
                )
            )
        aurocs = auroc_by_tagger(state, dataset.ood) if name != state.settings["training"]["dataset"] else {}
        if aurocs and max(aurocs.values()) >= UNLIKE:
            how = ", ".join(f"{tagger} {value:.2f}" for tagger, value in aurocs.items())
            found.append(
                (
                    name,
                    f"this music is unlike the taggers' training music (AUROC: {how}), so their tags are unreliable",
                    paths.ood(name),
                )
            )
    for name in state.absent:
        found.append(
            (name, "it is not in this report, because one of its stages failed; `conservatory status` names it", "")
        )
    return [
        {"dataset": name, "sentence": sentence, "mark": lineage.mark(path) if path else None}
        for name, sentence, path in found
    ]


def distances(state: State, lineage: Lineage) -> list[dict]:
    """How far each dataset lies from the training music: `{"dataset", "how", "taggers" (tagger -> AUROC), "source"}` of each
    that the ood stage has placed, but for the training dataset itself."""
    found = []
    for name, dataset in state.datasets.items():
        aurocs = auroc_by_tagger(state, dataset.ood) if name != state.settings["training"]["dataset"] else {}
        if aurocs:
            far = max(aurocs.values())
            how = "unlike" if far >= UNLIKE else "partly like" if far >= BETWEEN else "like"
            found.append({"dataset": name, "how": how, "taggers": aurocs, "source": lineage.mark(paths.ood(name))})
    return found


def auroc_by_tagger(state: State, ood: dict) -> dict[str, float]:
    """Tagger -> AUROC by distance to the k-th nearest training clip, of all clips from outside."""
    target = next(iter(ood.get("targets", {}).values()), {})  # nearness knows no target
    records = {name: target[name].get("all") for name in tagger_names(state) if name in target}
    return {
        name: record["detection"]["knn"]["auroc"] for name, record in records.items() if record and record["detection"]
    }
