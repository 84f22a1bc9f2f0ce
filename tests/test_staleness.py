"""What a changed parameter or module makes stale, read off the resolved recipe: no stage is run."""

import re
import shutil

import pytest
from helpers import PROJECT, copy_params
from ruamel.yaml import YAML

from pipelines import recipe
from pipelines.ops import due
from pipelines.ops.patches import resolver

PAGES = r"page@\w+|report"
SCORED = rf"(fit|score|tagging)@\w+|compare|metrics|task_page@\w+|{PAGES}"
EVALUATED = r"degrade@\w+|robustness@\w+|cluster@\w+|study@\w+|leaks@\w+|space|ood@\w+"  # what reads embeddings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The recipe with a folder dataset, `mine`, beside `scores`."""
    folder = tmp_path_factory.mktemp("recipe")
    shutil.copy(PROJECT / "dvc.yaml", folder)
    copy_params(folder)
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    editor, path = YAML(), folder / "params.yaml"
    document = editor.load(path.read_text())
    imports = "pipelines/datasets/listing.py"
    document["datasets"]["mine"] = {"module": "folder", "imports": imports, "path": "/music", "fingerprint": "0"}
    editor.dump(document, path)
    return folder


@pytest.fixture(scope="module")
def stages(folder):
    """Stage -> its resolved entry."""
    return resolver.stages(folder)


def stale(stages, is_read):
    """The stages that hold a dependency or parameter for which `is_read(name)` is true, and all that are made from theirs."""
    files = {
        name: {
            "deps": [{"path": path} for path in recipe.paths(entry, "deps")],
            "outs": [{"path": path} for path in recipe.paths(entry, *recipe.OUTS)],
        }
        for name, entry in stages.items()
    }
    own = [
        name
        for name, entry in stages.items()
        if any(map(is_read, [*recipe.paths(entry, "deps"), *entry.get("params", ())]))
    ]
    return set(recipe.Graph(files).downstream(own))


@pytest.mark.parametrize(
    ("key", "expected", "among"),
    [
        ("clustering.n_init", rf"cluster@\w+|study@\w+|leaks@\w+|metrics|{PAGES}", "cluster@mine"),
        (
            "features.pooled.n_mfcc",
            rf"features@\w+-pooled|baseline@.*|copies@\w+|{EVALUATED}|{SCORED}",
            "baseline@mine-pooled_pca",
        ),
        (
            "taggers.sample.epochs",
            rf"(train|export)@sample|embed@\w+-sample|{EVALUATED}|{SCORED}",
            "export@sample",
        ),
        (
            "features.log_mel.fmin",
            rf"features@\w+-log_mel|(train|export)@short|embed@\w+-short|{EVALUATED}|{SCORED}",
            "train@short",
        ),
        ("audio.silence_dbfs", r"(?!raw|manifest).*", "train@sample"),
        ("training.leave_out.style", rf"(train|export|embed)@.*|{EVALUATED}|{SCORED}", "train@short"),
        ("ood.k", rf"ood@\w+|metrics|{PAGES}", "ood@scores"),
        ("robustness.n_bootstrap", rf"robustness@\w+|metrics|{PAGES}", "robustness@mine"),
        ("report.n_examples", rf"task_page@\w+|{PAGES}", "page@mine"),
        ("tasks.tagging.n_bootstrap", SCORED, "compare"),
        ("datasets.mine.fingerprint", r".*@mine\b.*|metrics|report", "raw@mine"),
    ],
)  # fmt: skip
def test_one_parameter_reruns_only_what_depends_on_it(stages, key, expected, among):
    found = stale(stages, lambda name: f"{key}.".startswith(f"{name}."))
    assert among in found and all(re.fullmatch(expected, stage) for stage in found), found


@pytest.mark.parametrize(
    ("module", "expected", "among"),
    [
        (
            "features/pooled.py",
            rf"features@\w+-pooled|(export|embed|baseline|copies)@.*|{EVALUATED}|{SCORED}",
            "baseline@mine-pooled_pca",
        ),
        ("harness/progress.py", r"", None),
        # of a project without a corpus: pages of tasks have MIDI files
        ("notes/midi/read.py", rf"task_page@\w+|{PAGES}", "task_page@tagging"),
        ("ops/run.py", r"", None),
        ("core/files.py", r".*", "raw@mine"),
        ("evaluation/projection.py", rf"copies@\w+|{EVALUATED}|{SCORED}", "cluster@mine"),
        ("stages/page.py", PAGES, "page@mine"),
        ("stages/ood.py", rf"ood@\w+|metrics|{PAGES}", "ood@mine"),
        ("symbolic/render.py", r"(?!raw@mine|manifest@mine|audio@mine|features@mine).*", "raw@scores"),
        (
            "models/taggers/sample.py",
            rf"(train|export)@sample|embed@\w+-sample|{EVALUATED}|{SCORED}",
            "train@sample",
        ),
        ("cli.py", r"", None),
        # what draws and words results: no training, embedding or clustering
        ("report/drawing.py", rf"task_page@\w+|{PAGES}", "page@mine"),
        ("report/cards.py", rf"task_page@\w+|{PAGES}", "report"),
        ("report/style.css", rf"task_page@\w+|{PAGES}", "page@mine"),
    ],
)  # fmt: skip
def test_one_module_reruns_only_what_uses_it(stages, module, expected, among):
    path = f"pipelines/{module}"
    found = stale(stages, lambda name: f"{path}/".startswith(f"{name}/"))
    assert (among in found if among else not found) and all(re.fullmatch(expected, stage) for stage in found), found


def test_an_unknown_item_gets_the_items_that_there_are(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert due.items("cluster@score") == ["mine", "scores"] and due.items("space@mine") == []
    assert due.items("cluster@mine") is due.items("cluster") is None, "DVC knows these"
