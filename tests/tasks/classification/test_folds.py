"""Cross-validation as a run's split: scikit-learn's on the same folds, choice inside the training clips, guards fold by fold."""

import json
import shutil

import labelled_clips
import numpy as np
import pytest
import tagged_clips
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from pipelines.core import paths
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.evaluation.folds import folds
from pipelines.metrics.scores import score as scored
from pipelines.tasks.classification import fit, predict, score
from pipelines.tasks.classification.fit import cross_validation, labelled, model_file
from pipelines.tasks.classification.score import folds as of_folds

KNN = {"n_neighbors": [1, 7, 30], "weights": "uniform"}


def fitted(model, **options):
    run = labelled_clips.run(model, **{"split": "grouped_folds", "folds": 3} | options)
    return run, fit.fit(run, 2026, run.trainings[0][1])


def of_scikit_learn(data, number, seed=2026):
    """The fold of each clip, drawn from its class and group alone."""
    codes = np.unique(data.classes, return_inverse=True)[1]
    return folds(codes, data.clips["group"].to_numpy(str), number, seed)


@pytest.mark.parametrize(
    ("model", "parameters", "direct"),
    [
        ("logistic", {"C": 0.1}, LogisticRegression(C=0.1, max_iter=1000)),
        ("svm_linear", {"C": 0.1}, LinearSVC(C=0.1, random_state=2026, max_iter=5000)),
    ],
)
def test_answers_are_those_of_cross_val_predict(in_tmp, model, parameters, direct):
    table = labelled_clips.write(spread=1.6)
    run, figures = fitted(model, parameters=parameters)
    data, found = labelled.read(run), score.predict(run, run.trainings[0][1])
    cv = PredefinedSplit(of_scikit_learn(data, 3))
    wanted = cross_val_predict(make_pipeline(StandardScaler(), direct), data.values, data.classes, cv=cv)
    assert found["predicted"].tolist() == wanted.tolist() and 0.4 < np.mean(wanted == data.classes) < 1
    assert found["unit"].tolist() == table["clip_id"].tolist(), "every clip is scored once"
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert (figures["folds"], figures["clips"]) == (3, 120)
    scaler = model_file.load(run.trainings[0][1] / "model.skops")[0]
    np.testing.assert_allclose(scaler.mean_, data.values.mean(axis=0)), "the saved model is fitted on all clips"
    # what new files get is that model's answer, and nothing is held out to say what is unusual
    new = predict.predict(run, run.trainings[0][1], run.input, table["clip_id"].tolist()[:4])
    whole = make_pipeline(StandardScaler(), direct).fit(data.values, data.classes)
    assert [one["predicted"] for one in new] == whole.predict(data.values[:4]).tolist()
    assert "outside_training_music" not in new[0]


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """(run, data, config) of a run whose folds choose among three hyperparameters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("folds"))
        labelled_clips.write(spread=1.6)
        run, _ = fitted("knn", parameters=KNN)
        folder = run.trainings[0][1]
        yield run, labelled.read(run), json.loads((folder / "config.json").read_text()), folder


def test_a_fold_chooses_inside_its_training_clips(chosen):
    """By scikit-learn: each candidate's macro F1 on inner folds of the training clips alone, then a fit on all of them."""
    run, data, config, folder = chosen
    fold, said = of_scikit_learn(data, 3), score.predict(run, folder)
    for number, one in enumerate(config["folds"]):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        inner = of_scikit_learn(labelled.Labelled(data.clips.iloc[train], None, data.classes[train], None, []), 3)
        scores = {}
        for k in KNN["n_neighbors"]:
            model = make_pipeline(StandardScaler(), KNeighborsClassifier(k))
            answers = cross_val_predict(model, data.values[train], data.classes[train], cv=PredefinedSplit(inner))
            scores[k] = f1_score(data.classes[train], answers, average="macro")
        assert [each["validation_macro_f1"] for each in one["tried"]] == pytest.approx(list(scores.values()))
        best = max(scores, key=scores.get)
        assert one["parameters"]["n_neighbors"] == best and len(set(scores.values())) > 1
        model = make_pipeline(StandardScaler(), KNeighborsClassifier(best)).fit(data.values[train], data.classes[train])
        assert said["predicted"][test].tolist() == model.predict(data.values[test]).tolist()


def test_scores_and_folds_are_stated(chosen):
    run, data, config, folder = chosen
    columns, trivial = score.predict(run, folder), score.baseline(run)
    found, _ = scored(score.METRICS, [columns], trivial, score.split(run), 50, 2026)
    assert (found["macro_f1"]["n"], found["macro_f1"]["n_groups"], found["macro_f1"]["split"]) == (120, 24, "3 folds")
    fold = of_scikit_learn(data, 3)
    assert found["accuracy"]["baseline"] == pytest.approx(1 / 3) and found["roc_auc"]["baseline"] == 0.5
    told = score.details(run, [columns])["folds"]
    assert [one["clips"] for one in told] == [np.sum(fold == number) for number in range(3)]
    assert sum(one["accuracy"] * one["clips"] for one in told) / 120 == pytest.approx(found["accuracy"]["value"])
    assert [one["parameters"] for one in told] == [one["parameters"] for one in config["folds"]]
    assert score.validation(run, folder) is None, "a fusion needs validation clips"


