"""The recipe holds together: every stage says what it is, arrows point one way, and nothing heavy is in git."""

import ast
import re
import subprocess

import networkx
import pytest
import yaml
from helpers import PROJECT

from pipelines import recipe
from pipelines.report import provenance

RECIPE = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
PACKAGES = [  # may import itself and what stands after it
    {"cli", "generating", "predict", "precompile", "separating"},
    {"ops", "stages"},
    {"tasks"},
    {"corpora", "datasets", "novelty", "report", "training", "views"},
    {"representations"},
    {"evaluation", "features", "inference", "models"},
    {"metrics"},
    {"audio", "notes", "symbolic"},
    {"recipe"},
    {"harness"},
    {"core"},
]
OPS = [
    {"run_command"},
    {"profiles", "registry", "retention", "status"},
    {"adding", "adding_notes", "due", "estimate", "families", "lineage", "presets", "run", "side_by_side"},
    {"alerts", "dvc", "remotes", "settings"},
    {"project_root"},
    {"runs"},
    {"failing", "patches", "registrations"},
]


@pytest.mark.parametrize("name", sorted(RECIPE["stages"]))
def test_every_stage_is_described(name):
    stage = RECIPE["stages"][name].get("do", RECIPE["stages"][name])
    assert len(stage["desc"]) > 30
    assert {"group", "kinds", "owner"} <= set(stage["meta"]) and stage["meta"]["owner"].startswith("team:")
    assert ("items" in stage["meta"]) == ("foreach" in RECIPE["stages"][name])
    command = stage["cmd"] if isinstance(stage["cmd"], str) else stage["cmd"][-1]
    module = command.split("-m ")[-1].split()[0].replace(".", "/") + ".py"
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
    own = path.relative_to(PROJECT).with_suffix("").parts
    if own == ("pipelines", "__init__") or own[1:] == ("ops", "__init__"):
        return
    for name in imports(path):
        parts = name.split(".")
        assert parts[0] not in ("dagster", "assets"), "the scheduler stays in assets/"
        if parts[0] != "pipelines" or len(parts) < 2:
            continue
        assert rank(PACKAGES, parts[1]) >= rank(PACKAGES, own[1]), f"{path.name} imports {name}"
        if len(parts) > 2 and parts[1] == own[1] == "ops":
            assert rank(OPS, parts[2]) >= rank(OPS, own[2]), f"{path.name} imports {name}"


def rank(layers, package):
    """Every module has a place: one that is in no layer is an error here."""
    return next(number for number, names in enumerate(layers) if package in names)


MODULES = {
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (PROJECT / "pipelines").rglob("*.py")
}


def test_there_are_no_circles():
    graph = networkx.DiGraph()
    for module, path in MODULES.items():
        graph.add_edges_from((module, name) for name in modules_of(ast.walk(ast.parse(path.read_text()))))
    assert [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1] == []


def modules_of(nodes):
    """The modules of `pipelines` that import statements name."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module for name in names if node.module in MODULES)


@pytest.mark.parametrize("name", sorted(RECIPE["stages"]))
def test_deps_are_what_a_stage_can_load(name):
    """By its imports, followed through `pipelines`: what it loads at once is declared, and nothing is declared in vain.

    What is loaded by name (datasets, features, models) is seen by tests/test_end_to_end.py.
    """
    stage = RECIPE["stages"][name].get("do", RECIPE["stages"][name])
    deps = [dep for dep in stage["deps"] if dep.startswith("pipelines")]
    module = re.findall(r"-m (pipelines\.stages\.\w+)", str(stage["cmd"]))[0]
    undeclared = {file for file in closure(module, at_once=True) if not covers(deps, file)}
    assert undeclared == set(), "dvc.yaml does not list them"
    loaded = closure(module, at_once=False)
    by_folder = {
        "notes": "pipelines.corpora.",
        "symbols": "pipelines.notes.representations.",
        "view": "pipelines.views.",
    }
    if folder := by_folder.get(name):  # loads a module of it by name
        loaded |= {file for each in MODULES if each.startswith(folder) for file in closure(each, at_once=False)}
    by_name = ("pipelines/features", "pipelines/models", "pipelines/audio/quiet.py")
    by_name += ("pipelines/metrics",) if "pipelines/models/baselines" in str(deps) else ()
    of_families = (
        "pipelines/tasks",
        "pipelines/evaluation/folds.py",
        "pipelines/metrics",
        "pipelines/training",
        "pipelines/symbolic",
        "pipelines/notes",
    )
    by_name += of_families if "pipelines/tasks/" in str(deps) else ()
    by_name += ("pipelines/notes",) if "pipelines/views" in deps else ()
    named = [dep for dep in deps if "$" not in dep and not dep.startswith(by_name)]
    assert [dep for dep in named if not any(covers([dep], file) for file in loaded)] == [], "no import leads to them"


def covers(deps, file):
    return any(file == dep or file.startswith(f"{dep}/") for dep in deps)


def closure(module, at_once):
    """Files that `module` imports, with what those import: only as they are loaded (`at_once`), or inside functions too."""
    waiting, reached = [module], {}
    while waiting:
        name = waiting.pop()
        if name in reached or name.startswith("pipelines.harness"):
            continue
        tree = ast.parse(MODULES[name].read_text())
        reached[name] = len(tree.body) > 1
        # the page of a study loads what lies in this folder
        waiting += (
            [each for each in MODULES if each.startswith(f"{name}.")] if name == "pipelines.report.sections" else []
        )
        waiting += [
            *modules_of(tree.body if at_once else ast.walk(tree)),
            *([name.rpartition(".")[0]] if "." in name else []),
        ]
    return {MODULES[name].relative_to(PROJECT).as_posix() for name, says_something in reached.items() if says_something}


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
