"""Fit a classic model for each label against the rest, also called binary relevance, and choose a threshold for each."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from pipelines.core.files import write_json
from pipelines.metrics import multilabel as scores
from pipelines.metrics import tagging
from pipelines.tasks import Run
from pipelines.tasks.classification.fit import answers, choice, model_file, multilabel, search


def fit(run: Run, seed: int, folder) -> dict:
    """Writes model.skops, and config.json: labels (`classes`), their thresholds and shares of the training clips (`priors`),
    hyperparameters, validation scores of all that were tried, temperature.

    Hyperparameters are those with the best mean average precision on validation, which needs no threshold. Raises `ValueError`
    for an option that is of one label.
    """
    multilabel.check(run.options)
    data = multilabel.read(run)
    numbers = replace(data, classes=data.classes.astype(int))
    before, sides = choice.prepared(run, numbers, data.of("train"), data.of("validation"), seed)
    module, candidates = choice.candidates(run, len(sides.classes), len(sides.held_classes), seed)
    each = SimpleNamespace(create=partial(_against_rest, module.create))
    with choice.named(run, candidates):
        model, number, found = search.best(each, candidates, sides, seed, _decisions, _map)
    chosen, n_features = candidates[number], sides.values.shape[1]
    temperature = answers.calibrated(model, sides.held, sides.held_classes)
    model_file.save(Pipeline([*before.steps, ("model", model)]), folder / "model.skops")
    limits = np.full(len(data.labels), scores.HALF)
    if len(sides.held):
        limits = scores.thresholds(sides.held_classes > 0, prepared_probabilities(model, sides.held, temperature))
    config = {"classes": data.labels, "parameters": chosen, "temperature": temperature, "thresholds": limits.tolist()}
    config |= {"priors": sides.classes.mean(axis=0).tolist(), "features": n_features}
    tried = [{"validation_map": value, **one} for value, one in zip(found, candidates, strict=True)]
    write_json(folder / "config.json", config | {"tried": tried})
    figures = {"clips": len(sides.classes), "classes": len(data.labels), "features": n_features} | chosen
    figures |= {} if found[number] is None else {"validation mAP": round(found[number], 4)}
    return figures | multilabel.without_label(run, data)


def probabilities(pipeline: Pipeline, values: np.ndarray, temperature: float) -> np.ndarray:
    """`(clips, labels)` of values as the run's input has them."""
    return prepared_probabilities(pipeline[-1], pipeline[:-1].transform(values), temperature)


def prepared_probabilities(model, values: np.ndarray, temperature: float) -> np.ndarray:
    """`(clips, labels)` of values as the fitted steps before `model` give them."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(values)
    return answers.two_classes(model.decision_function(values), temperature)


def _decisions(model, values: np.ndarray) -> np.ndarray:
    return model.predict_proba(values) if hasattr(model, "predict_proba") else model.decision_function(values)


def _map(truth: np.ndarray, found: np.ndarray) -> float:
    """Mean average precision; 0 where validation has no label that some of its clips have and others have not."""
    return float(np.nan_to_num(scores.macro(tagging.pr_auc, truth > 0, found)))


def _against_rest(create, seed: int, **parameters) -> OneVsRestClassifier:
    return OneVsRestClassifier(create(seed, **parameters))
