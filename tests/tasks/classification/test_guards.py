"""Each guard fires on the mistake that it is for, and is quiet without it."""

import json
from dataclasses import replace

import labelled_clips
import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from pipelines import features
from pipelines.core import params, paths, shards
from pipelines.core.manifest import MANIFEST
from pipelines.core.pcm import INDEX, to_float, to_int16
from pipelines.core.tables import write_table
from pipelines.tasks.classification.fit import labelled, preparation
from pipelines.tasks.classification.score import guards, noise

OPTIONS = {"leave_out": []}


@pytest.fixture
def data(in_tmp):
    labelled_clips.write()
    return labelled.read(labelled_clips.run("knn"))


def passed(check):
    return check[0]


def test_groups_on_two_sides(data):
    assert passed(guards.groups(data))
    random = labelled.sides(data.clips, data.classes, "random", 1)
    found, sentence = guards.groups(replace(data, sides=random))
    assert found is False and "of 24 groups are on several sides: g" in sentence
    grouped = labelled.sides(data.clips, data.classes, "grouped", 1)
    assert passed(guards.groups(replace(data, sides=grouped)))
    alone = data.clips.assign(group=data.clips["clip_id"])
    assert passed(guards.groups(replace(data, clips=alone))) is None


def test_a_random_split_has_sides_of_the_same_size(data):
    random = labelled.sides(data.clips, data.classes, "random", 1)
    assert sorted(random) == sorted(data.sides) and random.tolist() != data.sides.tolist()


def test_a_class_with_few_clips(data):
    clips, groups = "enough clips of each class", "enough groups of each class"
    assert passed(guards.enough(data)[clips])
    classes = data.classes.astype("<U12")
    classes[data.of("train")[:2]] = "lute"
    found = guards.enough(replace(data, classes=classes))
    assert found[clips] == (
        False,
        "1 of 4 classes have fewer than 5 clips on a side: lute (2 train), lute (0 test)",
    )
    assert found[groups][0] is False and ": lute (1 train), brass (1 test), lute (0 test), ..." in found[groups][1]
    both = guards.enough(data, ("train",))
    assert both[groups] == (True, "0 of 3 classes have fewer than 2 groups on a side")
    alone = replace(data, clips=data.clips.assign(group=data.clips["clip_id"]))
    assert passed(guards.enough(alone)[groups]) is None, "nothing is known of groups"


def test_validation_lacks_a_class(data):
    config = {"classes": list(labelled_clips.CLASSES), "tried": [{"C": 1.0}, {"C": 2.0}]}
    assert passed(guards.validated(data, config))
    there = (data.sides == "validation") & (data.classes == "string")
    data = replace(data, sides=np.where(there, "train", data.sides))
    found, sentence = guards.validated(data, config)
    assert found is False
    assert sentence == "hyperparameters were chosen by validation clips, and 1 of 3 classes have none: string"
    assert passed(guards.validated(data, config | {"tried": [{}]})), "one candidate: nothing was chosen"
    found, sentence = guards.validated(data, {"classes": config["classes"]})
    assert found is False and sentence.startswith("the epoch was chosen"), "of a network"


def test_a_scaler_fitted_on_more_than_training_clips(data):
    options = labelled_clips.run("knn").options
    steps = preparation.steps(options, data.names)
    honest = Pipeline([*steps.fit(data.values[data.of("train")]).steps, ("model", "passthrough")])
    assert passed(guards.fitted_on_train(data, honest, options, 1))
    leaky = Pipeline([*preparation.steps(options, data.names).fit(data.values).steps, ("model", "passthrough")])
    assert passed(guards.fitted_on_train(data, leaky, options, 1)) is False


def test_a_selector_fitted_on_test_clips(data):
    """A feature that tells the class of test clips alone is chosen by a selector that saw them."""
    options = labelled_clips.run("knn", selection="mutual_information", keep=1).options
    values = data.values.copy()
    test = data.of("test")
    values[:, :4] = np.random.default_rng(0).normal(size=(len(values), 4))
    values[test, 5] = 50.0 * np.searchsorted(labelled_clips.CLASSES, data.classes[test])
    data = replace(data, values=values)
    found = Pipeline(
        [*preparation.steps(options, data.names).fit(values, data.classes).steps, ("model", "passthrough")]
    )
    assert passed(guards.fitted_on_train(data, found, options, 1)) is False


