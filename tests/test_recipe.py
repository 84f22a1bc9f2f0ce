"""The recipe holds together: every stage says what it is, arrows point one way, and nothing heavy is in git."""

import ast
import subprocess

import pytest
import yaml
from helpers import PROJECT

from pipelines import recipe
from pipelines.report import provenance

RECIPE = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
WINGS = [  # may import itself and what stands after it
    {"stages", "cli", "run", "registry", "retention", "status"},
    {"datasets", "lineage", "training", "report"},
    {"evaluation", "features", "models"},
    {"audio", "symbolic"},
    {"alerts"},
    {"runs"},
    {"remotes"},
    {"executor", "params", "place", "progress", "recipe"},
    {"store"},
]


@pytest.mark.parametrize("name", sorted(RECIPE["stages"]))
def test_every_stage_is_described(name):
    stage = RECIPE["stages"][name].get("do", RECIPE["stages"][name])
    assert len(stage["desc"]) > 30
    assert {"group", "kinds", "owner"} <= set(stage["meta"]) and stage["meta"]["owner"].startswith("team:")
    assert ("items" in stage["meta"]) == ("foreach" in RECIPE["stages"][name])
    module = stage["cmd"].split("-m ")[-1].split()[0].replace(".", "/") + ".py"
    assert module in stage["deps"] and (PROJECT / module).exists()
    assert any("data/records/" in str(out) for out in stage["outs"])


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize(
    "path", sorted((PROJECT / "pipelines").rglob("*.py")), ids=lambda p: str(p.relative_to(PROJECT))
)
def test_arrows_point_one_way(path):
    def rank(wing):
        return next((number for number, wings in enumerate(WINGS) if wing in wings), None)

    own = rank(path.relative_to(PROJECT / "pipelines").parts[0].removesuffix(".py"))
    for name in imports(path):
        assert name.split(".")[0] not in ("dagster", "assets"), "the scheduler stays in assets/"
        parts = name.split(".")
        if parts[0] == "pipelines" and len(parts) > 1 and own is not None and rank(parts[1]) is not None:
            assert rank(parts[1]) >= own, f"{path.name} imports {name}"


def test_the_report_depends_on_what_it_shows_of_params_and_no_more():
    """A policy that is changed (registry.automatic, retention, alerts) makes no report stale."""
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text()) | {"alerts": {"every_s": 60}}
    named = RECIPE["stages"]["report"]["params"]
    assert sorted(provenance.shown(settings)) == sorted(named)
    assert {name for name, _ in provenance.parameters(settings)} == set(named)
    assert {key.partition(".")[0] for key, _ in provenance.seeds(settings)} <= set(named)


def test_nothing_large_and_nothing_pickled_is_in_git():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this copy is not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = PROJECT / name
        assert path.suffix not in (".pkl", ".pt", ".pth", ".ckpt", ".parquet"), name
        assert not path.exists() or path.stat().st_size < 1_000_000, name


def test_origin_and_code_version(in_tmp):
    lock = {
        "schema": "2.0",
        "stages": {
            "audio@mine": {
                "cmd": "python -m x",
                "deps": [{"path": "pipelines/a.py", "md5": "1"}, {"path": "data/raw/mine", "md5": "2"}],
                "params": {"params.yaml": {"audio": {"sample_rate": 16000}}},
                "outs": [{"path": "data/audio/mine", "md5": "3.dir"}],
            }
        },
    }
    (in_tmp / "dvc.lock").write_text(yaml.safe_dump(lock))
    found = recipe.origin("data/audio/mine", recipe.locked_stages())
    assert (
        found["stage"] == "audio@mine" and found["data"] == "3.dir" and found["params"]["audio"]["sample_rate"] == 16000
    )
    entry = lock["stages"]["audio@mine"]
    before = recipe.code_version(entry)
    entry["deps"][1]["md5"] = "other data"
    assert recipe.code_version(entry) == before
    entry["deps"][0]["md5"] = "other code"
    assert recipe.code_version(entry) != before
    assert recipe.origin("nowhere", recipe.locked_stages()) is None
