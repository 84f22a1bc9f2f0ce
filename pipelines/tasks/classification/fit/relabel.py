"""Labels of a dataset as classes of a run: which label counts as which class, and which is left out."""

from collections import Counter

import numpy as np

from pipelines.tasks import Run


def mapped(run: Run, labels: np.ndarray) -> np.ndarray:
    """The class of each clip by the option `labels`; "" where the label is left out. A label that the option does not name is its
    own class. Raises `ValueError` for one that the dataset does not have."""
    table, there = run.options["labels"], sorted(set(labels.tolist()) - {""})
    if unknown := [str(name) for name in table if str(name) not in there]:
        raise ValueError(
            f"labels of {run.name}: dataset {run.dataset!r} has no {run.options['target']} {', '.join(unknown)}; it has "
            f"{', '.join(there)}"
        )
    new = {str(name): "" if to is None else str(to) for name, to in table.items()}
    return np.array([new.get(label, label) for label in labels.tolist()], dtype=str)


def check(run: Run, classes: np.ndarray, known: list[str]) -> None:
    """Raise `ValueError` where clips of another dataset have a class that the run was not fitted on, or none is left."""
    counts = Counter(classes.tolist())
    if unknown := sorted(set(counts) - set(known)):
        found = ", ".join(f"{name} ({counts[name]} clips)" for name in unknown)
        raise ValueError(
            f"dataset {run.dataset!r} has the {run.options['target']} {found}, and {run.fitted_by} was fitted on "
            f"{', '.join(known)}: under `labels` of {run.name} say which of them each is, or null to leave it out"
        )
    if not counts:
        raise ValueError(f"dataset {run.dataset!r} has no clips with a {run.options['target']} for {run.name} to score")
