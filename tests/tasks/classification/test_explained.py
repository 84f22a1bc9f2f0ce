"""Learning curves over nested groups, importances of families, resampled confusions, and the clips that can be heard."""

from dataclasses import replace

import labelled_clips
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from pipelines.metrics import single_label
from pipelines.metrics.scores import score as scored
from pipelines.tasks import part
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import curve, labelled, resampling
from pipelines.tasks.classification.score import confusion_examples, explanations, importances

CLIPS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from("abcx")), min_size=12, max_size=60
)


@settings(max_examples=25)
@given(CLIPS, st.integers(0, 9))
def test_resampled_confusions_are_the_scores_of_resampled_clips(rows, seed):
    group, actual, predicted = (np.array(each) for each in zip(*rows, strict=True))
    shared = {"seed": seed, "n_bootstrap": 20}
    found = resampling.Confusions(actual, group, shared).macro_f1(predicted)
    present = np.unique(actual)
    wanted = f1_score(actual, predicted, labels=present, average="macro", zero_division=0)
    assert found[0] == pytest.approx(wanted)
    columns = {"unit": np.arange(len(rows)), "group": group, "actual": actual, "predicted": predicted}
    metrics = {"macro_f1": score.METRICS["macro_f1"]}
    record, drawn = scored(metrics, [columns], columns, "test", 20, seed)
    mine = resampling.score(actual, [predicted], group, shared)
    if len(set(group.tolist())) >= 4:
        np.testing.assert_allclose(found[1:], drawn["macro_f1"])
        assert mine["ci95"] == pytest.approx(record["macro_f1"]["ci95"])
    assert mine["n_groups"] == record["macro_f1"]["n_groups"] and (mine["ci95"] is None) == (len(set(group)) < 4)


def test_the_variance_over_trainings_is_in_the_interval():
    actual = np.array(list("ab") * 20)
    one, other = actual.copy(), actual.copy()
    other[:10] = "a"
    groups, shared = np.arange(40) // 4, {"seed": 1, "n_bootstrap": 200}
    found = resampling.score(actual, [one, other], groups, shared)
    assert found["macro_f1"] == pytest.approx(np.mean(found["trainings"])) and found["sd_trainings"] > 0
    alone = resampling.score(actual, [one, one], groups, shared)
    assert alone["sd_trainings"] == 0 and alone["ci95"] == [1, 1] and found["ci95"][1] - found["ci95"][0] > 0.05


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abc")), min_size=1, max_size=60),
    st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    st.integers(0, 5),
)
def test_parts_are_nested_and_of_whole_groups(rows, shares, seed):
    groups, classes = (np.array(each) for each in zip(*rows, strict=True))
    smaller, larger = (set(curve.nested(groups, classes, share, seed).tolist()) for share in sorted(shares))
    assert smaller <= larger
    for rows_of in (smaller, larger):
        inside = set(groups[list(rows_of)].tolist())
        assert rows_of == set(np.flatnonzero(np.isin(groups, list(inside))).tolist())
    assert len(curve.nested(groups, classes, 1.0, seed)) == len(groups)


def test_a_tenth_of_a_class_is_one_group_at_least():
    groups = np.repeat(np.arange(20), 3)
    classes = np.where(groups < 15, "many", "few")
    rows = curve.nested(groups, classes, 0.2, 3)
    assert len(set(groups[rows][classes[rows] == "many"])) == 3 and len(set(groups[rows][classes[rows] == "few"])) == 1


def test_a_learning_curve_is_that_of_direct_fits(in_tmp):
    labelled_clips.write(spread=1.6)
    options = {"parameters": {"n_neighbors": 3, "weights": "uniform"}, "learning_curve": [0.25, 1.0, 0.5]}
    run = labelled_clips.run("knn", **options)
    folder = run.trainings[0][1]
    fit.fit(run, 2026, folder)
    columns = score.predict(run, folder)
    data = labelled.read(run)
    found = curve.scores(run, data, [columns["predicted"]])
    assert [point["share"] for point in found] == [0.25, 0.5, 1.0]
    assert found[-1]["macro_f1"] == pytest.approx(single_label.macro_f1(columns["actual"], columns["predicted"]))
    train, test = data.of("train"), data.of("test")
    rows = train[curve.nested(data.clips["group"].to_numpy(str)[train], data.classes[train], 0.25, 2026)]
    direct = make_pipeline(StandardScaler(), part("classification", "models.knn").create(1, n_neighbors=3))
    predicted = direct.fit(data.values[rows], data.classes[rows]).predict(data.values[test])
    assert found[0]["macro_f1"] == pytest.approx(f1_score(data.classes[test], predicted, average="macro"))
    assert found[0]["clips"] == len(rows) < found[1]["clips"] < found[2]["clips"] == len(train)
    assert labelled_clips.run("knn").options["learning_curve"] == [] and not curve.scores(
        labelled_clips.run("knn"), data, []
    )


