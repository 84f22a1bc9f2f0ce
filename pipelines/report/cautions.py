"""What a reader should know before the first figure: files that could not be used, and music unlike what taggers have heard."""

from pipelines.core import max_quarantined
from pipelines.report.lineage import Lineage
from pipelines.report.state import State, tagger_names

STRANGE = 0.9
"""AUROC from which music is called unlike the training music: its clips lie farther off than held-out ones nine times in ten."""
BETWEEN = 0.65
"""AUROC below which it is called like the training music: near 0.5, the two cannot be told apart."""


def of(state: State, lineage: Lineage) -> list[dict]:
    """`{"dataset", "sentence", "mark"}`, in the recipe's order."""
    found = []
    for name, dataset in state.datasets.items():
        if bad := max_quarantined.faults(dataset.quarantine):
            found.append(
                (
                    name,
                    f"{bad} of {bad + len(dataset.clips)} files could not be used, for the reasons that its page lists",
                    f"data/audio/{name}",
                )
            )
        strange = strangeness(state, dataset.ood) if name != state.settings["training"]["dataset"] else {}
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
            (name, "it is not in this report, because a stage of it failed; `conservatory status` says which", "")
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
        strange = strangeness(state, dataset.ood) if name != state.settings["training"]["dataset"] else {}
        if strange:
            far = max(strange.values())
            how = "unlike" if far >= STRANGE else "in part like" if far >= BETWEEN else "like"
            found.append({"dataset": name, "how": how, "taggers": strange, "source": lineage.mark(f"data/ood/{name}")})
    return found


def strangeness(state: State, ood: dict) -> dict[str, float]:
    """Tagger -> AUROC by distance to the k-th nearest training clip, of all clips from outside."""
    target = next(iter(ood.get("targets", {}).values()), {})  # nearness knows no target
    told = {name: target[name].get("all") for name in tagger_names(state) if name in target}
    return {
        name: record["detection"]["knn"]["auroc"] for name, record in told.items() if record and record["detection"]
    }
