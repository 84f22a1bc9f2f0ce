"""Fit a classic model for each label against the rest, also called binary relevance, and choose a threshold for each."""

import numpy as np
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from pipelines.core.files import write_json
from pipelines.metrics import multilabel as scores
from pipelines.metrics import tagging
from pipelines.tasks import Run, part
from pipelines.tasks.classification.fit import answers, grid, model_file, multilabel, preparation

LABELLED_SELECTIONS = ("mutual_information", "l1")


def fit(run: Run, seed: int, folder) -> dict:
    """Writes model.skops, and config.json: labels (`classes`), their thresholds and shares of the training clips (`priors`),
    hyperparameters, validation scores of all that were tried, temperature.

    Hyperparameters are those with the best mean average precision on validation, which needs no threshold. Raises `ValueError`
    for an option that is of one label.
    """
    data, options = multilabel.read(run), run.options
    _check(options)
    module = part(run.task, f"models.{run.model}")
    rows, held = data.of("train"), data.of("validation")
    truth, held_truth = data.classes[rows], data.classes[held]
    before = preparation.steps(options, data.names).fit(data.values[rows])
    values, there = before.transform(data.values[rows]), before.transform(data.values[held]) if len(held) else None
    tried, best = [], None
    candidates = grid.choices(module.GRID | options["parameters"], len(held))
    grid.check(module, candidates, len(rows))
    for choice in candidates:
        model = _fitted(module, seed, choice, values, truth, run.model)
        found = _validation(model, there, held_truth) if len(held) else None
        tried.append({"validation_map": found, **choice})
        if best is None or found > best[0]:  # of equal ones the first
            best = found, choice, model
    found, chosen, model = best
    temperature = _temperature(model, there, held_truth) if len(held) else 1.0
    model_file.save(Pipeline([*before.steps, ("model", model)]), folder / "model.skops")
    limits = np.full(len(data.labels), scores.HALF)
    if len(held):
        limits = scores.thresholds(held_truth, prepared_probabilities(model, there, temperature))
    config = {"classes": data.labels, "parameters": chosen, "temperature": temperature, "thresholds": limits.tolist()}
    config |= {"priors": truth.mean(axis=0).tolist(), "tried": tried, "features": int(values.shape[1])}
    write_json(folder / "config.json", config)
    figures = {"clips": len(rows), "classes": len(data.labels), "features": int(values.shape[1])} | chosen
    figures |= {} if found is None else {"validation mAP": round(found, 4)}
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


def _validation(model, values: np.ndarray, truth: np.ndarray) -> float:
    """Mean average precision; 0 where validation has no label that some of its clips have and others have not."""
    return float(np.nan_to_num(scores.macro(tagging.pr_auc, truth, _decisions(model, values))))


def _temperature(model, values: np.ndarray, truth: np.ndarray) -> float:
    """Of all labels' decisions together, by the validation clips. 1.0 for a model that has probabilities."""
    if hasattr(model, "predict_proba"):
        return 1.0
    found = model.decision_function(values).ravel()
    return answers.temperature(np.stack([-found, found], axis=1), truth.ravel().astype(int))


def _fitted(module, seed: int, choice: dict, values: np.ndarray, truth: np.ndarray, name: str) -> OneVsRestClassifier:
    try:
        return OneVsRestClassifier(module.create(seed, **choice)).fit(values, truth.astype(int))
    except TypeError as error:
        raise ValueError(f"model {name} with {choice or 'no parameters'}: {error}") from error


def _check(options: dict) -> None:
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
