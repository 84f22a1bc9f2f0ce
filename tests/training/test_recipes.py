"""Recipes as params.yaml has them: what the published one does step by step, what an entry may change, what is refused."""

import pytest
import torch
from torch import nn

from pipelines.ops.settings import load_params
from pipelines.training import recipes


def resolve(entry, **recipe):
    settings = load_params()
    settings["taggers"] = {"short": {"network": "short", "reads": "log_mel", **entry}}
    settings["recipes"]["other"] = {**settings["recipes"]["modern"], **recipe}
    return recipes.resolve(settings, "short")


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
    assert found["batch_size"] == 2 and found["seed"] == load_params()["training"]["seed"]


def test_the_cosine_rises_over_a_tenth_and_ends_at_zero():
    shape = recipes.SCHEDULES["cosine"]
    assert shape(0, 100) == pytest.approx(0.1) and shape(100, 100) == pytest.approx(0)
    assert shape(50, 100) == pytest.approx(0.5)
    assert max(range(100), key=lambda step: shape(step, 100)) in range(5, 15)


def test_devices_share_a_batch_equally(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(recipes.os, "cpu_count", lambda: 4)
    assert on_devices(4, 16)["devices"] == 4 and on_devices("auto", 15)["devices"] == "auto"
    with pytest.raises(SystemExit, match="training.devices in params.yaml is 8: this machine has 4 cores, and no GPU"):
        on_devices(8, 16)
    with pytest.raises(SystemExit, match="taggers.short has a batch_size of 16, which is not divisible by 3"):
        on_devices(3, 16)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    with pytest.raises(
        SystemExit, match="training.devices in params.yaml is auto, 3 here, .* which is not divisible by 3"
    ):
        on_devices("auto", 16)
    with pytest.raises(SystemExit, match="training.devices in params.yaml is 4: this machine has 3 GPUs"):
        on_devices(4, 16)


def on_devices(devices, batch_size):
    settings = load_params()
    settings["training"]["devices"] = devices
    settings["taggers"] = {"short": {"recipe": "modern", "width": 1.0, "batch_size": batch_size}}
    return recipes.resolve(settings, "short")
