"""The clips of a run with several labels each: their vectors, a column a label, and their sides.

`target: tags` makes a run multi-label: the manifest's column `tags` has the labels of a clip. All else is as in `labelled.py`.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.core.files import read_json
from pipelines.tasks import Run, inputs
from pipelines.tasks.classification.fit import labelled, relabel

TARGET = "tags"
LABELLED_SELECTIONS = ("mutual_information", "l1")


@dataclass(frozen=True)
class MultiLabelled(labelled.Labelled):
    """classes: `(clips, labels)` bool, which labels each clip has. labels: in the order of the columns."""

    labels: list[str]


def is_multi_label(run: Run) -> bool:
    """Has a clip of the run several labels?"""
    return run.options["target"] == TARGET


def read(run: Run) -> MultiLabelled:
    """Raises `ValueError` where clips have no label and `untagged` does not say what they are, a side has no clips, a label has
    test clips and no training clip or all training clips, or fewer than two labels are left.

    In a cross test (`run.fitted_by`) the labels are the fitted run's, and the other dataset's test clips, or all where it has no
    split, are the side `test`.
    """
    if run.options["split"] == labelled.FOLDS:
        raise ValueError(f"`split: {labelled.FOLDS}` is of one label a clip, and a clip of `target: tags` has several")
    if labelled.reads_sequences(run):
        raise ValueError(f"model {run.model} takes one label a clip, and a clip of `target: tags` has several")
    clips, values, names = labelled.vectors(run)
    everything = inputs.manifest(run)
    tagged = everything["tags"].map(len).to_numpy() > 0
    _check_untagged(run, clips[~labelled.of_clips(clips, everything, tagged)])
    own = _mapped(run, everything)
    known, of_all = tagged | (run.options["untagged"] == "keep"), _labels(own)
    rows, drawn = labelled.placed(run, clips, everything, known, _rarest(_columns(own, of_all), of_all))
    clips, values = clips.iloc[rows].reset_index(drop=True), values[rows]
    own = labelled.of_clips(clips, everything, np.array(own, dtype=object)).tolist()
    labels = _labels(own)
    if run.fitted_by:
        there, labels = labels, read_json(run.trainings[0][1] / "config.json")["classes"]
        relabel.check(run, np.array(there, dtype=str), labels)
    found = MultiLabelled(clips, values, _columns(own, labels), drawn, names, labels)
    return found if run.fitted_by else _learnable(run, found)


def without_label(run: Run, data: MultiLabelled) -> dict[str, str]:
    """`labelled.left_out` of a run with several labels a clip."""
    own = inputs.manifest(run)["tags"].map(len).to_numpy() > 0
    return labelled.left_out(run, data.clips, own | (run.options["untagged"] == "keep"))


def check(options: dict) -> None:
    """Raise `ValueError` for an option that is of one label a clip."""
    if options["learning_curve"]:
        raise ValueError("learning_curve is of one label, and a clip of `target: tags` has several: leave it out")
    if options["selection"] in LABELLED_SELECTIONS:
        raise ValueError(
            f"selection {options['selection']} is by one label, and a clip of `target: tags` has several: use variance"
        )
    if options["imbalance"] != "none":
        raise ValueError(
            f"imbalance {options['imbalance']} is of one label, and a clip of `target: tags` has several: leave it out; "
            "thresholds are chosen for each label"
        )


def _mapped(run: Run, clips: pd.DataFrame) -> list[set[str]]:
    """The labels of each clip by the option `labels`."""
    own = clips["tags"].tolist()
    flat = relabel.mapped(run, np.array([label for each in own for label in each], dtype=str)).tolist()
    ends = np.cumsum([len(each) for each in own]).tolist()
    return [set(flat[end - len(each) : end]) - {""} for each, end in zip(own, ends, strict=True)]


def _labels(own: list[set[str]]) -> list[str]:
    return sorted({label for each in own for label in each})


def _columns(own: list[set[str]], labels: list[str]) -> np.ndarray:
    return np.array([[label in each for label in labels] for each in own], dtype=bool).reshape(len(own), len(labels))


def _rarest(truth: np.ndarray, labels: list[str]) -> np.ndarray:
    """The rarest label of each clip, by which a split is stratified; "" of a clip without labels."""
    counts = np.where(truth, truth.sum(axis=0), len(truth) + 1)
    return np.where(truth.any(axis=1), np.array([*labels, ""], dtype=str)[counts.argmin(axis=1)], "")


def _check_untagged(run: Run, clips: pd.DataFrame) -> None:
    if len(clips) and run.options["untagged"] == "refuse":
        some = ", ".join(f"{row.clip_id} ({row.title})" for row in clips.head(3).itertuples())
        raise ValueError(
            f"{len(clips)} clips of dataset {run.dataset!r} have no label, for instance {some}: label them, or say "
            "`untagged: keep` where they have none of the labels, `untagged: leave_out` where their labels are not known"
        )


def _learnable(run: Run, found: MultiLabelled) -> MultiLabelled:
    """Without the labels that neither training nor test clips have."""
    train, test = found.of("train"), found.of("test")
    if missing := [side for side, rows in (("train", train), ("test", test)) if not len(rows)]:
        raise ValueError(
            f"dataset {run.dataset!r} has no {' and no '.join(missing)} clips with labels: `split: grouped` draws a split"
        )
    trained, tested = found.classes[train].sum(axis=0), found.classes[test].sum(axis=0)
    counts = Counter(dict(zip(found.labels, tested.tolist(), strict=True)))
    unknown = [name for name, n in zip(found.labels, trained, strict=True) if not n and counts[name]]
    constant = [name for name, n in zip(found.labels, trained, strict=True) if n == len(train)]
    advice = f"leave them out with null under `labels` of {run.name}"
    if unknown:
        listed = ", ".join(f"{name!r} ({counts[name]} clips)" for name in unknown[:5])
        raise ValueError(f"{len(unknown)} labels have test clips but no training clip: {listed}; {advice}")
    if constant:
        raise ValueError(
            f"{len(constant)} labels belong to every training clip, so that nothing tells them: "
            f"{', '.join(map(repr, constant[:5]))}; {advice}"
        )
    kept = np.flatnonzero(trained > 0)
    if len(kept) < 2:
        raise ValueError(f"run {run.name} has {len(kept)} labels to learn; at least two are needed")
    labels = [found.labels[place] for place in kept]
    return MultiLabelled(found.clips, found.values, found.classes[:, kept], found.sides, found.names, labels)
