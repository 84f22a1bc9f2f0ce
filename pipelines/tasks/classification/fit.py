"""Fit scaling, selection and model on the training clips, with the hyperparameters that are best on the validation clips."""

import numpy as np
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline

from pipelines.core.files import write_json
from pipelines.tasks import part
from pipelines.tasks.classification import answers, grid, kept, labelled, multilabel, one_vs_rest, preparation


def fit(run, seed, folder):
    """Writes model.skops, and config.json: classes, hyperparameters, validation scores of all that were tried, temperature. Of a
    network, what `deep.fit` writes."""
    if multilabel.is_multi_label(run):
        return one_vs_rest.fit(run, seed, folder)
    if labelled.is_deep(run):
        from pipelines.tasks.classification import deep  # imports torch

        return deep.fit(run, seed, folder)
    data, options = labelled.read(run), run.options
    module = part(run.task, f"models.{run.model}")
    rows = preparation.training_rows(data.of("train"), data.classes, options["imbalance"], seed)
    classes, weights = data.classes[rows], preparation.weights(data.classes[rows], options["imbalance"])
    # fitted once: preparation does not depend on the model's hyperparameters
    before = preparation.steps(options, data.names).fit(data.values[rows], classes)
    values, held = before.transform(data.values[rows]), data.of("validation")
    there = before.transform(data.values[held]) if len(held) else values[:0]
    tried, best = [], None
    for choice in grid.choices(module.GRID | options["parameters"], len(held)):
        model = _fitted(module, seed, choice, values, classes, weights, run.model)
        f1 = f1_score(data.classes[held], model.predict(there), average="macro") if len(held) else None
        tried.append({"validation_macro_f1": f1, **choice})
        if best is None or f1 > best[0]:  # of equal ones the first
            best = f1, choice, model
    f1, chosen, model = best
    temperature = _temperature(model, there, data.classes[held])
    kept.save(Pipeline([*before.steps, ("model", model)]), folder / "model.skops")
    config = {"classes": model.classes_.tolist(), "parameters": chosen, "temperature": temperature}
    write_json(folder / "config.json", config | {"tried": tried, "features": int(values.shape[1])})
    figures = {"clips": len(rows), "classes": len(model.classes_), "features": int(values.shape[1])} | chosen
    return figures | ({} if f1 is None else {"validation macro F1": round(f1, 4)})


def _fitted(module, seed, choice, values, classes, weights, name):
    try:
        model = module.create(seed, **choice)
        return model.fit(values, classes) if weights is None else model.fit(values, classes, sample_weight=weights)
    except TypeError as error:
        raise ValueError(f"model {name} with {choice or 'no parameters'}: {error}") from error


def _temperature(model, values: np.ndarray, classes: np.ndarray) -> float:
    """Of the softmax of a model's scores, by the validation clips. 1.0 for a model that has probabilities."""
    known = np.isin(classes, model.classes_)
    if hasattr(model, "predict_proba"):
        return 1.0
    return answers.temperature(answers.decisions(model, values[known]), np.searchsorted(model.classes_, classes[known]))