def test_level(data):
    assert passed(guards.level(data, OPTIONS)), "rms_mean is noise here"
    values = data.values.copy()
    values[:, data.names.index("rms_mean")] = np.searchsorted(labelled_clips.CLASSES, data.classes)
    found, sentence = guards.level(replace(data, values=values), OPTIONS)
    assert found is False and "balanced accuracy of 1.000; chance 0.333" in sentence
    assert passed(guards.level(replace(data, names=[f"dimension {n}" for n in range(12)]), OPTIONS)) is None
    assert passed(guards.level(replace(data, values=values), {"leave_out": ["rms_*"]})) is None


def test_duration_and_encoding(data):
    assert passed(guards.duration(data)) and passed(guards.encoding(data))
    longer = data.clips.assign(duration_s=np.where(data.classes == "reed", 3.0, 2.0))
    assert passed(guards.duration(replace(data, clips=longer))) is False
    mixed = data.clips.assign(path=[f"a.{'mp3' if name == 'brass' else 'wav'}" for name in data.classes])
    assert passed(guards.encoding(replace(data, clips=mixed))) is False
    rates = data.clips.assign(sample_rate=np.where(data.classes == "string", 44_100, 16_000))
    assert passed(guards.encoding(replace(data, clips=rates))) is False


def test_words_of_file_names(data):
    """The clips of the fixture are named by hexadecimal numbers."""
    assert passed(guards.file_name(data))
    named = data.clips.assign(path=[f"x/{name}_{n:03d}.wav" for n, name in enumerate(data.classes)])
    found, sentence = guards.file_name(replace(data, clips=named))
    assert found is None and "balanced accuracy of 1.000" in sentence
    folders = data.clips.assign(path=[f"{name}/note_{n:03d}.wav" for n, name in enumerate(data.classes)])
    assert passed(guards.file_name(replace(data, clips=folders))), "folders are not names"


@pytest.fixture
def silent(in_tmp):
    """(run, data) of 40 clips of noise: half of class `cut` end in exact zeros, the others in noise 50 dB below the peak."""
    table = labelled_clips.write(n=40).assign(target_family=np.where(np.arange(40) % 2, "cut", "recorded"))
    write_table(table, paths.manifest("made"), MANIFEST)
    rng = np.random.default_rng(0)
    sounds = rng.uniform(-0.5, 0.5, (40, 4096))
    sounds[:, 2048:] *= np.where(np.arange(40) % 2, 0.0, 10 ** (-50 / 20))[:, None]
    folder = paths.audio("made")
    folder.mkdir(parents=True)
    pcm = to_int16(sounds.astype(np.float32))
    np.save(shards.shard_path(folder, 0), pcm.ravel())
    columns = {"clip_id": table["clip_id"], "shard": 0, "offset": np.arange(40) * 4096, "length": 4096}
    index = pd.DataFrame(columns).assign(peak=0.5, clipped=0, sha256="x").astype({"shard": "int32"})
    write_table(index, folder / "index.parquet", INDEX)
    entry = {"descriptors": ["rms", "flatness"], "statistics": ["mean", "min"]}
    params.PARAMS.write_text(json.dumps({"audio": {"sample_rate": 16_000}, "features": {"pooled": entry}}))
    rows = [features.load("pooled").compute(to_float(one), 16_000, **entry) for one in pcm]
    frame = pd.DataFrame(rows).assign(clip_id=table["clip_id"])
    frame.to_parquet(paths.features("made", "pooled") / "pooled.parquet")
    run = labelled_clips.run("knn", split="grouped")
    return run, labelled.read(run)


@pytest.mark.parametrize(("feature", "expected"), [("rms_min", False), ("flatness_min", True)])
def test_answers_to_inaudible_noise(silent, feature, expected):
    """A model that asks whether a frame has an RMS of zero changes its answer with inaudible noise; one of the whole spectrum's
    flatness in the loudest frame does not."""
    run, data = silent
    column = data.names.index(feature)
    edge = 1e-9 if feature == "rms_min" else 2.0
    found, sentence = noise.check(run, data, lambda values: np.where(values[:, column] < edge, "cut", "recorded"), 1)
    assert found is expected, sentence
    assert f"of {len(data.of('test'))} answers change when noise 60 dB" in sentence


def test_inaudible_noise_without_audio(silent):
    run, data = silent
    (paths.audio("made") / "index.parquet").unlink()
    assert noise.check(run, data, lambda values: values, 1)[0] is None


def test_the_noise_is_60_db_below_the_peak():
    y = np.zeros(20_000, np.float32)
    y[5] = 0.5
    added = noise.with_noise(y, np.random.default_rng(2)) - y
    assert np.abs(added).max() == pytest.approx(0.5e-3, rel=0.01) and (added[10:] != 0).mean() > 0.99