def test_guards_hold_fold_by_fold(chosen, tmp_path):
    run, data, config, folder = chosen
    found = of_folds.checks(run, data)
    for name in ("no group on two sides", "preparation saw training clips only", "chosen on validation clips"):
        assert found[name][0] is True, name
    assert found["no recording on two sides"][0] is None, "there is no audio"
    assert found["enough clips of each class"][0] and found["enough groups of each class"][0]
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    try:
        shutil.copy(folder / "model.skops", folder / "fold-1.skops")  # its scaler saw the clips of the fold
        worse = min(config["folds"][2]["tried"], key=lambda one: one["validation_macro_f1"])
        config = json.loads((folder / "config.json").read_text())
        config["folds"][2]["parameters"] = {key: worse[key] for key in KNN}
        (folder / "config.json").write_text(json.dumps(config))
        found = of_folds.checks(run, data)
        passed, sentence = found["preparation saw training clips only"]
        assert passed is False and sentence.startswith("1 of 3 folds fail: fold 2: differ from a fit on the")
        passed, sentence = found["chosen on validation clips"]
        assert passed is False and sentence.startswith("1 of 3 folds fail: fold 3: of 3 candidates")
    finally:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)


def test_a_class_of_two_groups_is_no_basis_of_a_choice(in_tmp):
    """One of them is answered, and an inner model that answers the other has seen none."""
    table = labelled_clips.write()
    last = table["group"].isin(["g21", "g22"])
    write_table(table.assign(target_family=table["target_family"].mask(last, "harp")), paths.manifest("made"), MANIFEST)
    run, _ = fitted("knn", parameters=KNN)
    found = of_folds.checks(run, labelled.read(run))
    assert found["enough groups of each class"][0] is False, "a fold's model has learned from one"
    passed, sentence = found["validation has every class"]
    assert passed is False and sentence.startswith("2 of 3 folds fail") and sentence.count(": harp") == 2


def test_a_guard_of_all_folds():
    assert of_folds.together([(True, "same"), (True, "same")]) == (True, "every fold: same")
    assert of_folds.together([(True, "a"), (None, "b")]) == (None, "fold 2: b")
    assert of_folds.together([(None, "a"), (False, "b"), (True, "c")]) == (False, "1 of 3 folds fail: fold 2: b")


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({"folds": 1}, lambda t: t, r"folds of knn is 1, .* 24 groups: name 2 to 24"),
        ({"folds": 25}, lambda t: t, r"folds of knn is 25, .* 24 groups: name 2 to 24"),
        ({"learning_curve": [0.5]}, lambda t: t, "learning_curve is of one split"),
        (
            {"imbalance": "subsampling", "parameters": {"n_neighbors": [1, 48]}},
            lambda t: t,
            "knn with n_neighbors 48 has 45 training clips",
        ),
        ({}, lambda t: t.assign(target_family="brass"), "has 1 class with clips"),
        (
            {},
            lambda t: t.assign(target_family=t["target_family"].mask(t["group"] == "g3", "lute")),
            r"1 classes .* one group only.*'lute' \(5 clips of g3\)",
        ),
        (
            {"folds": 2},
            lambda t: t.assign(
                target_family=t["target_family"].mask(t.index.isin([0, 30]), "lute"),
                group=t["group"].replace({"g0": "a", "g6": "b"}),
            ),
            "has all clips of 'lute', which its model would not know",
        ),
    ],
)
def test_what_folds_cannot_score_is_an_error_that_says_why(in_tmp, options, change, message):
    write_table(change(labelled_clips.write()), paths.manifest("made"), MANIFEST)
    with pytest.raises(ValueError, match=message):
        fitted("knn", **options)


def test_networks_and_several_labels_have_no_folds(in_tmp, monkeypatch):
    tagged_clips.write()
    with pytest.raises(ValueError, match="is of one label a clip"):
        fit.fit(tagged_clips.run("knn", split="grouped_folds"), 1, in_tmp)
    monkeypatch.setattr(labelled, "vectors", lambda run: (labelled.inputs.manifest(run), np.zeros((160, 0)), []))
    with pytest.raises(ValueError, match="would be trained once for each fold"):
        fit.fit(labelled_clips.run("cnn2d", split="grouped_folds"), 1, in_tmp)


def test_a_fold_is_the_same_whatever_a_run_reads(in_tmp):
    """Of clips that one input lacks, the others keep their folds: two runs are compared on the same clips."""
    labelled_clips.write()
    run = labelled_clips.run("knn", split="grouped_folds", folds=3)
    data = labelled.read(run)
    whole = np.array([part.sides == "test" for part in cross_validation.parts(run, data)])
    fewer = labelled.Labelled(
        data.clips.iloc[7:].reset_index(drop=True), data.values[7:], data.classes[7:], data.sides[7:], data.names
    )
    assert (np.array([part.sides == "test" for part in cross_validation.parts(run, fewer)]) == whole[:, 7:]).all()
