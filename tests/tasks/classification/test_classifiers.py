"""Every model against scikit-learn called directly; metrics against scikit-learn's; and what is chosen on validation."""

import json
from pathlib import Path

import labelled_clips
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import some
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectKBest, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from pipelines import tasks
from pipelines.core import paths
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.metrics import single_label
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import labelled, model_file, preparation
from pipelines.tasks.classification.score import report

FILES = sorted(path.stem for path in (tasks.FOLDER / "classification/models").glob("[!_]*.py"))
OTHERS = "network", "encode"  # networks, and models of sequences, which have tests of their own
MODELS = [n for n in FILES if not any(hasattr(tasks.part("classification", f"models.{n}"), what) for what in OTHERS)]
DIRECT = {
    "knn": ({"n_neighbors": 3}, lambda: KNeighborsClassifier(3)),
    "svm_rbf": ({"C": 2.0, "gamma": 0.05}, lambda: SVC(C=2.0, gamma=0.05, break_ties=True)),
    "svm_linear": ({"C": 0.1}, lambda: LinearSVC(C=0.1, random_state=2026, max_iter=5000)),
    "logistic": ({"C": 0.1}, lambda: LogisticRegression(C=0.1, max_iter=1000)),
    "naive_bayes": ({"var_smoothing": 1e-9}, GaussianNB),
    "random_forest": (
        {"n_estimators": 20, "min_samples_leaf": 1, "max_features": "sqrt"},
        lambda: RandomForestClassifier(20, random_state=2026),
    ),
}

FEWER = {"random_forest": {"n_estimators": 20}, "adaboost": {"n_estimators": 20}, "gradient_boosting": {"max_iter": 20}}


def fitted(model, **options):
    run = labelled_clips.run(model, **options)
    figures = fit.fit(run, 2026, run.trainings[0][1])
    return run, figures, score.predict(run, run.trainings[0][1])


@pytest.mark.parametrize("model", DIRECT)
def test_a_model_answers_as_scikit_learn_does(in_tmp, model):
    labelled_clips.write()
    parameters, create = DIRECT[model]
    run, _, found = fitted(model, parameters=parameters)
    data = labelled.read(run)
    train, test = data.of("train"), data.of("test")
    direct = make_pipeline(StandardScaler(), create()).fit(data.values[train], data.classes[train])
    assert found["predicted"].tolist() == direct.predict(data.values[test]).tolist()
    assert found["actual"].tolist() == data.classes[test].tolist() and len(test) == 15


@pytest.mark.parametrize("model", some(MODELS, "svm_rbf", "gradient_boosting", "adaboost"))
def test_every_model_learns_and_its_file_answers_alike(in_tmp, model):
    """Chance is 0.33; what is read back from the file predicts as what was written."""
    labelled_clips.write(spread=0.3)
    run, figures, found = fitted(model, parameters=FEWER.get(model, {}))
    assert single_label.macro_f1(found["actual"], found["predicted"]) > 0.8
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert figures["clips"] == 90 and figures["classes"] == 3 and figures["validation macro F1"] > 0.8
    folder = run.trainings[0][1]
    before = (folder / "model.skops").read_bytes()
    fit.fit(run, 2026, folder)
    assert (folder / "model.skops").read_bytes() == before, "the same clips and seed give the same bytes"


@pytest.mark.parametrize(
    ("options", "step"),
    [
        ({"scaling": "minmax"}, MinMaxScaler()),
        ({"scaling": "unit"}, Normalizer()),
        ({"scaling": "zscore"}, StandardScaler()),
    ],
)
def test_scaling_is_fitted_on_training_clips(in_tmp, options, step):
    labelled_clips.write()
    run, *_ = fitted("knn", **options)
    data, pipeline = labelled.read(run), model_file.load(run.trainings[0][1] / "model.skops")
    wanted = step.fit(data.values[data.of("train")]).transform(data.values)
    np.testing.assert_allclose(pipeline[:-1].transform(data.values), wanted)


def test_selection_keeps_what_tells_the_class(in_tmp):
    labelled_clips.write()
    for selection in ("mutual_information", "l1"):
        run, figures, _ = fitted("knn", selection=selection, keep=4)
        pipeline = model_file.load(run.trainings[0][1] / "model.skops")
        chosen = set(np.flatnonzero(pipeline[1].get_support()))
        assert figures["features"] == 4 and len(chosen & {0, 1, 2, 3}) >= 3, selection
    assert fitted("knn", selection="variance")[1]["features"] == 11, "one feature is constant"
    run = labelled_clips.run("knn")
    data = labelled.read(run)
    train = data.of("train")
    scaled = StandardScaler().fit_transform(data.values[train])
    direct = SelectKBest(mutual_info_classif, k=4).set_params(
        score_func=lambda x, y: mutual_info_classif(x, y, random_state=0)
    )
    options = run.options | {"selection": "mutual_information", "keep": 4}
    own = preparation.steps(options, data.names).fit(data.values[train], data.classes[train])
    assert own[1].get_support().tolist() == direct.fit(scaled, data.classes[train]).get_support().tolist()


