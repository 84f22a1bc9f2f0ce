"""Runs with several labels a clip: against scikit-learn called directly, the baseline's closed form, and bad labels."""

import json

import numpy as np
import pytest
import tagged_clips
from helpers import some
from scipy.special import expit
from sklearn import metrics
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from test_classifiers import FEWER, MODELS

from pipelines.metrics import scores as run_scores
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import model_file, multilabel, one_vs_rest
from pipelines.tasks.classification.score import guards


def fitted(model, **options):
    run = tagged_clips.run(model, **options)
    figures = fit.fit(run, 2026, run.trainings[0][1])
    return run, figures, score.predict(run, run.trainings[0][1])


def config(run):
    return json.loads((run.trainings[0][1] / "config.json").read_text())


@pytest.mark.parametrize(
    ("model", "create"),
    [
        ("logistic", lambda: LogisticRegression(C=0.1, max_iter=1000)),
        ("svm_linear", lambda: LinearSVC(C=0.1, random_state=2026, max_iter=5000)),
    ],
)
def test_each_label_is_scored_as_a_model_of_its_own(in_tmp, model, create):
    truth = tagged_clips.write()
    run, _, found = fitted(model, parameters={"C": 0.1})
    data = multilabel.read(run)
    train, test = data.of("train"), data.of("test")
    np.testing.assert_array_equal(found["actual"], truth[test])
    scaler = StandardScaler().fit(data.values[train])
    for place in range(4):
        direct = create().fit(scaler.transform(data.values[train]), truth[train, place])
        values = scaler.transform(data.values[test])
        if model == "logistic":
            wanted = direct.predict_proba(values)[:, 1]
        else:
            wanted = expit(2 * direct.decision_function(values) / config(run)["temperature"])
        np.testing.assert_allclose(found["scores"][:, place], wanted, atol=1e-5)


@pytest.mark.parametrize("model", some(MODELS, "svm_rbf", "naive_bayes"))
def test_every_model_learns_labels_and_its_file_answers_alike(in_tmp, model):
    tagged_clips.write()
    run, figures, found = fitted(model, parameters=FEWER.get(model, {}))
    scored, _ = run_scores.score(score.metrics(run), [found], score.baseline(run), "test", 50, 1)
    assert next(iter(scored)) == "macro_f1" and set(scored) == {"macro_f1", "micro_f1", "map", "roc_auc"}
    assert scored["roc_auc"]["value"] > 0.85 and scored["macro_f1"]["gain_ci95"][0] > 0
    assert figures["classes"] == 4 and figures["validation mAP"] > 0.6
    before = (run.trainings[0][1] / "model.skops").read_bytes()
    fit.fit(run, 2026, run.trainings[0][1])
    assert (run.trainings[0][1] / "model.skops").read_bytes() == before, "the same clips and seed give the same bytes"


def test_hyperparameters_and_thresholds_are_the_best_on_validation(in_tmp):
    truth = tagged_clips.write()
    run, figures, found = fitted("knn", parameters={"n_neighbors": [1, 25], "weights": "uniform"})
    tried = {one["n_neighbors"]: one["validation_map"] for one in config(run)["tried"]}
    assert figures["n_neighbors"] == max(tried, key=tried.get) and tried[1] != tried[25]
    limits, data = config(run)["thresholds"], multilabel.read(run)
    held = data.of("validation")
    pipeline = model_file.load(run.trainings[0][1] / "model.skops")
    said = one_vs_rest.probabilities(pipeline, data.values[held], config(run)["temperature"])
    for place in range(4):
        own = metrics.f1_score(truth[held, place], said[:, place] >= limits[place])
        others = [metrics.f1_score(truth[held, place], said[:, place] >= limit) for limit in np.unique(said[:, place])]
        assert own == pytest.approx(max(others))
    np.testing.assert_array_equal(found["predicted"], found["scores"] >= np.float32(limits))


def test_the_baseline_gives_every_label_to_every_clip(in_tmp):
    truth = tagged_clips.write()
    run, *_ = fitted("naive_bayes")
    trivial, data = score.baseline(run), multilabel.read(run)
    share = truth[data.of("test")].mean(axis=0)
    values = {name: metric.compute(trivial) for name, metric in score.metrics(run).items()}
    assert values["macro_f1"] == pytest.approx(np.mean(2 * share / (1 + share)))
    assert values["map"] == pytest.approx(share.mean()) and values["roc_auc"] == 0.5
    np.testing.assert_allclose(trivial["scores"][0], truth[data.of("train")].mean(axis=0), rtol=1e-6)


