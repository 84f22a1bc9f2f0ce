"""Fit a run's model on the pieces of the training side; its threshold is the best on the validation pairs."""

from pipelines.core.files import write_json
from pipelines.tasks import part
from pipelines.tasks.continuation.fit import curves, pairs, windows


def fit(run, seed, folder):
    """Writes what the model writes, and config.json: `threshold`, from which score on a pair is called a continuation, the
    mean ROC-AUC of the validation pairs, and the model's figures."""
    module, data = part(run.task, f"models.{run.model}"), windows.read(run)
    validation = pairs.of_side(run, data, "validation")
    figures = module.fit(data.of("train"), validation, run.options, seed, folder)
    score = module.load(folder, run.options)(*validation.grids())
    told = {f"pieces that {why}, left out": n for why, n in data.left_out.items()}
    found = {"threshold": curves.threshold(validation.kind, score)}
    found["validation ROC-AUC"] = round(curves.mean_roc_auc(validation.kind, score), 4)
    write_json(folder / "config.json", {"model": run.model, "options": dict(run.options)} | found | figures)
    return {name: value for name, value in (told | figures | found).items() if name != "curve"}
