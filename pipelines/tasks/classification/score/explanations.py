"""What a page tells of a run beyond its scores and confusions: its learning curve, what it listens to, and clips to hear."""

from pipelines.tasks.classification.fit import cross_validation, curve, labelled, model_file
from pipelines.tasks.classification.score import confusion_examples, folds, importances


def of(run, found: list[dict], pairs: list[dict], classes: list[str]) -> dict:
    """`learning_curve`, `importances`, `heard`, as their files say; found: the columns of each training. Of a network, and of a
    test on another dataset, only what can be heard."""
    data = labelled.read(run)
    to_hear = {"dataset": run.dataset, "heard": confusion_examples.of(found[0], pairs, classes, data)}
    if labelled.is_deep(run) or run.fitted_by:
        return {"learning_curve": [], "importances": []} | to_hear
    seed, folder = run.trainings[0]
    predicted = [columns["predicted"] for columns in found]
    if cross_validation.is_folded(run):
        predict = folds.predictor(run, folder, data)
    else:
        predict = model_file.load(folder / "model.skops").predict
    return {
        "learning_curve": curve.scores(run, data, predicted),
        "importances": importances.of(run, data, predict, seed),
    } | to_hear
