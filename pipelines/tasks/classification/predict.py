"""Probabilities of the classes for files that are in no dataset."""

import numpy as np

from pipelines import novelty
from pipelines.core.files import read_json
from pipelines.tasks import inputs
from pipelines.tasks.classification.fit import answers, labelled, model_file, multilabel, one_vs_rest


def predict(run, folder, new, clip_ids):
    """Of each clip: `predicted` (of several labels a list), `probabilities` of all classes, and, except by a network,
    `outside_training_music`."""
    config = read_json(folder / "config.json")
    classes = config["classes"]
    found, outside = (_by_network if labelled.is_deep(run) else _by_pipeline)(run, folder, new, clip_ids)
    return [
        {
            "predicted": _predicted(row, config),
            "probabilities": {name: round(float(p), 6) for name, p in zip(classes, row, strict=True)},
            **({} if outside is None else {"outside_training_music": bool(outside[n])}),
        }
        for n, row in enumerate(found)
    ]


def _predicted(row, config):
    """The likeliest class, or the labels whose probability is at least their threshold."""
    if "thresholds" not in config:
        return config["classes"][row.argmax()]
    return [name for name, p, limit in zip(config["classes"], row, config["thresholds"], strict=True) if p >= limit]


def _by_network(run, folder, new, clip_ids):
    from pipelines.tasks.classification.fit import deep  # imports torch

    return deep.probabilities(run, folder, np.array(clip_ids), new), None


def _by_pipeline(run, folder, new, clip_ids):
    pipeline = model_file.load(folder / "model.skops")
    if labelled.reads_sequences(run):
        values = labelled.sequences(run, new, clip_ids)
        found = answers.probabilities(pipeline[-1], values, read_json(folder / "config.json")["temperature"])
        return found, None
    values, wanted = inputs.new_vectors(new, clip_ids), pipeline.n_features_in_
    if values.shape[1] != wanted:
        raise ValueError(
            f"run {run.name!r} was fitted on vectors of {wanted} values, and {run.input} now has {values.shape[1]}: "
            f"`conservatory run {run.name}` fits it again"
        )
    prepared = pipeline[:-1].transform(values)
    of = one_vs_rest.prepared_probabilities if multilabel.is_multi_label(run) else answers.probabilities
    found = of(pipeline[-1], prepared, read_json(folder / "config.json")["temperature"])
    return found, _outside(run, pipeline, prepared)


def line(answer, top):
    """ "reed 0.81, brass 0.12": the likeliest classes, of equal ones the first."""
    likeliest = sorted(answer["probabilities"].items(), key=lambda each: -each[1])[:top]
    return ", ".join(f"{name} {p:.2f}" for name, p in likeliest)


def _outside(run, pipeline, prepared):
    """Whether each clip lies outside the training clips, in the space the model sees. None where the dataset is not here."""
    try:
        data = (multilabel if multilabel.is_multi_label(run) else labelled).read(run)
    except (OSError, ValueError):
        return None
    values, train = pipeline[:-1].transform(data.values), data.of("train")
    if not len(train):  # cross-validation: the model was fitted on all clips, and none is held out
        return None
    numbers = np.zeros(len(train), int)  # of several labels: one cloud
    if not multilabel.is_multi_label(run):
        numbers = np.unique(data.classes[train], return_inverse=True)[1]
    held_out = np.setdiff1d(np.arange(len(values)), train)
    is_outside = novelty.outside(values[train], numbers, values[held_out])
    return is_outside and is_outside(prepared)
