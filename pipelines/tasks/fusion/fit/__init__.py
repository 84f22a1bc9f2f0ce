"""Fit the fusion on the answers to validation clips."""

from pipelines.core.files import write_json
from pipelines.metrics.single_label import macro_f1
from pipelines.tasks import part
from pipelines.tasks.fusion.fit import run_answers


def fit(run, seed, folder):
    """Writes config.json: classes, their shares of the training clips, the runs, and what the model has fitted."""
    answers = run_answers.read(run, seed - run.shared["seed"], "validation")
    module = part(run.task, f"models.{run.model}")
    parameters = module.fit(answers)
    config = {"classes": answers.classes.tolist(), "priors": answers.priors.tolist(), "runs": answers.names}
    write_json(folder / "config.json", config | {"parameters": parameters})
    figures = {"runs": len(answers.names), "validation clips": len(answers.units)}
    if not len(answers.units):
        return figures
    predicted = answers.classes[module.fuse(answers.probabilities, parameters).argmax(axis=1)]
    # of stacking this is the score on the clips it was fitted on
    return figures | {"macro F1 on these clips": round(macro_f1(answers.actual, predicted), 4)}
