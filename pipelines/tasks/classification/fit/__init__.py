"""Fit scaling, selection and model on the training clips, with the hyperparameters that are best on the validation clips."""

from sklearn.pipeline import Pipeline

from pipelines.core.files import write_json
from pipelines.tasks.classification.fit import (
    answers,
    choice,
    cross_validation,
    curve,
    labelled,
    model_file,
    multilabel,
    one_vs_rest,
    search,
)


def fit(run, seed, folder):
    """Writes model.skops, and config.json: classes, hyperparameters, validation scores of all that were tried, temperature; with
    the option `learning_curve` also a model of each share. `split: grouped_folds`: what `cross_validation.fit` writes. Of a
    network, what `deep.fit` writes."""
    if multilabel.is_multi_label(run) and not labelled.is_deep(run):
        return one_vs_rest.fit(run, seed, folder)
    if labelled.is_deep(run):
        if run.options["learning_curve"]:
            raise ValueError("learning_curve is for classic models: a network would be trained once for each share")
        from pipelines.tasks.classification.fit import deep  # imports torch

        return deep.fit(run, seed, folder)
    if cross_validation.is_folded(run):
        return cross_validation.fit(run, seed, folder)
    data = labelled.read(run)
    before, sides = choice.prepared(run, data, data.of("train"), data.of("validation"), seed)
    module, candidates = choice.candidates(run, len(sides.classes), len(sides.held_classes), seed)
    with choice.named(run, candidates):
        model, chosen, scores = search.best(module, candidates, sides, seed)
    temperature = answers.calibrated(model, sides.held, sides.held_classes)
    model_file.save(Pipeline([*before.steps, ("model", model)]), folder / "model.skops")
    curve.fit(run, data, candidates[chosen], seed, folder)
    tried = [{"validation_macro_f1": f1, **one} for f1, one in zip(scores, candidates, strict=True)]
    config = {"classes": model.classes_.tolist(), "parameters": candidates[chosen], "temperature": temperature}
    write_json(folder / "config.json", config | {"tried": tried, "features": model.n_features_in_})
    figures = {"clips": len(sides.classes), "classes": len(model.classes_), "features": model.n_features_in_}
    figures |= candidates[chosen]
    figures |= {} if scores[chosen] is None else {"validation macro F1": round(scores[chosen], 4)}
    return figures | labelled.without_label(run, data)
