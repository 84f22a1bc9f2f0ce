"""Networks with several labels a clip: what they answer is their own logits, calibrated, with thresholds of validation."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import tagged_clips
import torch
from scipy.special import expit
from sklearn.metrics import f1_score, log_loss

from pipelines.core import paths, shards
from pipelines.core.files import read_json
from pipelines.core.tables import write_table
from pipelines.metrics import multilabel as scores
from pipelines.tasks import part
from pipelines.tasks.classification import fit, predict, score
from pipelines.tasks.classification.fit import multilabel


@pytest.fixture
def frames(in_tmp):
    """A run of cnn2d: each of the four tags raises four of sixteen bands."""
    truth, rng = tagged_clips.write(), np.random.default_rng(0)
    folder = paths.features("made", "log_mel")
    folder.mkdir(parents=True)
    rows = rng.standard_normal((len(truth), 20, 16)).astype(np.float32) - 40
    rows += 3 * np.repeat(truth, 4, axis=1)[:, None]
    np.save(shards.shard_path(folder, 0), rows.reshape(-1, 16))
    index = pd.DataFrame({"clip_id": [f"{n:016x}" for n in range(len(truth))], "offset": np.arange(len(truth)) * 20})
    index = index.assign(length=20, shard=0, sha256="x").astype({"shard": "int32"})
    write_table(index, folder / "index.parquet", shards.INDEX)
    quick = {"epochs": 5, "batch_size": 8, "width": 0.25, "learning_rate": 0.01, "patience": 0}
    return lambda **options: replace(tagged_clips.run("cnn2d", **{"parameters": quick} | options), input=folder)


def test_a_network_gives_several_labels(frames):
    """Its file answers as the network itself does; thresholds are the best on validation; one epoch of five is chosen by mAP."""
    run = frames()
    folder = run.trainings[0][1]
    figures = fit.fit(run, 2026, folder)
    found, told = score.predict(run, folder), read_json(folder / "config.json")
    assert f1_score(found["actual"], found["predicted"], average="macro") > 0.9 and figures["validation mAP"] > 0.9
    data = multilabel.read(run)
    held, network = data.of("validation"), part("classification", "models.cnn2d").network(4, 16, 0.25)
    network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    clips = np.load(shards.shard_path(run.input, 0)).reshape(-1, 20, 16)
    with torch.no_grad():
        logits = network.eval().classify(torch.from_numpy(clips))[0].double()
    p = torch.sigmoid(2 * logits / told["temperature"]).numpy()
    np.testing.assert_allclose(found["scores"], p[data.of("test")], atol=1e-5)
    own = 2 * logits[held].numpy().ravel() / told["temperature"]
    losses = [log_loss(data.classes[held].ravel(), expit(own * factor)) for factor in (0.8, 1, 1.25)]
    assert min(losses) == losses[1], "the temperature is the likeliest"
    best = scores.thresholds(data.classes[held], p[held])
    np.testing.assert_allclose(told["thresholds"], best, atol=1e-5)
    assert told["priors"] == data.classes[data.of("train")].mean(axis=0).tolist()
    checks = score.checks(run, [found])
    assert checks["better than giving every label"][0] is not False and checks["no group on two sides"][0]
    assert checks["answers survive inaudible noise"] == (None, "not computed for networks")
    new = predict.predict(run, folder, run.input, data.clips["clip_id"].tolist()[:3])
    assert [sorted(one["predicted"]) for one in new] == [
        [tag for tag, there in zip(tagged_clips.TAGS, row >= told["thresholds"], strict=True) if there] for row in p[:3]
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"imbalance": "class_weights"}, "imbalance class_weights is of one label"),
        ({"selection": "variance"}, "is a network, and selects no features"),
    ],
)
def test_what_a_network_of_several_labels_refuses(frames, options, message):
    with pytest.raises(ValueError, match=message):
        fit.fit(frames(**options), 1, Path("models"))