def test_hyperparameters_are_the_best_on_validation(in_tmp):
    labelled_clips.write()
    run, figures, _ = fitted("knn", parameters={"n_neighbors": [1, 60], "weights": "uniform"})
    data = labelled.read(run)
    train, held = data.of("train"), data.of("validation")
    scaler = StandardScaler().fit(data.values[train])
    scores = {}
    for k in (1, 60):
        model = KNeighborsClassifier(k).fit(scaler.transform(data.values[train]), data.classes[train])
        predicted = model.predict(scaler.transform(data.values[held]))
        scores[k] = metrics.f1_score(data.classes[held], predicted, average="macro")
    assert scores[1] != scores[60] and figures["n_neighbors"] == max(scores, key=scores.get)
    assert figures["validation macro F1"] == round(max(scores.values()), 4)


def test_imbalance(in_tmp):
    table = labelled_clips.write()
    data = labelled.read(labelled_clips.run("knn"))
    rows = np.concatenate([data.of("train")[data.classes[data.of("train")] == "brass"], data.of("train")[:4]])
    drawn = preparation.training_rows(rows, data.classes, "subsampling", 1)
    assert set(np.unique(data.classes[drawn], return_counts=True)[1]) == {
        min(np.unique(data.classes[rows], return_counts=True)[1])
    }
    weights = preparation.weights(np.array(["a", "a", "a", "b"]), "class_weights")
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2])
    assert len(table) == 120 and fitted("logistic", imbalance="class_weights")[1]["clips"] == 90
    with pytest.raises(ValueError, match="model knn takes no class weights"):
        fitted("knn", imbalance="class_weights")


def test_metrics_are_scikit_learns(in_tmp):
    rng = np.random.default_rng(3)
    actual = rng.choice(list("abcd"), 200)
    predicted = np.where(rng.random(200) < 0.5, actual, rng.choice(list("abcd"), 200))
    assert single_label.macro_f1(actual, predicted) == pytest.approx(
        metrics.f1_score(actual, predicted, average="macro")
    )
    assert single_label.balanced(actual, predicted) == pytest.approx(metrics.balanced_accuracy_score(actual, predicted))
    few = actual != "d"
    wanted = metrics.f1_score(actual[few], predicted[few], average="macro", labels=["a", "b", "c"])
    assert single_label.macro_f1(actual[few], predicted[few]) == pytest.approx(wanted), (
        "over the classes that were scored"
    )


def test_top_3_and_the_baseline(in_tmp):
    labelled_clips.write()
    run, _, found = fitted("logistic", parameters={"C": 1.0})
    wanted = metrics.top_k_accuracy_score(
        found["actual"], found["probabilities"], k=2, labels=list(labelled_clips.CLASSES)
    )
    assert np.mean(found["rank"] < 2) == wanted and score.METRICS["top_3_accuracy"].compute(found) == 1
    trivial = score.baseline(run)
    assert set(trivial["predicted"]) == {"brass"} and score.METRICS["accuracy"].compute(trivial) == pytest.approx(1 / 3)


def test_calibration_and_confusions():
    found = report.calibration(np.array([0.05, 0.95, 0.95, 0.85]), np.array([False, True, False, True]))
    assert [one["clips"] for one in found["bins"]] == [1, 1, 2]
    assert found["expected_error"] == pytest.approx((0.05 + 0.15 + 2 * 0.45) / 4)
    counts = np.array([[3, 2, 0], [0, 1, 1], [0, 0, 0]])
    told = report.pairs(counts, ["a", "b", "c"])
    assert told == [
        {"actual": "a", "predicted": "b", "clips": 2, "share": 0.4},
        {"actual": "b", "predicted": "c", "clips": 1, "share": 0.5},
    ]


