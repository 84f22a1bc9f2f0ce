"""Was the model chosen on validation clips, and is it any better than saying the most frequent class?"""

import numpy as np
from sklearn.pipeline import Pipeline

from pipelines.metrics.intervals import FEWEST, by_group, percentiles, resampled
from pipelines.metrics.single_label import macro_f1
from pipelines.tasks import Run
from pipelines.tasks.classification.fit import cross_validation
from pipelines.tasks.classification.fit.labelled import Labelled

NEAR = 0.02
"""By how much the stated macro F1 may differ from that of the saved model: a shared kernel rounds otherwise near a tie."""


def on_validation(data: Labelled, pipeline: Pipeline | None, config: dict) -> tuple[bool | None, str]:
    """Are the stated validation scores those of the validation clips, and has the chosen candidate the best? pipeline: None of a
    network. config: of the fit."""
    if pipeline is None:
        return None, "not computed for networks"
    tried, held = config["tried"], data.of("validation")
    if len(tried) < 2:
        return True, "there was one candidate: nothing was chosen"
    if not len(held):
        return False, f"one of {len(tried)} candidates was chosen, and there are no validation clips"
    stated = next(one["validation_macro_f1"] for one in tried if {**one, **config["parameters"]} == one)
    found = macro_f1(data.classes[held], pipeline.predict(data.values[held]))
    best = max(one["validation_macro_f1"] for one in tried)
    return bool(stated == best and abs(found - stated) <= NEAR), (
        f"of {len(tried)} candidates the chosen one has {stated:.3f}, the best {best:.3f}; the saved model has {found:.3f} on "
        "the validation clips"
    )


def on_inner_folds(run: Run, data: Labelled, config: dict, seed: int) -> tuple[bool | None, str]:
    """The same of a fold's model, chosen by the inner folds of its training clips: they are computed again with the chosen
    candidate. data: of the fold. config: of its fit."""
    tried = config["tried"]
    if len(tried) < 2:
        return True, "there was one candidate: nothing was chosen"
    stated = next(one["validation_macro_f1"] for one in tried if {**one, **config["parameters"]} == one)
    best = max(one["validation_macro_f1"] for one in tried)
    (found,) = cross_validation.inner_scores(run, data, [config["parameters"]], seed)
    return bool(stated == best and abs(found - stated) <= NEAR), (
        f"of {len(tried)} candidates the chosen one has {stated:.3f} on inner folds of the training clips, the best {best:.3f}; "
        f"computed again it has {found:.3f}"
    )


def above_majority(columns: dict, trivial: dict, shared: dict) -> tuple[bool | None, str]:
    """Is the accuracy higher than that of always saying the most frequent class, by an interval over groups? columns, trivial: of
    the run and of its baseline, as `score.predict` gives them."""
    gain = (columns["predicted"] == columns["actual"]) - (trivial["predicted"] == trivial["actual"]).astype(float)
    _, group = np.unique(columns["group"], return_inverse=True)
    mean, n_groups = by_group(lambda rows: gain[rows].mean(), group)
    majority = f"{(trivial['predicted'] == trivial['actual']).mean():.3f} of the most frequent class"
    text = f"accuracy {(columns['predicted'] == columns['actual']).mean():.3f}, {majority}"
    if n_groups < FEWEST:
        return None, f"{text}; too few groups for an interval"
    low, high = percentiles(resampled(mean, n_groups, shared["n_bootstrap"], shared["seed"]))
    return low > 0, f"{text}; gain 95% [{low:.3f}, {high:.3f}]"