def test_details_of_each_label_are_scikit_learns(in_tmp):
    tagged_clips.write()
    run, _, found = fitted("naive_bayes")
    told = score.details(run, [found])
    assert list(told["per_label"]) == sorted(tagged_clips.TAGS)
    for place, one in enumerate(told["per_label"].values()):
        truth, said, ranked = (found[key][:, place] for key in ("actual", "predicted", "scores"))
        wanted = metrics.precision_recall_fscore_support(truth, said, average="binary", zero_division=0)
        assert (one["precision"], one["recall"], one["f1"]) == pytest.approx(wanted[:3])
        assert one["support"] == truth.sum() and one["f1_ci95"][0] <= one["f1"] <= one["f1_ci95"][1]
        assert one["average_precision"] == pytest.approx(metrics.average_precision_score(truth, ranked))
        assert one["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, ranked))
    most = np.zeros_like(found["actual"])
    most[:, int(np.argmax(config(run)["priors"]))] = True
    assert told["most_frequent"]["micro_f1"] == pytest.approx(metrics.f1_score(found["actual"], most, average="micro"))
    guards = score.checks(run, [found])
    assert guards["no group on two sides"][0] and guards["preparation saw training clips only"][0]
    assert guards["enough clips of each label"][0]


def test_a_split_by_group_keeps_groups_whole_and_labels_on_each_side(in_tmp):
    tagged_clips.write(change=lambda table: table.assign(split="all"))
    data = multilabel.read(tagged_clips.run("knn", split="grouped"))
    sides = data.clips.assign(side=data.sides).groupby("group")["side"].nunique()
    assert (sides == 1).all() and all(data.classes[data.of(side)].sum(axis=0).min() >= 5 for side in set(data.sides))


def untagged(table):
    return table.assign(tags=[[] if n in (2, 3, 17) else own for n, own in enumerate(table["tags"])])


def test_clips_without_labels_are_refused_or_are_what_the_run_says(in_tmp):
    tagged_clips.write(change=untagged)
    with pytest.raises(
        ValueError, match=r"3 clips of dataset 'made' have no label, for instance 0000000000000002 \(x\)"
    ):
        multilabel.read(tagged_clips.run("knn"))
    assert len(multilabel.read(tagged_clips.run("knn", untagged="leave_out")).clips) == 157
    kept = multilabel.read(tagged_clips.run("knn", untagged="keep"))
    assert len(kept.clips) == 160 and not kept.classes[[2, 3, 17]].any()


def test_labels_are_joined_and_left_out_and_a_clip_may_then_have_none(in_tmp):
    truth = tagged_clips.write()
    data = multilabel.read(tagged_clips.run("knn", labels={"loud": "dynamics", "soft": "dynamics", "vocal": None}))
    assert data.labels == ["dynamics", "fast"]
    np.testing.assert_array_equal(data.classes[:, 0], truth[:, 1] | truth[:, 2])
    np.testing.assert_array_equal(data.classes[:, 1], truth[:, 0])
    with pytest.raises(ValueError, match="no tags lod"):
        multilabel.read(tagged_clips.run("knn", labels={"lod": None}))


def only(where, tag):
    """The tag at these clips alone."""

    def change(table):
        rows = zip(table["tags"], where(table), strict=True)
        return table.assign(
            tags=[[one for one in own if one != tag] + [tag] * there or ["soft"] for own, there in rows]
        )

    return change


@pytest.mark.parametrize(
    ("options", "change", "message"),
    [
        ({}, lambda t: t.assign(split="all"), "no train and no test clips with labels: `split: grouped`"),
        (
            {},
            only(lambda t: t["split"] == "test", "vocal"),
            r"1 labels .* no training clip: 'vocal' \(32 clips\); .*null",
        ),
        ({}, only(lambda t: t["split"] != "none", "vocal"), "1 labels belong to every training clip.*'vocal'"),
        ({"labels": {"fast": None, "loud": None, "vocal": None}}, lambda t: t, "1 labels to learn; at least two"),
        ({"imbalance": "subsampling"}, lambda t: t, "imbalance subsampling is of one label"),
        ({"selection": "l1"}, lambda t: t, "selection l1 is by one label"),
        ({"parameters": {"neighbours": 3}}, lambda t: t, "model knn with .*neighbours"),
    ],
)
def test_what_cannot_be_learned_is_an_error_that_says_why(in_tmp, options, change, message):
    tagged_clips.write(change=change)
    with pytest.raises(ValueError, match=message):
        fitted("knn", **options)


def test_another_dataset_is_scored_on_the_runs_labels(in_tmp):
    tagged_clips.write()
    run, *_ = fitted("logistic", parameters={"C": 1.0})
    renamed = {"vocal": "song"}

    def rename(table):
        return table.assign(split="all", tags=[[renamed.get(tag, tag) for tag in own] for own in table["tags"]])

    truth = tagged_clips.write(seed=5, n=60, name="other", change=rename)
    cross = tagged_clips.tested_on(run, "other", labels={"song": "vocal"})
    found = score.predict(cross, run.trainings[0][1])
    np.testing.assert_array_equal(found["actual"], truth)
    assert score.checks(cross, [found])["enough clips of each label"][0]
    with pytest.raises(ValueError, match="song .*was fitted on fast, loud, soft, vocal"):
        score.predict(tagged_clips.tested_on(run, "other", labels={}), run.trainings[0][1])


def test_new_files_get_the_labels_above_their_thresholds(in_tmp):
    from pipelines.tasks.classification import predict

    tagged_clips.write()
    run, _, found = fitted("logistic", parameters={"C": 1.0})
    ids = [f"{number:016x}" for number in range(160)]
    answers = predict.predict(run, run.trainings[0][1], run.input, ids)
    test = multilabel.read(run).of("test")
    for row, place in enumerate(test):
        wanted = [tag for tag, there in zip(sorted(tagged_clips.TAGS), found["predicted"][row], strict=True) if there]
        assert answers[place]["predicted"] == wanted
    assert predict.line(answers[0], 2).count(",") == 1
    assert 0 < sum(one["outside_training_music"] for one in answers) < 20


def test_a_property_that_tells_one_label_fails_its_guard(in_tmp):
    def longer(table):
        return table.assign(duration_s=[3.0 if "vocal" in tags else 2.0 for tags in table["tags"]])

    tagged_clips.write(change=longer)
    run, _, found = fitted("naive_bayes")
    checks = score.checks(run, [found])
    passed, told = checks["duration does not tell the labels"]
    assert passed is False and "1 of 4 labels" in told and "1.000, of vocal" in told
    assert checks["encoding does not tell the labels"][0] and checks["what is missing does not tell the labels"][0]
    assert checks["level does not tell the labels"] == (None, "the run reads no RMS")
    assert checks["chosen on validation clips"] == (None, "not computed for several labels")
    assert "no recording on two sides" in checks


def test_noise_tells_no_label_however_rare(in_tmp):
    """Five of a hundred test clips have a label: by luck a tree that guesses has a balanced accuracy of .7 for some of them."""
    rng = np.random.default_rng(3)
    truth = rng.random((600, 40)) < 0.05
    sides = np.repeat(["train", "test"], [500, 100])
    data = multilabel.MultiLabelled(None, np.zeros((600, 0)), truth, sides, [], [f"label {n}" for n in range(40)])
    passed, told = guards._probe(data, rng.normal(size=(600, 1)))
    assert passed and "0 of 40 labels" in told


def test_a_run_is_better_than_giving_every_label_only_by_an_interval(in_tmp):
    tagged_clips.write()
    run, _, found = fitted("naive_bayes")
    name, trivial = "better than giving every label", score.baseline(run)
    passed, told = score.checks(run, [found])[name]
    wanted = metrics.f1_score(found["actual"], found["predicted"], average="macro")
    assert passed is True and told.startswith(f"macro F1 {wanted:.3f}, ")
    assert score.checks(run, [found | {"predicted": trivial["predicted"]}])[name][0] is False


def test_the_fit_says_which_clips_it_left_out(in_tmp):
    tagged_clips.write(change=untagged)
    assert fitted("naive_bayes", untagged="leave_out")[1]["clips without tags"] == "3 (x, x, x)"
    assert "clips without tags" not in fitted("naive_bayes", untagged="keep")[1]


def test_too_many_neighbours_are_said_in_words(in_tmp):
    tagged_clips.write()
    with pytest.raises(ValueError, match="model knn with n_neighbors 97 has 96 training clips"):
        fitted("knn", parameters={"n_neighbors": 97, "weights": "uniform"})
