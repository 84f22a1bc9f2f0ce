"""Recipes as params.yaml has them: what the published one does step by step, what an entry may change, what is refused."""

import pytest
import torch
from torch import nn

from pipelines import params
from pipelines.training import recipes


def resolve(entry, **recipe):
    settings = params.load()
    settings["taggers"] = {"log_mel": {"short": entry}}
    settings["recipes"]["other"] = {**settings["recipes"]["modern"], **recipe}
    return recipes.resolve(settings, "log_mel", "short")


def test_the_published_recipe():
    """Won et al. 2020 and its code: 80 epochs of Adam, then SGD of 1e-3, 1e-4 and 1e-5 for 20, 20 and 80."""
    found = resolve({"recipe": "published", "width": 1.0})
    assert [(p["optimizer"], p["learning_rate"], p["epochs"]) for p in found["phases"]] == [
        ("adam", 1e-4, 80),
        ("sgd", 1e-3, 20),
        ("sgd", 1e-4, 20),
        ("sgd", 1e-5, 80),
    ]
    assert (
        found["monitor"] == "loss" and found["chunks_per_clip"] == 1 and not found["augment"] and not found["patience"]
    )
    made = recipes.optimizer(nn.Linear(2, 2), found["phases"][1], 10)["optimizer"]
    assert isinstance(made, torch.optim.SGD) and made.defaults["nesterov"] and made.defaults["momentum"] == 0.9
    assert made.defaults["weight_decay"] == 1e-4


def test_an_entry_changes_its_recipe():
    found = resolve({"recipe": "modern", "width": 0.5, "epochs": 3, "learning_rate": 0.1, "batch_size": 2})
    assert found["phases"] == [
        {"optimizer": "adamw", "learning_rate": 0.1, "weight_decay": 0.0001, "schedule": "cosine", "epochs": 3}
    ]
    assert found["batch_size"] == 2 and found["seed"] == params.load()["training"]["seed"]


def test_the_cosine_rises_over_a_tenth_and_ends_at_zero():
    shape = recipes.SCHEDULES["cosine"]
    assert shape(0, 100) == pytest.approx(0.1) and shape(100, 100) == pytest.approx(0)
    assert shape(50, 100) == pytest.approx(0.5)
    assert max(range(100), key=lambda step: shape(step, 100)) in range(5, 15)


@pytest.mark.parametrize(
    "entry, recipe, said",
    [
        ({"recipe": "modern", "epoch": 3}, {}, "short.epoch in params.yaml is no part of a recipe"),
        ({"recipe": "published", "epochs": 3}, {}, "'published' has 4 phases"),
        ({"recipe": "other"}, {"phases": [{"optimizer": "lion"}]}, "optimizer has 'lion'; there is adam, adamw, sgd"),
        (
            {"recipe": "other"},
            {"phases": [{"optimizer": "sgd", "schedule": "step"}]},
            "schedule has 'step'; there is constant, cosine",
        ),
        ({"recipe": "modern", "monitor": "f1"}, {}, "monitor has 'f1'"),
        ({"recipe": "modern", "augment": {"gain": 3}}, {}, "augment has 'gain'; there is gain_db"),
    ],
)
def test_what_is_wrong_is_named(entry, recipe, said):
    with pytest.raises(SystemExit, match=said):
        resolve({"width": 1.0, **entry}, **recipe)
