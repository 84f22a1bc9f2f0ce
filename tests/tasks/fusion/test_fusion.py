"""Late fusion: closed forms and scikit-learn, missing answers, and that nothing is fitted on test clips."""

from pathlib import Path

import fused_runs
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from pipelines import tasks
from pipelines.metrics import scores
from pipelines.report import task_page
from pipelines.tasks.fusion import fit, score
from pipelines.tasks.fusion.fit import run_answers

MODELS = sorted(path.stem for path in (tasks.FOLDER / "fusion/models").glob("[!_]*.py"))


def fitted(run):
    for seed, folder in run.trainings:
        fit.fit(run, seed, folder)
    return [score.predict(run, folder) for _, folder in run.trainings]


def of(name):
    return pq.read_table(f"data/answers/made/classification/{name}/test-2026.parquet").to_pandas()


def model(name):
    return tasks.part("fusion", f"models.{name}")


distributions = arrays.arrays(np.float64, (3, 5, 4), elements=st.floats(0.01, 1)).map(
    lambda p: p / p.sum(axis=2, keepdims=True)
)


@settings(max_examples=40, deadline=None)
@given(distributions)
def test_fused_probabilities_do_not_depend_on_the_order_of_runs_and_a_run_fused_with_itself_is_itself(p):
    for name in ("mean", "vote"):
        found = model(name).fuse(p, {})
        np.testing.assert_allclose(found.sum(axis=1), 1)
        np.testing.assert_allclose(found, model(name).fuse(p[::-1], {}))
        alone = np.repeat(p[:1], 3, axis=0)
        assert (model(name).fuse(alone, {}).argmax(axis=1) == p[0].argmax(axis=1)).all()
    np.testing.assert_allclose(model("mean").fuse(np.repeat(p[:1], 3, axis=0), {}), p[0])


