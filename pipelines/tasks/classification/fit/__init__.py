"""Fit scaling, selection and model on the training clips, with the hyperparameters that are best on the validation clips."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from pipelines.core.files import write_json
from pipelines.tasks import part
from pipelines.tasks.classification.fit import (
    answers,
    curve,
    grid,
    labelled,
    model_file,
    multilabel,
    one_vs_rest,
    preparation,
    search,
)


def fit(run, seed, folder):
    """Writes model.skops, and config.json: classes, hyperparameters, validation scores of all that were tried, temperature; with
    the option `learning_curve` also a model of each share. Of a network, what `deep.fit` writes."""
    if multilabel.is_multi_label(run):
        return one_vs_rest.fit(run, seed, folder)
    if labelled.is_deep(run):
        if run.options["learning_curve"]:
            raise ValueError("learning_curve is for classic models: a network would be trained once for each share")
        from pipelines.tasks.classification.fit import deep  # imports torch

        return deep.fit(run, seed, folder)
    data = labelled.read(run)
    pipeline, candidates, scores, chosen = choose(run, data, seed)
    model, held = pipeline[-1], data.of("validation")
    there = pipeline[:-1].transform(data.values[held]) if len(held) else np.zeros((0, model.n_features_in_))
    temperature = _temperature(model, there, data.classes[held])
    model_file.save(pipeline, folder / "model.skops")
    curve.fit(run, data, candidates[chosen], seed, folder)
    tried = [{"validation_macro_f1": f1, **one} for f1, one in zip(scores, candidates, strict=True)]
    config = {"classes": model.classes_.tolist(), "parameters": candidates[chosen], "temperature": temperature}
    write_json(folder / "config.json", config | {"tried": tried, "features": model.n_features_in_})
    rows = preparation.training_rows(data.of("train"), data.classes, run.options["imbalance"], seed)
    figures = {"clips": len(rows), "classes": len(model.classes_), "features": model.n_features_in_} | candidates[
        chosen
    ]
    figures |= {} if scores[chosen] is None else {"validation macro F1": round(scores[chosen], 4)}
    return figures | labelled.without_label(run, data)


def choose(run, data, seed):
    """(the fitted pipeline, all candidates, macro F1 on validation of each, number of the best)."""
    options, module, held = run.options, part(run.task, f"models.{run.model}"), data.of("validation")
    rows = preparation.training_rows(data.of("train"), data.classes, options["imbalance"], seed)
    classes, weights = data.classes[rows], preparation.weights(data.classes[rows], options["imbalance"])
    # fitted once: preparation does not depend on the model's hyperparameters
    before = preparation.steps(options, data.names).fit(data.values[rows], classes)
    values = before.transform(data.values[rows])
    there = before.transform(data.values[held]) if len(held) else values[:0]
    sides = search.Sides(values, classes, weights, there, data.classes[held])
    candidates = grid.choices(module.GRID | options["parameters"], len(held))
    grid.check(module, candidates, len(rows))
    if weights is not None and not has_fit_parameter(module.create(seed), "sample_weight"):
        raise ValueError(
            f"model {run.model} takes no class weights: use `imbalance: subsampling`, or none, or another model"
        )
    try:
        model, chosen, scores = search.best(module, candidates, sides, seed)
    except TypeError as error:
        raise ValueError(f"model {run.model} with {candidates[0] or 'no parameters'}: {error}") from error
    return Pipeline([*before.steps, ("model", model)]), candidates, scores, chosen


def _temperature(model, values: np.ndarray, classes: np.ndarray) -> float:
    """Of the softmax of a model's scores, by the validation clips. 1.0 for a model that has probabilities."""
    known = np.isin(classes, model.classes_)
    if hasattr(model, "predict_proba"):
        return 1.0
    return answers.temperature(answers.decisions(model, values[known]), np.searchsorted(model.classes_, classes[known]))
