"""What a reader should know before the first figure: files that could not be used, and music unlike what taggers have heard."""

from pipelines.core import max_quarantined
from pipelines.report.lineage import Lineage
from pipelines.report.state import State, tagger_names

STRANGE = 0.9
"""AUROC from which music is called unlike the training music: its clips lie farther off than held-out ones nine times in ten."""


def of(state: State, lineage: Lineage) -> list[dict]:
    """`{"dataset", "sentence", "mark"}`, in the recipe's order."""
    found = []
    for name, dataset in state.datasets.items():
        if bad := max_quarantined.faults(dataset.quarantine):
            found.append(
                (
                    name,
                    f"{bad} of {bad + len(dataset.clips)} files could not be used, for the reasons listed below",
                    f"data/audio/{name}",
                )
            )
        strange = _strangeness(state, dataset.ood) if name != state.settings["training"]["dataset"] else {}
        if strange and max(strange.values()) >= STRANGE:
            how = ", ".join(f"{tagger} {value:.2f}" for tagger, value in strange.items())
            found.append(
                (
                    name,
                    f"this music lies outside of what the taggers were trained on (AUROC: {how}), so that their tags are guesses",
                    f"data/ood/{name}",
                )
            )
    for name in state.absent:
        found.append(
            (name, "it is not on this page, because a stage of it failed; `conservatory status` says which", "")
        )
    return [
        {"dataset": name, "sentence": sentence, "mark": lineage.mark(path) if path else None}
        for name, sentence, path in found
    ]


def _strangeness(state: State, ood: dict) -> dict[str, float]:
    """Tagger -> AUROC by distance to the k-th nearest training clip, of all clips from outside."""
    target = next(iter(ood.get("targets", {}).values()), {})  # nearness knows no target
    told = {name: target[name].get("all") for name in tagger_names(state) if name in target}
    return {
        name: record["detection"]["knn"]["auroc"] for name, record in told.items() if record and record["detection"]
    }
