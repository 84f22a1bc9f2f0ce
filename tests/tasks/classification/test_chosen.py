"""The guards of how a model was chosen, of majorities, and of recordings on two sides: each fires on its mistake alone."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import labelled_clips
import numpy as np
import pandas as pd
import pytest

from pipelines.core import params, paths, shards
from pipelines.core.files import read_json
from pipelines.core.pcm import INDEX, to_int16
from pipelines.core.tables import write_table
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import labelled, model_file
from pipelines.tasks.classification.score import recordings, selection_guard

LENGTH = 4000


@pytest.fixture
def fitted(in_tmp):
    labelled_clips.write(spread=1.6)
    run = labelled_clips.run("knn", parameters={"n_neighbors": [1, 5, 60], "weights": "uniform"})
    folder = run.trainings[0][1]
    fit.fit(run, 2026, folder)
    return labelled.read(run), model_file.load(folder / "model.skops"), read_json(folder / "config.json")


def test_hyperparameters_chosen_on_test_clips(fitted):
    data, pipeline, config = fitted
    assert selection_guard.on_validation(data, pipeline, config)[0] is True
    swapped = {"validation": "test", "test": "validation"}
    other = labelled.Labelled(
        data.clips, data.values, data.classes, np.array([swapped.get(one, one) for one in data.sides]), data.names
    )
    found, sentence = selection_guard.on_validation(other, pipeline, config)
    assert found is False and "the saved model has" in sentence, "its stated scores are those of the test clips"
    worse = min(config["tried"], key=lambda one: one["validation_macro_f1"])
    not_best = config | {"parameters": {key: worse[key] for key in config["parameters"]}}
    assert selection_guard.on_validation(data, pipeline, not_best)[0] is False
    assert selection_guard.on_validation(data, pipeline, config | {"tried": config["tried"][:1]})[0] is True
    assert selection_guard.on_validation(data, None, {})[0] is None


def test_an_answer_of_a_class_that_validation_lacks():
    """Two of brass right, one reed right and one `vocal`: (1 + 2/3) / 2, over the classes that the clips have."""
    classes = np.array(["brass", "brass", "reed", "reed"])
    data = labelled.Labelled(pd.DataFrame(), np.zeros((4, 1)), classes, np.array(["validation"] * 4), [])
    says = SimpleNamespace(predict=lambda values: np.array(["brass", "brass", "reed", "vocal"]))
    tried = [{"validation_macro_f1": 5 / 6, "C": 1.0}, {"validation_macro_f1": 11 / 15, "C": 2.0}]
    found, sentence = selection_guard.on_validation(data, says, {"parameters": {"C": 1.0}, "tried": tried})
    assert found is True and "the saved model has 0.833" in sentence


def test_a_model_that_says_the_majority(in_tmp):
    labelled_clips.write()
    run = labelled_clips.run("knn", parameters={"n_neighbors": 3, "weights": "uniform"})
    fit.fit(run, 2026, run.trainings[0][1])
    found, trivial = score.predict(run, run.trainings[0][1]), score.baseline(run)
    found = {key: np.concatenate([value] * 2) for key, value in found.items()}
    trivial = {key: np.concatenate([value] * 2) for key, value in trivial.items()}
    found["group"] = np.array([f"g{n // 5}" for n in range(len(found["unit"]))])
    passed, sentence = selection_guard.above_majority(found, trivial, run.shared)
    assert passed is True and "0.333 of the most frequent class; gain 95%" in sentence
    assert selection_guard.above_majority(trivial | {"group": found["group"]}, trivial, run.shared)[0] is False
    assert selection_guard.above_majority(found | {"group": np.array(["a"] * 30)}, trivial, run.shared)[0] is None


@pytest.fixture
def sounds(in_tmp):
    """(run, data, write): writes the clips' sound, noise of its own for each."""
    labelled_clips.write()
    params.PARAMS.write_text(json.dumps({"audio": {"sample_rate": 16_000}}))
    run = labelled_clips.run("knn")
    data, folder = labelled.read(run), paths.audio("made")
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, (len(data.clips), LENGTH))

    def write(change=lambda samples: None):
        change(samples)
        np.save(shards.shard_path(folder, 0), to_int16(samples.astype(np.float32)).ravel())
        columns = {"clip_id": data.clips["clip_id"], "shard": 0, "offset": np.arange(len(samples)) * LENGTH}
        index = pd.DataFrame(columns).assign(length=LENGTH, peak=0.5, clipped=0, sha256="x").astype({"shard": "int32"})
        write_table(index, folder / "index.parquet", INDEX)

    return run, data, write


def test_the_same_recording_at_another_level(sounds):
    run, data, write = sounds
    write()
    assert recordings.check(run, data, 1)[0] is True
    train, test = data.of("train"), data.of("test")

    def share(samples):
        noise = np.random.default_rng(1).normal(0, 1e-4, (5, LENGTH))
        samples[test[:5]] = -0.3 * samples[train[:5]] + noise

    write(share)
    found, sentence = recordings.check(run, data, 1)
    assert found is False and sentence.startswith("5 of 15 test clips")


def test_recordings_without_audio(sounds):
    run, data, write = sounds
    assert recordings.check(run, data, 1)[0] is None
    write()
    strange = data.clips.assign(clip_id="0")
    assert recordings.check(run, labelled.Labelled(strange, *list(vars(data).values())[1:]), 1)[0] is None


@pytest.mark.parametrize(
    ("folder", "compared"), [("features", True), ("embeddings", True), ("views", False), ("combined", False)]
)
def test_recordings_are_compared_only_where_the_input_is_made_from_them(sounds, folder, compared):
    """Nothing orders the audio before the score of a run that reads words or notes."""
    run, data, write = sounds
    write()
    found, said = recordings.check(replace(run, input=Path("data") / folder / "made/notes"), data, 1)
    assert found is (True if compared else None) and ("views" in said) == (folder == "views")


def test_silence_is_no_recording():
    """Clips of zeros have no direction: their correlation is 0."""
    blank = np.zeros((3, 8), np.float32)
    assert recordings.verdict(blank, [blank])[0] is True