def test_mean_and_vote_are_those_of_scikit_learn():
    rng = np.random.default_rng(4)
    classes = rng.integers(0, 4, 400)
    values = rng.normal(size=(400, 2)) + np.stack([classes % 2, classes // 2], axis=1)
    models = [("linear", LogisticRegression()), ("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=3))]
    soft, hard = (VotingClassifier(models, voting=how).fit(values[:200], classes[:200]) for how in ("soft", "hard"))
    p = np.array([each.predict_proba(values[200:]) for each in soft.estimators_])
    np.testing.assert_allclose(model("mean").fuse(p, {}), soft.predict_proba(values[200:]))
    votes = np.stack([np.bincount(each, minlength=4) for each in p.argmax(axis=2).T])
    tied = votes == votes.max(axis=1, keepdims=True)
    clear = tied.sum(axis=1) == 1
    found = model("vote").fuse(p, {}).argmax(axis=1)
    assert (found[clear] == hard.predict(values[200:])[clear]).all() and not clear.all()
    assert (found == np.where(tied, p.mean(axis=0), -1).argmax(axis=1)).all(), "of equally many votes the mean decides"


def test_stacking_is_scikit_learns_regression_on_the_validation_answers(in_tmp):
    fused_runs.answers("audio", 1)
    fused_runs.answers("words", 2)
    run = fused_runs.run("stacking")
    (found,) = fitted(run)
    held, test = run_answers.read(run, 0, "validation"), run_answers.read(run, 0, "test")
    inputs = [np.log(np.concatenate(list(each.probabilities), axis=1)) for each in (held, test)]
    direct = LogisticRegression(max_iter=5000).fit(inputs[0], held.actual)
    np.testing.assert_allclose(found["probabilities"], direct.predict_proba(inputs[1]), atol=1e-4)
    first = {key: value.copy() for key, value in found.items()}
    fused_runs.answers("audio", 1, actual=np.roll(first["actual"], 3))
    fused_runs.answers("words", 2, actual=np.roll(first["actual"], 3))
    np.testing.assert_array_equal(fitted(run)[0]["probabilities"], first["probabilities"])


def test_stacking_of_two_classes(in_tmp):
    for number, name in enumerate(("audio", "words")):
        fused_runs.answers(name, number, classes=("brass", "reed"))
    run = fused_runs.run("stacking")
    (found,) = fitted(run)
    held, test = run_answers.read(run, 0, "validation"), run_answers.read(run, 0, "test")
    inputs = [np.log(np.concatenate(list(each.probabilities), axis=1)) for each in (held, test)]
    direct = LogisticRegression(max_iter=5000).fit(inputs[0], held.actual)
    np.testing.assert_allclose(found["probabilities"], direct.predict_proba(inputs[1]), atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_a_fusion_of_independent_runs_is_better_than_each(in_tmp, name):
    for number, each in enumerate(("audio", "notes", "words")):
        fused_runs.answers(each, number, n=150)
    run = fused_runs.run(name, ("audio", "notes", "words"))
    found = fitted(run)
    scored, _ = scores.score(score.METRICS, found, score.baseline(run), "test", 50, 1)
    told = score.details(run, found)["alone"]
    for each, one in told.items():
        table = of(each)
        assert one["value"] == pytest.approx(f1_score(table["actual"], table["predicted"], average="macro"))
        assert one["fused"] == pytest.approx(scored["macro_f1"]["value"]) and one["missing"] == 0
        assert one["difference"]["value"] == pytest.approx(one["fused"] - one["value"])
        assert one["difference"]["better"] == "a", each
    assert all(passed for passed, _ in score.checks(run, found).values())
    assert set(score.baseline(run)["predicted"]) == {"brass"}


@pytest.mark.parametrize("name", MODELS)
def test_where_a_run_has_no_answer_the_others_are_fused(in_tmp, name):
    fused_runs.answers("audio", 1)
    fused_runs.answers("words", 2, without=range(20, 60))
    run = fused_runs.run(name)
    (found,) = fitted(run)
    assert len(found["unit"]) == 60 and np.isfinite(found["probabilities"]).all()
    if name == "mean":
        np.testing.assert_allclose(found["probabilities"][20:], np.stack(of("audio")["probabilities"])[20:], rtol=1e-6)
    if name != "stacking":
        assert found["predicted"][20:].tolist() == of("audio")["predicted"][20:].tolist()
    told = score.details(run, [found])["alone"]
    assert (told["words"]["n"], told["words"]["missing"], told["audio"]["missing"]) == (20, 40, 0)
    passed, sentence = score.checks(run, [found])["every run answers every clip"]
    assert not passed and sentence.startswith("words has no answer to 40 of 60 test clips")


def test_training_n_takes_training_n_of_each_run(in_tmp):
    fused_runs.answers("audio", 1, trainings=2)
    fused_runs.answers("words", 2)
    run = fused_runs.run("mean", trainings=2)
    a, b = fitted(run)
    second = pq.read_table("data/answers/made/classification/audio/test-2027.parquet").to_pandas()
    wanted = (np.stack(second["probabilities"]) + np.stack(of("words")["probabilities"])) / 2
    np.testing.assert_allclose(b["probabilities"], wanted, rtol=1e-5)
    assert not np.allclose(a["probabilities"], b["probabilities"])


def test_a_class_that_a_run_does_not_know_is_one_it_never_gives(in_tmp):
    fused_runs.answers("audio", 1, n=9, classes=("brass", "reed"))
    fused_runs.answers("words", 2, n=9, without=range(9))
    held = run_answers.read(fused_runs.run("mean"), 0, "test")
    assert held.classes.tolist() == ["brass", "reed", "string"] and (held.probabilities[0, :, 2] == 0).all()
    assert held.priors.tolist() == [0.5, 0.3, 0.2] and np.isnan(held.probabilities[1]).all()


@pytest.mark.parametrize(
    ("prepare", "runs", "message"),
    [
        (lambda: None, ("audio",), "audio: name at least two"),
        (lambda: None, ("audio", "word"), "word is no run of classification on made; there is audio, words"),
        (
            lambda: fused_runs.answers("words", 2, actual=np.full(60, "reed")),
            ("audio", "words"),
            "disagree about the class of 39 clips, for instance u00.*words has another target",
        ),
        (
            lambda: fused_runs.answers("words", 2, unit=np.array([f"u{n:04d}" for n in range(1000, 1060)])),
            ("audio", "words"),
            r"60 clips, for instance u1000, are validation clips of words and not of words: .*same `split`",
        ),
        (
            lambda: fused_runs.write_json(fused_runs.Path("data/answers/made/classification/words/about.json"), None),
            ("audio", "words"),
            "words cannot be fused: its clips have several labels",
        ),
    ],
)
def test_runs_that_do_not_fit_together_are_an_error_that_says_why(in_tmp, prepare, runs, message):
    fused_runs.answers("audio", 1)
    fused_runs.answers("words", 2)
    prepare()
    run = fused_runs.run("mean", runs)
    with pytest.raises(ValueError, match=message):
        fitted(run)


@pytest.mark.parametrize(
    ("groups", "passed", "told"),
    [
        ((True, "0 of 40 groups are on several sides"), True, "0 groups have validation and test clips"),
        ((False, "9 of 40 groups are on several sides"), False, "words: 9 of 40 groups are on several sides"),
        ((None, "no two clips share a group"), None, "words: no two clips share a group"),
        (None, None, "words: its answers do not say"),
    ],
)
def test_a_fusion_is_no_more_honest_than_the_splits_of_its_runs(in_tmp, groups, passed, told):
    fused_runs.answers("audio", 1)
    fused_runs.answers("words", 2, groups=groups)
    run = fused_runs.run("mean")
    found, sentence = score.checks(run, fitted(run))["no group on two sides"]
    assert found is passed and told in sentence


def test_without_validation_clips_a_fusion_takes_its_runs_word(in_tmp):
    torn = (False, "9 of 40 groups are on several sides")
    for name, groups in (("audio", (True, "")), ("words", torn)):
        fused_runs.answers(name, 1, groups=groups)
        path = Path(f"data/answers/made/classification/{name}/validation-2026.parquet")
        pq.write_table(pq.read_table(path).slice(0, 0), path)
    run = fused_runs.run("mean")
    found, sentence = score.checks(run, fitted(run))["no group on two sides"]
    assert found is False and sentence == f"there are no validation clips; words: {torn[1]}"


def test_a_fusion_of_runs_with_groups_on_two_sides_is_never_the_best(in_tmp):
    Path("data/scores/late").mkdir(parents=True)
    fused_runs.answers("audio", 1)
    fused_runs.answers("words", 2, groups=(False, "9 of 40 groups are on several sides"))
    run = fused_runs.run("mean")
    checks = {f"guards: {name}": check for name, check in score.checks(run, fitted(run)).items()}
    fused_runs.write_json(Path("data/scores/late/checks.json"), checks)
    assert task_page.ranked(task_page.Task("fusion", {"late": {"macro_f1": {"value": 0.9}}}, [], {})) == []
