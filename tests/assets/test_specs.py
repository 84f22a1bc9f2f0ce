"""Assets follow from the recipe: the same stages, the same dependencies, the same items as DVC says."""

import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import tiny_project
import yaml

from assets import partitions, recipe
from assets.build import build

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
PROJECT = Path(__file__).parents[2]


def dvc(project, *arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=project, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """The real recipe with three datasets, four features and five taggers; nothing of it has run."""
    project = tmp_path_factory.mktemp("wide")
    (project / ".dvc").mkdir()
    (project / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    shutil.copy(PROJECT / "dvc.yaml", project)
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())
    folder = {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music", "fingerprint": "0"}
    settings["datasets"] |= {"mine": folder, "yours": folder}
    settings["features"]["chroma_stft"] = {}
    for reads, name in (("log_mel", "short_res"), ("waveform", "se")):
        settings["taggers"][name] = {"network": name, "reads": reads, "recipe": "modern", "width": 0.25}
    weights = {"path": "x.pth", "sha256": "0" * 64, "tags": "jamendo", "source": "elsewhere", "licence": "MIT"}
    published = {"network": "musicnn", "reads": "waveform", "recipe": "weights", "weights": weights}
    settings["taggers"]["musicnn_published"] = published
    (project / "params.yaml").write_text(yaml.safe_dump(settings))
    return project


def test_groups_hold_dvcs_stages(wide):
    groups = recipe.load(wide)
    listed = dvc(wide, "stage", "list", "--name-only").split()
    assert sorted(stage.name for group in groups.values() for stage in group.stages) == sorted(listed)
    assert set(groups) == {name.partition("@")[0] for name in listed}
    assert len({stage.values for stage in groups["features"].stages}) == 12
    for group in groups.values():
        for stage in group.stages:
            assert stage.record.startswith("data/records/") and not stage.data.startswith("data/records/")


def test_upstream_is_dvcs_graph(wide):
    drawn = set(re.findall(r'"(.+)" -> "(.+)"', dvc(wide, "dag", "--dot")))
    groups = recipe.load(wide)
    ours = {(up, down) for group in groups.values() for pairs in group.upstream.values() for down, up in pairs}
    assert ours == drawn
    order = list(groups)
    assert all(order.index(up) < order.index(name) for name, group in groups.items() for up in group.upstream)


def test_partitions_need_what_their_stages_need(wide):
    """For every partition of every asset, Dagster finds upstream exactly the partitions that DVC's graph names. Where a list
    reads a product (a dataset's stage one of its features), it cannot say which: those are more, of the same dataset."""
    groups = recipe.load(wide)
    graph = build(wide).resolve_asset_graph()
    for group in groups.values():
        for stage, (name, pairs) in itertools.product(group.stages, group.upstream.items()):
            up = groups[name]
            if not up.dimensions:
                continue
            found = graph.get_parent_partition_keys_for_child(
                partitions.key(group, stage), dg.AssetKey(name), dg.AssetKey(group.name)
            )
            names = {other for one, other in pairs if one == stage.name}
            wanted = {str(partitions.key(up, other)) for other in up.stages if other.name in names}
            keys = {str(key) for key in found.partitions_subset.get_partition_keys()}
            if len(group.dimensions) == 1 and len(up.dimensions) == 2:
                assert wanted <= keys, (stage.name, name)
                shared = group.dimensions[0] in up.dimensions
                assert not shared or all(stage.values[0] in key.split("|") for key in keys), (stage.name, name)
            else:
                assert keys == wanted, (stage.name, name)


def test_specs_say_what_dvc_yaml_says():
    written = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]
    specs = {spec.key.to_user_string(): spec for spec in build(PROJECT).resolve_all_asset_specs()}
    assert set(specs) <= {*written, "champion"}
    for name, spec in ((name, spec) for name, spec in specs.items() if name in written):
        stage = written[name].get("do", written[name])
        assert spec.description == stage["desc"]
        assert (spec.group_name, spec.kinds, spec.owners) == (
            stage["meta"]["group"],
            set(stage["meta"]["kinds"]),
            [stage["meta"]["owner"]],
        )


def test_keys_of_partitions(wide):
    specs = {spec.key.to_user_string(): spec for spec in build(wide).resolve_all_asset_specs()}
    datasets = yaml.safe_load((wide / "params.yaml").read_text())["datasets"]
    assert specs["raw"].partitions_def.get_partition_keys() == list(datasets)
    assert specs["features"].partitions_def.partition_dimension_names == ["dataset", "feature"]
    assert specs["report"].partitions_def is None


def test_what_dagster_has_no_partitions_for_becomes_one_list(tmp_path):
    """Three dimensions, and two with a key that Dagster keeps to itself, are listed by DVC's names of the items."""
    tiny_project.create(tmp_path)
    (tmp_path / "dvc.yaml").write_text("""
stages:
  three:
    matrix: {a: [1, 2], b: [x], c: [p, q]}
    cmd: echo ${item.a}${item.b}${item.c} > three-${key}
    outs: ["three-${key}"]
  odd:
    matrix: {a: ["1,5", "2"], b: [x]}
    cmd: cat three-2-x-p > odd-${key}
    deps: [three-2-x-p]
    outs: ["odd-${key}"]
""")
    groups = recipe.load(tmp_path)
    assert partitions.definition(groups["three"]).get_partition_keys() == ["1-x-p", "1-x-q", "2-x-p", "2-x-q"]
    assert [partitions.key(groups["odd"], stage) for stage in groups["odd"].stages] == ["1,5-x", "2-x"]
    assert partitions.mapping(groups["odd"], groups["three"]) == dg.SpecificPartitionsPartitionMapping(["2-x-p"])


def test_a_mapping_dagster_cannot_say_needs_all(tmp_path):
    """One partition of two dimensions from one unlike either: more than it needs, never less."""
    tiny_project.create(tmp_path)
    (tmp_path / "dvc.yaml").write_text("""
stages:
  up:
    matrix: {n: [1, 2, 3]}
    cmd: echo > up-${item.n}
    outs: ["up-${item.n}"]
  down:
    matrix: {a: [1, 2], b: [x, y]}
    cmd: echo > down-${key}
    deps: ["up-${item.a}"]
    outs: ["down-${key}"]
""")
    groups = recipe.load(tmp_path)
    assert partitions.mapping(groups["down"], groups["up"]) == dg.SpecificPartitionsPartitionMapping(["1", "2"])


def test_no_items_no_asset(tmp_path):
    project = tiny_project.create(tmp_path)
    tiny_project.edit(project / "params.yaml", "taggers:\n  short: {recipe: quick}", "taggers: {}")
    assert set(recipe.load(project)) == {"raw", "features", "report"}
    assert build(project).resolve_job_def("retrain").nodes == []
