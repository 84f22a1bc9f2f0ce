"""What is chosen on validation is what a plain loop over scikit-learn's models chooses, whatever is shared, on any cores."""

from fractions import Fraction
from types import SimpleNamespace

import labelled_clips
import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from pipelines.tasks import part
from pipelines.tasks.classification.fit import grid, labelled, model_file, preparation, search


@pytest.fixture
def sides(in_tmp):
    labelled_clips.write(n=240, spread=1.6)
    run = labelled_clips.run("knn")
    data = labelled.read(run)
    train, held = data.of("train"), data.of("validation")
    steps = preparation.steps(run.options, data.names).fit(data.values[train])
    values, there = steps.transform(data.values[train]), steps.transform(data.values[held])
    return search.Sides(values, data.classes[train], None, there, data.classes[held])


def module(name):
    return part("classification", f"models.{name}")


@pytest.mark.parametrize("weighted", [False, True])
def test_a_shared_kernel_chooses_as_a_plain_loop(sides, weighted):
    weights = np.where(sides.classes == "reed", 3.0, 0.5) if weighted else None
    sides = search.Sides(sides.values, sides.classes, weights, sides.held, sides.held_classes)
    values = {"C": [0.1, 1.0, 10.0], "gamma": ["scale", "auto", 0.01, 1.0]}
    candidates = grid.choices(values, 1)
    model, chosen, scores = search.best(module("svm_rbf"), candidates, sides, 1)
    direct = [SVC(break_ties=True, **one).fit(sides.values, sides.classes, weights) for one in candidates]
    wanted = [f1_score(sides.held_classes, each.predict(sides.held), average="macro") for each in direct]
    assert scores == pytest.approx(wanted) and len(set(scores)) > 4
    assert chosen == int(np.argmax(wanted)), "of equal ones the first"
    np.testing.assert_array_equal(model.dual_coef_, direct[chosen].dual_coef_)


class Says:
    """A model whose answers are its hyperparameter."""

    def __init__(self, seed, words):
        self.words = np.array(words.split())

    def fit(self, values, classes):
        return self

    def predict(self, values):
        return self.words


@pytest.mark.parametrize("shared", [False, True])
def test_the_metric_of_the_choice_is_the_reported_one(shared):
    """An answer of a class that validation lacks is wrong, and no class: over the clips' classes the first candidate has
    (1 + 2/3) / 2, over those of clips and answers (1 + 2/3 + 0) / 3. The second has (4/5 + 2/3) / 2 by both."""
    held = np.array(["brass", "brass", "reed", "reed"])
    sides = search.Sides(np.zeros((3, 1)), np.array(["brass", "reed", "vocal"]), None, np.zeros((4, 1)), held)
    answers = ["brass brass reed vocal", "brass brass brass reed"]
    module = SimpleNamespace(create=Says)
    if shared:
        module.predictions = lambda candidates, sides: [np.array(one["words"].split()) for one in candidates]
    model, chosen, scores = search.best(module, [{"words": one} for one in answers], sides, 1)
    assert scores == pytest.approx([float(Fraction(5, 6)), float(Fraction(11, 15))])
    assert chosen == 0 and model.predict(None).tolist() == answers[0].split()
    other = [f1_score(held, one.split(), average="macro") for one in answers]
    assert other == pytest.approx([float(Fraction(5, 9)), float(Fraction(11, 15))]), "which chooses the other"


def test_other_parameters_share_no_kernel(sides):
    assert module("svm_rbf").predictions([{"C": 1.0, "gamma": 0.1, "tol": 0.01}] * 2, sides) is None


def test_the_bytes_of_a_model_do_not_depend_on_the_cores(sides, tmp_path, monkeypatch):
    found = {}
    for cores in (1, 2):
        monkeypatch.setattr(search.executor, "n_workers", lambda wanted=0, n=cores: n)
        monkeypatch.setattr(search, "WORTH_S", 0.0)
        for name, values in (
            ("random_forest", {"n_estimators": 8, "min_samples_leaf": [1, 3]}),
            ("svm_linear", {"C": [0.01, 0.1, 1.0]}),
            ("adaboost", {"n_estimators": 2, "max_depth": [1, 2]}),
        ):
            model, chosen, scores = search.best(module(name), grid.choices(values, 1), sides, 7)
            model_file.save(Pipeline([("model", model)]), tmp_path / name)
            found.setdefault(name, []).append((chosen, scores, (tmp_path / name).read_bytes()))
    for name, (alone, together) in found.items():
        assert alone == together, name