def test_a_network_has_no_learning_curve(in_tmp):
    with pytest.raises(ValueError, match="learning_curve is for classic models"):
        fit.fit(labelled_clips.run("cnn2d", learning_curve=[0.5]), 1, in_tmp)


def test_families_of_features():
    names = [
        "mfcc_000_mean",
        "mfcc_001_std",
        "mfcc_delta_000_mean",
        "rms_max",
        "zero_crossing_rate_mean",
        "melody_-12",
        "rests",
    ]
    assert importances.families(names, [*range(7)]) == {
        "mfcc": [0, 1], "mfcc_delta": [2], "rms": [3], "zero_crossing_rate": [4], "melody": [5], "rests": [6]
    }  # fmt: skip
    assert set(importances.families([f"dimension {n}" for n in range(9)], [*range(9)])) == {"dimension"}


def test_a_family_that_the_model_does_not_read_has_no_importance(in_tmp):
    """Of a tree that splits on one family alone, permuting the other changes nothing; permuting its own leaves it what a random
    order of its answers is worth."""
    labelled_clips.write(spread=0.2)
    run = labelled_clips.run("knn")
    data = labelled.read(run)
    names = [f"told_{n:03d}_mean" if n < 3 else f"noise_{n:03d}_mean" for n in range(12)]
    data = labelled.Labelled(data.clips, data.values, data.classes, data.sides, names)
    train, test = data.of("train"), data.of("test")
    values = data.values.copy()
    values[:, 3:] = 0.0
    tree = Pipeline([("model", DecisionTreeClassifier(random_state=0))]).fit(values[train], data.classes[train])
    told, noise = importances.of(run, data, tree.predict, 5)
    assert (told["family"], told["features"], noise["family"]) == ("told", 3, "noise")
    assert noise["fall"] == 0
    known = tree.predict(data.values[test])
    rng = np.random.default_rng(0)
    expected = np.mean([single_label.macro_f1(data.classes[test], rng.permutation(known)) for _ in range(400)])
    assert told["fall"] == pytest.approx(single_label.macro_f1(data.classes[test], known) - expected, abs=0.12)
    assert told["ci95"] is None or told["ci95"][0] <= told["fall"] <= told["ci95"][1]
    assert importances.of(run, data, tree.predict, 5) == [told, noise], "the same seed gives the same permutations"


def test_features_without_families_have_no_importances(in_tmp):
    labelled_clips.write()
    data = labelled.read(labelled_clips.run("knn"))
    for names in ([f"dimension {n}" for n in range(12)], [chr(97 + n // 26) + chr(97 + n % 26) for n in range(31)]):
        found = labelled.Labelled(data.clips, np.zeros((len(data.values), len(names))), data.classes, data.sides, names)
        assert importances.of(labelled_clips.run("knn"), found, None, 1) == []


def test_the_most_confident_confusions_of_two_groups_are_heard(in_tmp):
    labelled_clips.write()
    data = labelled.read(labelled_clips.run("knn"))
    rows = np.arange(6)
    classes = ["brass", "reed"]
    certain = np.array([0.9, 0.8, 0.7, 0.95, 0.6, 0.4])
    columns = {
        "unit": data.clips["clip_id"].to_numpy(str)[rows],
        "group": np.array(["a", "a", "b", "c", "c", "d"]),
        "actual": np.array(["brass"] * 3 + ["reed"] * 2 + ["brass"]),
        "predicted": np.array(["reed"] * 5 + ["brass"]),
        "probabilities": np.stack([1 - certain, certain], axis=1),
    }
    (pair,) = confusion_examples.of(columns, [{"actual": "brass", "predicted": "reed"}], classes, data)
    found = [(int(clip["clip_id"], 16), clip["role"]) for clip in pair["clips"]]
    assert found == [(0, "confused"), (2, "confused"), (3, "right")], "the second of group a is passed over"
    assert [clip["probability"] for clip in pair["clips"]] == [0.9, 0.7, 0.95]


def test_what_a_test_on_another_dataset_tells(in_tmp):
    labelled_clips.write()
    run = labelled_clips.run("knn", learning_curve=[0.5, 1.0])
    fit.fit(run, 2026, run.trainings[0][1])
    other = replace(run, name="elsewhere", fitted_by="knn")
    columns = score.predict(other, other.trainings[0][1])
    found = explanations.of(other, [columns], [], list(labelled_clips.CLASSES))
    assert found == {"learning_curve": [], "importances": [], "dataset": "made", "heard": []}
