"""Networks: they learn what is planted, from the frames or samples of training clips, with the same bytes each time."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import labelled_clips
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from helpers import some
from sklearn.metrics import f1_score
from torch import nn

from pipelines import tasks
from pipelines.core import paths, shards
from pipelines.core.files import read_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.pcm import to_float
from pipelines.core.tables import read_table, write_table
from pipelines.features import log_mel
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import deep, labelled, mel, objectives

QUICK = {"epochs": 4, "batch_size": 8, "width": 0.25, "learning_rate": 0.01, "patience": 0}


def write(kind: str, n: int = 120):
    """Clips of three classes with a band, or a tone, of their own in noise; as `labelled_clips` has them."""
    table = labelled_clips.write(n=n)
    rng = np.random.default_rng(0)
    folder = paths.features("made", kind)
    rows = []
    with shards.writer(
        shards.shard_path(folder, 0),
        *(("int16", ()) if kind == "waveform" else ("float32", (3 if kind == "note_events" else 16,))),
    ) as put:
        for number, name in enumerate(table["target_family"]):
            place, length = labelled_clips.CLASSES.index(name), 20 + number % 3
            if kind == "waveform":
                time = np.arange(100 * length) / 16_000
                clip = 3_000 * np.sin(2 * np.pi * (400, 1_500, 5_000)[place] * time) + 300 * rng.standard_normal(
                    len(time)
                )
            elif kind == "note_events":
                clip = np.stack(
                    [rng.integers(40 + 20 * place, 60 + 20 * place, length), *rng.random((2, length))], axis=1
                )
            else:
                clip = rng.standard_normal((length, 16)) - 40
                clip[:, 4 * place : 4 * place + 4] += 3
            rows.append(put([clip.astype("int16" if kind == "waveform" else "float32")]))
    index = pd.DataFrame(rows, columns=["offset", "length"]).assign(clip_id=table["clip_id"], shard=0)
    write_table(index.astype({"shard": "int32"}), folder / "index.parquet", shards.INDEX)
    return table


def run(model, kind="log_mel", **parameters):
    made = labelled_clips.run(model, parameters=QUICK | parameters)
    return replace(made, input=paths.features("made", kind))


def test_the_epoch_is_chosen_by_the_reported_metric(monkeypatch):
    """Two of class 0 right, one of class 1 right and one said to be of class 2, which validation lacks: (1 + 2/3) / 2."""
    monkeypatch.setattr(objectives, "logits_of", lambda *given: np.eye(3, dtype=np.float32)[[0, 0, 1, 2]])
    data = {"validation_tags": np.eye(3)[[0, 0, 1, 1]], "clips": None, "validation_ids": []}
    found = objectives.Classifying.evaluate(SimpleNamespace(data=data, tagger=None))
    assert found["validation_macro_f1"] == pytest.approx(5 / 6)


@pytest.mark.parametrize("model", some(("cnn2d", "crnn", "cnn1d", "resnet", "transformer"), "cnn2d"))
def test_a_network_learns_and_its_file_answers_alike(in_tmp, model):
    """Chance is 0.33. The scored clips are of other groups than the training clips."""
    kind = {"cnn1d": "waveform", "transformer": "note_events"}.get(model, "log_mel")
    write(kind)
    one = run(model, kind)
    folder = one.trainings[0][1]
    figures = fit.fit(one, 2026, folder)
    found = score.predict(one, folder)
    assert f1_score(found["actual"], found["predicted"], average="macro") > 0.9, figures
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert figures["clips"] == 90 and figures["validation macro F1"] > 0.7
    # the network itself, on a clip of one chunk
    config, rows = read_json(folder / "config.json"), read_table(one.input / "index.parquet", shards.INDEX)
    network = tasks.part("classification", f"models.{model}").network(
        3, config["features"], config["parameters"]["width"]
    )
    network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    clip = rows[(rows["length"] == config["parameters"]["chunk"]) & rows["clip_id"].isin(found["unit"])].iloc[0]
    frames = np.load(shards.shard_path(one.input, 0))[clip["offset"] : clip["offset"] + clip["length"]]
    frames = to_float(frames) if kind == "waveform" else frames
    with torch.no_grad():
        logits = network.eval().classify(torch.from_numpy(frames)[None])[0][0] / config["temperature"]
    answered = found["probabilities"][found["unit"].tolist().index(clip["clip_id"])]
    np.testing.assert_allclose(answered, torch.softmax(logits, 0), atol=1e-5)
    checks = score.checks(one, [found])
    assert checks["no group on two sides"][0] and checks["preparation saw training clips only"][0]
    assert score.details(one, [found])["parameters"]["epochs"] == 4


def test_a_network_of_frames_computes_them_of_samples():
    """As the feature does, up to its rounding; in power the same without the logarithm."""
    y = 0.1 * np.random.default_rng(1).standard_normal(6_000, np.float32)
    front = mel.OnSamples(nn.Identity(), "decibel").front(torch.from_numpy(y)[None])[0].numpy()
    expected = log_mel.compute(y, 16_000)
    np.testing.assert_allclose(front, expected, atol=0.01)
    power = mel.OnSamples(nn.Identity(), "power").front(torch.from_numpy(y)[None])[0].numpy()
    np.testing.assert_allclose(10 * np.log10(np.maximum(power, 1e-10)), front, atol=1e-3)


@pytest.mark.parametrize(
    ("model", "augment", "what"),
    [("cnn2d", {}, "its mel spectrum"), ("cnn1d", {"reverb_s": 0.1}, "the augmentation of samples")],
)
def test_what_is_for_16_khz_refuses_another_rate(in_tmp, model, augment, what):
    write("waveform")
    one = run(model, "waveform", augment=augment)
    Path("params.yaml").write_text("audio: {sample_rate: 22050}\n")
    with pytest.raises(ValueError, match=f"{what} is for 16000 Hz; audio.sample_rate in params.yaml is 22050"):
        fit.fit(one, 2026, one.trainings[0][1])
    module = tasks.part("classification", "models.cnn1d")  # of samples as they are, at any rate
    assert deep._settings(run("cnn1d", "waveform"), module, 1)["augment"] == {}


@pytest.mark.system
@pytest.mark.parametrize("scale", mel.SCALES)
def test_it_learns_from_samples_that_are_augmented(in_tmp, scale):
    write("waveform")
    one = run("cnn2d", "waveform", scale=scale, augment={"reverb_s": 0.1, "noise_snr_db": 20, "mixup": 0.2})
    folder = one.trainings[0][1]
    figures = fit.fit(one, 2026, folder)
    found = score.predict(one, folder)
    assert f1_score(found["actual"], found["predicted"], average="macro") > 0.9, figures
    config = read_json(folder / "config.json")
    assert config["features"] == 128 and config["parameters"]["chunk"] == 2_100


@pytest.mark.parametrize("model, n_bands, chunk", [
    ("cnn2d", 40, (9, 40)), ("crnn", 40, (9, 40)), ("resnet", 40, (9, 40)), ("resnet", 128, (1, 128)), ("cnn1d", 0, (5_000,)),
    ("transformer", 3, (9, 3)),
])  # fmt: skip
def test_what_a_network_answers(model, n_bands, chunk):
    """A row a chunk, whatever the other chunks; of `width` channels, at least four."""
    torch.manual_seed(1)
    network = tasks.part("classification", f"models.{model}").network(5, n_bands, 0.01).eval()
    x = torch.randn(3, *chunk)
    with torch.no_grad():
        logits, embedding = network.classify(network.front(x))
        alone = network.classify(x[1:2])[0]
    assert logits.shape == (3, 5) and len(embedding) == 3 and logits.isfinite().all()
    torch.testing.assert_close(logits[1:2], alone)


def test_a_transformer_rounds_times_and_reads_notes_alone(in_tmp):
    transformer = tasks.part("classification", "models.transformer")
    times = torch.tensor([0, 1 / 12, 0.25, 0.5, 1, 4, 1e6])
    assert transformer.rounded(times).tolist() == [0, 4, 8, 11, 15, 22, 39]
    write("log_mel")
    for one, said in [
        (run("transformer"), "transformer reads `note_events`, three values a note, and its input has 16 a row"),
        (run("transformer", augment={"mixup": 0.2}), "augmentations are of sound, and the model reads notes"),
    ]:
        with pytest.raises(ValueError, match=said):
            fit.fit(one, 2026, one.trainings[0][1])


def test_equal_trainings_give_equal_bytes_and_another_seed_others(in_tmp):
    write("log_mel")
    one = run("cnn2d", epochs=1, augment={"time_masks": 1, "time_mask": 0.2, "gain_db": 3})
    folder = one.trainings[0][1]
    found = []
    for seed in (2026, 2026, 2027):
        shutil.rmtree(deep.CHECKPOINTS, ignore_errors=True)
        fit.fit(one, seed, folder)
        found.append((folder / "model.safetensors").read_bytes() + (folder / "config.json").read_bytes())
    assert found[0] == found[1] != found[2]


def test_the_loss_is_weighted_cross_entropy_and_chunks_are_averaged(in_tmp):
    write("log_mel")
    rng = np.random.default_rng(1)
    logits, tags = torch.from_numpy(rng.standard_normal((5, 3), np.float32)), torch.eye(3)[[0, 1, 2, 1, 0]]
    weights = np.array([1, 2, 0.5], np.float32)
    told = type("", (), {"data": {"weights": weights}})()
    own = torch.log_softmax(logits, 1)[torch.arange(5), tags.argmax(1)]
    each = torch.from_numpy(weights)[tags.argmax(1)]
    torch.testing.assert_close(objectives.Classifying.loss(told, logits, tags), -(own * each).sum() / 5)

    class Means(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Parameter(torch.ones(1))

        def classify(self, chunks):
            return chunks.mean(dim=1)[:, :3], chunks[:, 0]

    one = run("cnn2d")
    clips = deep._clips(one.input, 5, tasks.part("classification", "models.cnn2d"))
    data = labelled.read(one)
    frames = np.load(shards.shard_path(one.input, 0))[:20]
    parts = [frames[start : start + 5, :3].mean(axis=0) for start in (0, 4, 8, 12)]  # chunks share their last frame
    found = objectives.logits_of(Means(), clips, [data.clips["clip_id"][0]])
    np.testing.assert_allclose(found[0], np.mean(parts, axis=0), rtol=1e-5)


def test_class_weights_weigh_classes_alike():
    classes = np.array(list("aaab"))
    np.testing.assert_allclose(deep._weights(classes, np.array(["a", "b"]), "class_weights"), [4 / 6, 2])
    np.testing.assert_array_equal(deep._weights(classes, np.array(["a", "b"]), "none"), [1, 1])


def test_what_a_network_cannot_do_is_told(in_tmp):
    table = write("log_mel")
    write("waveform")
    for one, said in [
        (run("cnn1d"), "has frames, and the network reads `waveform`"),
        (
            run("cnn2d", kind="pooled"),
            "is no folder of frames or samples: model cnn2d reads `from: features, reads: log_mel`",
        ),
        (run("cnn2d", epoch=3), "model cnn2d has no parameter 'epoch'; it has epochs, "),
        (run("cnn2d", width=[0.5, 1]), "parameter width of cnn2d is a list: a network takes one value"),
        (run("cnn2d", epochs="many"), "parameter epochs of cnn2d is 'many', and must be a number"),
        (run("cnn2d", precision="8"), "parameter precision of cnn2d is '8', and must be 32-true or"),
        (
            run("cnn2d", augment={"mix": 1}),
            "augment of cnn2d: mix is no augmentation; there are delay_s, filter_db",
        ),
        (run("cnn2d", augment={"reverb_s": 1}), "augment of cnn2d: reverb_s needs samples, and log_mel has frames"),
        (run("cnn2d", scale="power"), "scale of cnn2d is for a network of frames that reads `waveform`"),
        (run("cnn2d", "waveform", scale="linear"), "scale of cnn2d is 'linear', and must be decibel or power"),
        (replace(run("cnn2d"), options=run("cnn2d").options | {"selection": "l1"}), "leave out `selection`"),
        (run("logistic"), "contains frames or samples, not one vector per clip"),
    ]:
        with pytest.raises(ValueError, match=said):
            fit.fit(one, 2026, one.trainings[0][1])
    one = run("cnn2d", epochs=1)
    folder = one.trainings[0][1]
    fit.fit(one, 2026, folder)
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(ValueError, match="is no network cnn2d, or is damaged"):
        score.predict(one, folder)
    config = json.loads((folder / "config.json").read_text())
    assert config["parameters"]["chunk"] == 21, "the median length"
    write_table(table.assign(split=table["split"].replace("validation", "train")), paths.manifest("made"), MANIFEST)
    with pytest.raises(ValueError, match="stops early on validation clips, and dataset 'made' has none"):
        fit.fit(one, 2026, folder)
