"""Each guard fires on the mistake that it is for, and is quiet without it."""

from dataclasses import replace

import labelled_clips
import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from pipelines.tasks.classification import guards, labelled, preparation

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
    assert passed(guards.few(data))
    classes = data.classes.astype("<U12")
    classes[data.of("train")[:2]] = "lute"
    found, sentence = guards.few(replace(data, classes=classes))
    assert found is False and "lute (2 train), lute (0 test)" in sentence


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
