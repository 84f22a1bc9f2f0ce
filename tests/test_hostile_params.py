"""A params.yaml written to do harm is refused, wherever it enters: plain `dvc repro`, `conservatory`, Dagster, a stage."""

import re
import subprocess
import sys

import pytest
import yaml
from helpers import PROJECT, copy_params, copy_project, run_in, some

from assets.build import build
from pipelines.cli import app
from pipelines.core import params
from pipelines.datasets import listing
from pipelines.ops import run
from pipelines.ops.settings import load_params

FOLDER = {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music", "fingerprint": "0"}
NAMES = (
    "x; touch pwned",
    "x$(touch pwned)",
    "x`touch pwned`",
    "x\ntouch pwned",
    "x || touch pwned",
    "x & touch pwned",
    "x | touch pwned",
    "x > pwned",
    "x' ; touch pwned; '",
    'x" ; touch pwned; "',
    "x ) ; touch pwned; (",
    "-h; touch pwned #",
    "x;touch pwned #/../scores",
)


def change(project, section, name, entry):
    """Put `name` first into a section of params.yaml, so that DVC comes to it before anything else."""
    path = project / "params.yaml"
    settings = yaml.load(path.read_text(), yaml.CSafeLoader)
    place = settings
    *outer, last = section.split(".")
    for key in outer:
        place = place[key]
    place[last] = {name: entry} | place[last]
    path.write_text(yaml.dump(settings, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("hostile") / "project")


@pytest.fixture
def project(copy):
    copy_params(copy)
    (copy / "pwned").unlink(missing_ok=True)
    return copy


def repro(project, *arguments):
    return run_in(project, sys.executable, "-m", "dvc", "repro", *arguments, check=False)


@pytest.mark.parametrize("name", some(NAMES, *NAMES[:2], NAMES[-1]))
def test_plain_dvc_repro_runs_nothing_out_of_a_datasets_name(project, name):
    change(project, "datasets", name, FOLDER)
    done = repro(project, "-f", "-s", "raw")  # forced, alone: DVC asks for no dependency
    assert done.returncode and not (project / "pwned").exists()
    # a bracket or quote that is never closed is no command to any shell
    assert "cannot be a name" in done.stderr or re.search("syntax error|unexpected EOF", done.stderr, re.IGNORECASE)


@pytest.mark.parametrize(
    ("section", "stage", "like", "entry"),
    [
        ("features", "features", "log_mel", {}),
        ("taggers", "train", "short", {"network": "short", "reads": "log_mel", "recipe": "modern"}),
        ("baselines", "baseline", "pooled_pca", {"dimensions": 4}),
    ],
)
def test_nor_out_of_a_name_whose_path_leads_to_a_file_that_is_there(project, section, stage, like, entry):
    """`a;touch pwned #/../log_mel.py` is, to DVC, the path of log_mel.py, and a command to the shell."""
    change(project, section, f"a;touch pwned #/../{like}", entry)
    done = repro(project, "-f", "-s", stage)
    assert done.returncode and not (project / "pwned").exists()
    assert f"{section} in params.yaml has 'a;touch pwned" in done.stderr


def test_a_good_name_passes(project, in_tmp):
    for label in ("rock", "folk"):
        (in_tmp / label).mkdir()
        (in_tmp / label / "a.wav").write_bytes(label.encode())
    found = listing.fingerprint(listing.scan(in_tmp))
    change(project, "datasets", "mine_2", {**FOLDER, "path": str(in_tmp), "fingerprint": found})
    done = repro(project, "-s", "raw@mine_2")
    assert done.returncode == 0, done.stderr
    assert (project / "data/raw/mine_2").is_dir()


def test_what_the_guard_is_there_for(project):
    """Without it the name is a command: these tests would see it."""
    path = project / "dvc.yaml"
    whole = path.read_text()
    path.write_text(whole.replace("[*check, ", "["))
    try:
        change(project, "datasets", "x; touch pwned", FOLDER)
        repro(project, "-f", "-s", "raw")
        assert (project / "pwned").exists()
    finally:
        path.write_text(whole)


def test_every_command_with_a_name_in_it_is_guarded():
    """And nothing but names goes into commands."""
    guarded = 0
    for name, stage in yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"].items():
        commands = stage.get("do", stage)["cmd"]
        used = set(re.findall(r"\$\{(.*?)\}", str(commands)))
        items = {
            f"item.{one}" for one in ("dataset", "feature", "tagger", "baseline", "corpus", "encoder", "representation")
        }
        assert used <= {"key", *items}, name
        assert not used or (commands[0], len(commands)) == ("python -m pipelines.ops.settings", 2), name
        guarded += bool(used)
        sources = [stage.get("foreach"), *stage.get("matrix", {}).values()]
        checked = {f"${{{section}}}" for section in params.NAMED}
        assert {source for source in sources if source} <= checked, f"{name}: params.NAMED lacks a section"
    assert guarded > 10


def refused(folder, section, name):
    copy_params(folder)
    change(folder, section, name, {**FOLDER, "recipe": "modern"})
    with pytest.raises(SystemExit, match=f"{section} in params.yaml has .* cannot be a name"):
        load_params()


@pytest.mark.parametrize(
    "name", [*NAMES, "../../precious", ".hidden", "Übung", "a" * 41, "on", 7, "", "x/y", None, True]
)
def test_load_refuses_what_is_not_a_name(in_tmp, name):
    refused(in_tmp, "datasets", name)


@pytest.mark.parametrize("section", params.NAMED)
def test_load_looks_at_every_section_for_names(in_tmp, section):
    refused(in_tmp, section, NAMES[0])


@pytest.mark.parametrize("enter", ["conservatory list", "conservatory run", "Dagster"])
def test_other_doors(in_tmp, monkeypatch, enter):
    copy_params(in_tmp)
    change(in_tmp, "datasets", "x; touch pwned", FOLDER)
    monkeypatch.setattr(run, "repro", lambda *_: pytest.fail("DVC was asked"))
    if enter == "Dagster":
        with pytest.raises(ValueError, match="cannot be a name"):
            build(in_tmp)
    else:
        from typer.testing import CliRunner

        result = CliRunner().invoke(app, enter.split()[1:])
        assert result.exit_code and "cannot be a name" in str(result.exception) + result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system ['touch pwned']", "not valid YAML.*could not determine a constructor"),
        ("a: !!python/name:os.system", "not valid YAML"),
        ("a: !!python/object/new:subprocess.Popen [['touch', 'pwned']]", "not valid YAML"),
        ("[" * 5000, "not valid YAML"),
        ("[" * 5000 + "]" * 5000, "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("- a", "no table of parameters"),
        ("", "no table of parameters"),
        ("a: &a [*a]", "more than 100,000 values"),
        ("a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)), "100,000 values"),
        ("a: 2026-99-99", "not valid YAML"),
        ("datasets: [x]", "datasets in params.yaml is .* must be a table"),
        ("datasets: {x: 3}", "datasets.x in params.yaml is 3"),
        ("taggers: 7", "taggers in params.yaml is 7"),
        ("taggers: {short: null}", "taggers.short in params.yaml is None"),
        ("taggers: {short: {recipe: [modern]}}", "recipe in params.yaml is"),
        ("taggers: {short: {network: ../../evil}}", "taggers.short.network in params.yaml"),
        ("taggers: {short: {reads: ../../../raw}}", "taggers.short.reads in params.yaml"),
        ("training: {dataset: [scores]}", "training.dataset in params.yaml is"),
        ("datasets: {x: {module: '../../evil'}}", "datasets.x.module in params.yaml"),
        ("datasets: {x: {module: sources.archives}}", "datasets.x.module in params.yaml"),
        ("datasets: {x: {imports: ../../etc}}", "datasets.x.imports in params.yaml"),
        ("datasets: {x: {imports: pipelines/../../etc}}", "datasets.x.imports in params.yaml"),
        ("datasets: {x: {imports: [pipelines/audio]}}", "datasets.x.imports in params.yaml"),
    ],
)
def test_yaml_that_means_harm(in_tmp, text, message):
    (in_tmp / "params.yaml").write_text(text)
    with pytest.raises(SystemExit, match=message):
        load_params()
    assert not (in_tmp / "pwned").exists()


def test_bytes_that_are_no_text(in_tmp):
    (in_tmp / "params.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(SystemExit, match="not valid YAML"):
        load_params()


def test_dvc_itself_and_the_editor_construct_nothing(project):
    """`dvc repro` and `conservatory add` read params.yaml with readers of their own."""
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text + "evil: !!python/object/apply:os.system ['touch pwned']\n")
    assert repro(project, "raw").returncode
    code = "from pipelines.core import params; params.set_dataset('x', {'module': 'folder'})"
    subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True)
    assert not (project / "pwned").exists()