def test_the_temperature_makes_scores_probabilities(in_tmp):
    """Softmax of an SVM's scores is far too sure or unsure; after it, the validation loss is the lowest."""
    labelled_clips.write(spread=1.5)
    run, *_ = fitted("svm_linear", parameters={"C": 0.1})
    config = json.loads((run.trainings[0][1] / "config.json").read_text())
    pipeline, data = model_file.load(run.trainings[0][1] / "model.skops"), labelled.read(run)
    held = data.of("validation")
    values = pipeline[:-1].transform(data.values[held])
    losses = [
        metrics.log_loss(
            data.classes[held], fit.answers.probabilities(pipeline[-1], values, config["temperature"] * factor)
        )
        for factor in (0.8, 1, 1.25)
    ]
    assert min(losses) == losses[1]


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({}, lambda t: t.assign(split="all"), "no train and no test clips .*split: grouped"),
        ({}, lambda t: t.assign(target_family="brass"), "one class in the train split, 'brass'"),
        (
            {},
            lambda t: t.assign(target_family=t["target_family"].where(t["split"] != "test", "lute")),
            r"1 classes .* no training clip: 'lute' \(15 clips\)",
        ),
        ({}, lambda t: t[t["split"] != "validation"], "no validation clips to choose n_neighbors, weights"),
        ({"target": "famly"}, lambda t: t, "no target 'famly': its targets are family"),
        ({"parameters": {"neighbours": 3}}, lambda t: t, "model knn with .*neighbours"),
    ],
)
def test_what_cannot_be_fitted_is_an_error_that_says_why(in_tmp, options, change, message):
    from pipelines.core import paths
    from pipelines.core.manifest import MANIFEST
    from pipelines.core.tables import write_table

    table = labelled_clips.write()
    write_table(change(table).reset_index(drop=True), paths.manifest("made"), MANIFEST)
    with pytest.raises(ValueError, match=message):
        fitted("knn", **options)


def test_a_file_with_code_is_refused(in_tmp):
    import skops.io

    skops.io.dump({"run": Path.unlink}, "evil.skops")
    with pytest.raises(ValueError, match="no model of this family"):
        model_file.load(Path("evil.skops"))
    Path("cut.skops").write_bytes(b"PK")
    with pytest.raises(ValueError, match="damaged"):
        model_file.load(Path("cut.skops"))


def test_roc_auc_and_map_are_of_each_class_against_the_rest(in_tmp):
    labelled_clips.write(spread=2.0)
    _, _, found = fitted("naive_bayes")
    own = found["actual"][:, None] == np.array(labelled_clips.CLASSES)
    p = found["probabilities"]
    values = {name: score.METRICS[name].compute(found) for name in ("roc_auc", "map")}
    assert values["roc_auc"] == pytest.approx(
        metrics.roc_auc_score(found["actual"], p / p.sum(axis=1, keepdims=True), multi_class="ovr")
    )
    assert values["map"] == pytest.approx(metrics.average_precision_score(own, p))
    assert score.METRICS["map"].chance(found) == pytest.approx(1 / 3) and values["roc_auc"] < 1


def test_of_two_classes_the_roc_auc_is_the_binary_one(in_tmp):
    labelled_clips.write(spread=2.0)
    run, _, found = fitted("logistic", labels={"reed": None}, parameters={"C": 0.1})
    wanted = metrics.roc_auc_score(found["actual"] == "string", found["probabilities"][:, 1])
    assert score.METRICS["roc_auc"].compute(found) == pytest.approx(wanted)
    told = score.details(run, [found])["per_class"]
    ap = metrics.average_precision_score(found["actual"] == "brass", found["probabilities"][:, 0])
    assert told["brass"]["average_precision"] == pytest.approx(ap) and told["string"]["roc_auc"] == pytest.approx(
        wanted
    )


def test_the_fit_says_which_clips_it_left_out(in_tmp):
    table = labelled_clips.write()
    table["title"] = [f"song {number}" for number in range(len(table))]
    table.loc[[0, 1, 2, 3], "target_family"] = None
    write_table(table, paths.manifest("made"), MANIFEST)
    path = paths.features("made", "pooled") / "pooled.parquet"
    pq.write_table(pq.read_table(path).slice(0, 118), path)
    _, figures, _ = fitted("naive_bayes")
    assert figures["clips without family"] == "4 (song 0, song 1, song 2, ...)"
    assert figures["clips that the input lacks"] == "2 (song 118, song 119)"
    labelled_clips.write()
    assert not [name for name in fitted("naive_bayes")[1] if name.startswith("clips ")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"n_neighbors": [1, 91]}}, "model knn with n_neighbors 91 has 90 training clips"),
        (
            {"parameters": {"n_neighbors": 31, "weights": "uniform"}, "learning_curve": [0.25, 1.0]},
            "n_neighbors 31 has 30 training clips",
        ),
    ],
)
def test_what_knn_cannot_do_is_said_in_words(in_tmp, options, message):
    labelled_clips.write()
    with pytest.raises(ValueError, match=message):
        fitted("knn", **options)
