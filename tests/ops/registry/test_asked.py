"""`retrain --set`: a parameter that is there, and a value of its kind."""

import json
import re

import pytest
import yaml

from pipelines.ops.registry import overrides
from pipelines.ops.registry.errors import RegistryError


def test_set_parameter_keeps_comments_and_names_what_is_not_there(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("training:\n  seed: 1  # for all\n  leave_out: {}\n")
    overrides.set_parameter(path, "training.seed=7")
    overrides.set_parameter(path, "training.leave_out={style: [a]}")
    assert "  seed: 7  # for all\n" in path.read_text()
    assert yaml.safe_load(path.read_text()) == {"training": {"seed": 7, "leave_out": {"style": ["a"]}}}
    for change in ("training.sead=1", "training", "seed=1", "training.seed.x=1", "training.seed={"):
        with pytest.raises(RegistryError, match="--set"):
            overrides.set_parameter(path, change)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ("seed=abc", "a number"), ("seed=true", "a number"), ("seed=", "the value is missing"),
        ("fast=1", "true or false"), ("maps=umap", "a list"), ("leave_out=[style]", "a table"),
    ],
)  # fmt: skip
def test_a_parameter_keeps_its_kind(tmp_path, change, wanted):
    path = tmp_path / "params.yaml"
    path.write_text("{seed: 1, rate: 0.5, fast: false, maps: [], leave_out: {}, limit: null, devices: auto}\n")
    before = path.read_bytes()
    with pytest.raises(RegistryError, match=f"--set {re.escape(change)}: .*{wanted}"):
        overrides.set_parameter(path, change)
    assert path.read_bytes() == before
    right = {
        "seed": 7,
        "rate": 1,
        "fast": True,
        "maps": ["umap"],
        "leave_out": {"style": ["a"]},
        "limit": 3,
        "devices": 2,
    }
    for key, value in right.items():
        overrides.set_parameter(path, f"{key}={json.dumps(value)}")
    assert yaml.safe_load(path.read_text()) == right
    for value in ("null", "auto"):
        overrides.set_parameter(path, f"devices={value}")
    for change, value in (
        ("rate=1e-3", 0.001),
        ("rate=learnt", "learnt"),
        ("maps=all", "all"),
        ("leave_out=null", None),
    ):
        path.write_bytes(before)
        overrides.set_parameter(path, change)
        assert yaml.safe_load(path.read_text())[change.partition("=")[0]] == value
