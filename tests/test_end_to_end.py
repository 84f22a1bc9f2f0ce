"""The real graph on a tiny configuration, as a user runs it: `conservatory run` in a project of its own with a folder of good
and bad files; then, as `system`, a kill and all bytes anew, and one more dataset, feature, tagger and baseline."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from helpers import copy_project, run_in
from ruamel.yaml import YAML

from pipelines.ops.dvc.freshness import FRESH, states

CLI = (sys.executable, "-m", "pipelines.cli")
DVC = (sys.executable, "-m", "dvc")


def edit(project, change):
    """Load params.yaml of `project`, let `change` alter it, write it back."""
    editor = YAML()
    path = project / "params.yaml"
    document = editor.load(path.read_text())
    change(document)
    with path.open("w") as file:
        editor.dump(document, file)


def tiny(document):
    split = {"train": 0.5, "validation": 0.17, "test": 0.33}  # of six clips three, one and two
    scores = {"clips_per_style": 6, "duration_s": 8.0, "split": split, "seed": 17}  # whose quartets parse quickly
    document["datasets"]["scores"].update(scores)
    for tagger in document["taggers"].values():
        tagger.update({"width": 0.05, "epochs": 2, "chunks_per_clip": 1})
    document["max_quarantined"]["default"] = 0.5  # two bad files of ten
    document["clustering"].update(
        {"n_bootstrap": 50, "n_permutations": 3, "n_init": 3, "n_repeats": 1, "maps": ["tsne"]}
    )
    document["tasks"]["tagging"]["n_bootstrap"] = 50
    for part in ("study", "leaks", "ood", "robustness"):
        document[part].update({"n_bootstrap": 50, "n_permutations": 3})
    for part in ("study", "robustness"):
        document[part]["n_init"] = 3
    document["ood"].update({"n_init": 2, "maps": ["pca"]})
    document["robustness"]["degradations"] = ["noise_10db", "mp3_64", "excerpt_3s"]
    document["report"].update({"max_players": 10, "n_examples": 2})


@pytest.fixture(scope="module")
def songs_folder(tmp_path_factory):
    """Two labels, four good clips each, one clip that is no sound and one that holds NaN."""
    import numpy as np
    import soundfile

    root = tmp_path_factory.mktemp("music") / "my 'songs' & <more>"
    rng = np.random.default_rng(0)
    for label, frequency in (("high", 880), ("low", 110)):
        (root / label).mkdir(parents=True)
        for number in range(4):
            t = np.arange(22_050 * 4) / 22_050
            y = 0.3 * np.sin(2 * np.pi * frequency * (1 + number / 20) * t) + 0.01 * rng.standard_normal(len(t))
            soundfile.write(root / label / f"clip {number}.flac", y, 22_050)
    (root / "low" / "text.wav").write_text("no sound")
    soundfile.write(root / "low" / "nan.wav", np.full(30_000, np.nan), 16_000, subtype="FLOAT")
    return root


@pytest.fixture(scope="module")
def project(tmp_path_factory, songs_folder):
    """The tiny project after its first run; tests leave it up to date."""
    # one to two minutes, on purpose: nothing else in `make test` runs every stage of the recipe as DVC does
    folder = copy_project(tmp_path_factory.mktemp("project") / "conservatory")
    edit(folder, tiny)
    run_in(folder, *CLI, "add", str(songs_folder), "--name", "mine")
    done = run_in(folder, *CLI, "run")
    assert f"Report: {folder / 'reports/index.html'}" in done.stdout
    assert "epoch 2/2" in done.stderr and "100%" in done.stderr, "progress is shown"
    return folder


def lock(project):
    stages = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def test_a_second_run_does_nothing_and_says_so(project):
    done = run_in(project, *CLI, "run")
    assert "Nothing to do" in done.stdout and "up to date" in done.stdout
    assert "up to date" in run_in(project, *DVC, "status").stdout


def test_the_record_of_clustering(project):
    found = json.loads((project / "reports/clustering.json").read_text())
    assert set(found) == {"scores", "mine"}
    assert set(found["scores"]) == {"style", "instrument_family"} and set(found["mine"]) == {"label"}
    names = {"short", "sample", "pooled_pca", "random_projection"}
    keys = {
        "n",
        "k",
        "hungarian_accuracy",
        "ci95",
        "chance",
        "macro_f1",
        "nmi",
        "ari",
        "v_measure",
        "silhouette",
        "contrast",
        "crossed",
        "repeats",
        "per_class",
    }
    for dataset in found.values():
        for target in dataset.values():
            assert set(target) == names
            for record in target.values():
                assert set(record) == keys
                assert record["ci95"][0] <= record["hungarian_accuracy"] <= record["ci95"][1]
                assert sum(row["support"] for row in record["per_class"].values()) == record["n"]
    assert found["mine"]["label"]["pooled_pca"]["n"] == 8, "all clips count where there is no split"
    told = found["mine"]["label"]["random_projection"]["hungarian_accuracy"]
    assert told == 1.0, "880 Hz and 110 Hz are told apart"
    manifest = pd.read_parquet(project / "data/manifests/scores.parquet")
    assert found["scores"]["style"]["short"]["n"] == (manifest["split"] == "test").sum()


def test_study_and_leak_audit(project):
    found = json.loads((project / "data/study/scores/scores.json").read_text())
    for target in ("style", "instrument_family"):
        assert set(found["targets"][target]["probes"]) == {"linear", "knn"}, found["skipped"]
    told = json.loads((project / "data/study/mine/scores.json").read_text())["targets"]["label"]
    probe = told["probes"]["linear"]["pooled_pca"]
    assert (probe["n"], probe["split"]) == (8, "grouped cross-validation")
    audit = json.loads((project / "data/leaks/scores.json").read_text())
    assert audit["exact copy"]["n_flagged"] == audit["work or artist"]["n_flagged"] == 0
    within = json.loads((project / "data/leaks/mine.json").read_text())
    assert within["of"] == "all" and (within["exact copy"]["n"], within["exact copy"]["n_flagged"]) == (8, 0)


def test_other_music_has_a_place(project):
    found = json.loads((project / "data/ood/scores/scores.json").read_text())
    assert found["left_out"] == "style trecento, ryan" and found["n"]["outside"] + found["n"]["in_training"] == 12
    names = {"short", "sample", "pooled_pca", "random_projection"}
    assert set(found["targets"]) == {"style", "instrument_family"} and set(found["targets"]["style"]) == names
    mine = json.loads((project / "data/ood/mine/scores.json").read_text())
    assert (mine["n"]["outside"], mine["n"]["in_training"]) == (8, 0)
    assert mine["targets"]["style"]["pooled_pca"]["all"]["detection"]["mahalanobis"]["auroc"] == 1.0, (
        "sines are no music"
    )
    for name in ("short", "sample"):
        config = json.loads((project / f"models/tagging/{name}/config.json").read_text())
        assert not {"style:trecento", "style:ryan"} & set(config["tags"])


def test_robustness(project):
    found = json.loads((project / "data/robustness/scores.json").read_text())
    assert found["degradations"] == ["noise_10db", "mp3_64", "excerpt_3s"]
    assert {"kmeans", "linear probe"} <= set(found["targets"]["style"]), found["skipped"]
    assert set(found["tags"]) == {"short", "sample"} and found["n"] == found["n_scored"]
    told = json.loads((project / "data/robustness/mine.json").read_text())
    record = told["targets"]["label"]["kmeans"]["random_projection"]
    assert record["clean"]["score"] == 1.0 and record["mp3_64"]["n"] == 8
    assert told["tags"] == {}


def test_the_record_of_tagging(project):
    found = json.loads((project / "reports/scores.json").read_text())["tagging"]
    assert set(found) == {"short", "sample"}
    for record in found.values():
        low, high = record["roc_auc"]["ci95"]
        assert 0 <= low <= record["roc_auc"]["value"] <= high <= 1
    for name, scores in found.items():
        figures = json.loads((project / f"data/records/tagging/{name}.json").read_text())["figures"]
        values = {key: round(scores[key]["value"], 4) for key in ("roc_auc", "pr_auc")}
        assert figures == {"n": scores["roc_auc"]["n"]} | values
        details = json.loads((project / f"data/scores/{name}/details.json").read_text())
        for key in values:  # two ways to the same figures
            assert (scores[key]["value"], scores[key]["ci95"]) == (
                details[key],
                pytest.approx(details[f"{key}_ci95"]),
            )
            assert scores[key]["baseline"] == pytest.approx(details["baseline"][key])


def test_bad_files_are_counted_and_the_users_files_untouched(project, songs_folder):
    table = pd.read_parquet(project / "data/audio/mine/quarantine.parquet")
    assert sorted(Path(path).name for path in table["path"]) == ["nan.wav", "text.wav"]
    page = (project / "reports/pages/mine.html").read_text()
    assert "nan.wav" in page and "text.wav" in page
    assert "<more>" not in page, "names are escaped"
    assert len(list(songs_folder.rglob("*.*"))) == 10


def test_declared_code_is_the_loaded_code(project):
    """Each stage depends on what it loads, but for what shapes no result: an edit redoes what uses it."""
    stages = yaml.safe_load((project / "dvc.lock").read_text())["stages"]
    for name, stage in stages.items():
        record = next(out["path"] for out in stage["outs"] if out["path"].startswith("data/records/"))
        code = json.loads((project / record).read_text())["code"]
        loaded = {path for path in code if not path.startswith("pipelines/harness/")}
        declared = {dep["path"] for dep in stage["deps"] if dep["path"].startswith("pipelines/")}
        covered = {path for path in loaded if any(path == dep or path.startswith(dep + "/") for dep in declared)}
        assert loaded == covered, f"{name} loads {sorted(loaded - covered)}, which dvc.yaml does not list"


def test_dvc_would_run_what_the_status_calls_stale(project):
    """tests/test_staleness.py reads off the recipe what a change makes stale; here one change of each kind, as DVC sees it."""
    params, module = project / "params.yaml", project / "pipelines/stages/ood.py"
    before = params.read_text(), module.read_bytes()
    try:
        edit(project, lambda document: document["report"].update({"n_examples": 3}))
        module.write_bytes(before[1] + b"\n# a remark\n")
        would_run = set(re.findall(r"Running stage '([^']+)'", run_in(project, *DVC, "repro", "--dry").stdout))
        stale = {name for name, state in states(project).items() if state.state != FRESH}
    finally:
        params.write_text(before[0])
        module.write_bytes(before[1])
    assert would_run == {"ood@scores", "ood@mine", "page@scores", "page@mine", "report"}
    assert stale == would_run | {"metrics"}, "it reads what those make"


@pytest.mark.system
def test_push_and_pull_bring_the_same_bytes(project, tmp_path):
    run_in(project, *DVC, "remote", "add", "-q", "--local", "-d", "store", str(tmp_path / "store"))
    run_in(project, *DVC, "push", "-q")
    fresh = copy_project(tmp_path / "fresh")
    for name in ("params.yaml", "dvc.lock"):
        shutil.copy(project / name, fresh / name)
    shutil.copytree(project / "reports", fresh / "reports", ignore=shutil.ignore_patterns("*.html", "pages"))
    run_in(fresh, *DVC, "remote", "add", "-q", "--local", "-d", "store", str(tmp_path / "store"))
    run_in(fresh, *DVC, "pull", "-q")
    kept = ("data/audio/scores/shard-00000.npy", "models/tagging/short/model.safetensors")
    for path in ("reports/index.html", "reports/pages/mine.html", *kept):
        assert (fresh / path).read_bytes() == (project / path).read_bytes()
    assert "up to date" in run_in(fresh, *DVC, "status").stdout


@pytest.mark.system
def test_metrics_and_plots_say_something(project):
    shown = run_in(project, *DVC, "metrics", "show").stdout
    assert "hungarian_accuracy" in shown and "roc_auc" in shown and "per_class" not in shown
    run_in(project, *DVC, "plots", "show", "-o", "plots")
    page = (project / "plots" / "index.html").read_text()
    assert "validation ROC-AUC by epoch" in page and "predicted" in page
    shutil.rmtree(project / "plots")
    assert "cluster@mine" in run_in(project, *DVC, "dag").stdout


@pytest.mark.system
@pytest.mark.cold
def test_a_killed_run_goes_on_and_makes_the_same_bytes(project):
    """With nothing kept of the first run, kill -9 in the middle of a stage: a run of two stages at once then makes the same."""
    before = lock(project)
    for folder in (".cache", ".dvc/cache", "data", "models"):
        shutil.rmtree(project / folder)
    (project / "dvc.lock").unlink()
    environment = {
        **os.environ,
        "PYTHONPATH": str(project),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        [*CLI, "run"],
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not (project / "data/audio/scores").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (project / "data/features/scores/pooled").exists(), "it was killed on its way"
    run_in(project, *CLI, "run", "-j", "2")
    after = lock(project)
    assert {path for path in before if before[path] != after.get(path)} == set()
    assert not list(project.glob("data/**/.*.tmp"))


DUMMY_DATASET = '''"""Two notes."""

import numpy as np
import pandas as pd
import soundfile

BIBTEX, LICENSE_INFO = "", "none"


def build(raw_dir, entry):
    for number in range(12):
        y = np.sin(2 * np.pi * (110 if number % 2 else 880) * np.arange(80_000) / 16_000)
        soundfile.write(raw_dir / f"{number}.wav", 0.3 * y + number / 1000, 16_000)
    return {"clips": 12}


def clips(raw_dir, entry):
    n = range(12)
    return pd.DataFrame({
        "path": [f"{i}.wav" for i in n], "title": [f"note {i}" for i in n], "tags": [[] for _ in n], "split": "all",
        "group": [str(i) for i in n], "source": "made here", "licence": LICENSE_INFO,
        "target_note": ["low" if i % 2 else "high" for i in n],
    })
'''
DUMMY_TAGGER = '''"""Mean level of a chunk, and a linear layer."""

import torch
from torch import nn

READS = {"waveform": {}}
FRONT, CHUNK = "waveform", 16_000


class Level(nn.Module):
    def __init__(self, n_tags):
        super().__init__()
        self.dense = nn.Linear(2, n_tags)

    def front(self, waveform):
        return waveform

    def classify(self, features):
        embedding = torch.stack([features.abs().mean(dim=1), features.diff(dim=1).abs().mean(dim=1)], dim=1)
        return self.dense(embedding), embedding

    def forward(self, waveform):
        logits, embedding = self.classify(waveform)
        return logits.sigmoid(), embedding


def create(n_tags=50, width=1.0):
    return Level(n_tags)
'''
DUMMY_BASELINE = '''"""The first statistics."""


def embed(pooled, reference, dimensions):
    return pooled[:, :dimensions].astype("float32")
'''
DUMMY_FEATURE = '''"""Level of each tenth of a second."""

KIND, DTYPE = "frames", "float32"


def compute(y, sample_rate, hop_length):
    import numpy as np

    padded = np.pad(y, (0, hop_length))[: (1 + len(y) // hop_length) * hop_length]
    return np.abs(padded.reshape(-1, hop_length)).mean(axis=1, keepdims=True)
'''


@pytest.mark.system
def test_one_file_and_one_entry_add_a_dataset_a_feature_a_tagger_and_a_baseline(project, tmp_path):
    """The seams: each new thing appears in the recipe, the scores, the report and the asset graph."""
    project = shutil.copytree(project, tmp_path / "project", symlinks=True)
    new = {
        "datasets/two_notes.py": DUMMY_DATASET,
        "models/taggers/level.py": DUMMY_TAGGER,
        "models/baselines/first.py": DUMMY_BASELINE,
        "features/tenths.py": DUMMY_FEATURE,
    }
    for name, text in new.items():
        (project / "pipelines" / name).write_text(text)

    def change(document):
        document["datasets"]["two_notes"] = {"module": "two_notes", "imports": "pipelines/core"}
        document["features"]["tenths"] = {"hop_length": 1600}
        document["baselines"]["first"] = {"dimensions": 5}
        level = {"width": 1.0, "epochs": 1, "batch_size": 4}
        document["taggers"]["level"] = {"network": "level", "reads": "waveform", "recipe": "modern", **level}

    edit(project, change)
    run_in(project, *CLI, "run")
    found = json.loads((project / "reports/clustering.json").read_text())
    assert found["two_notes"]["note"]["level"]["hungarian_accuracy"] == 1.0
    assert set(found["scores"]["style"]) == {"short", "sample", "level", "pooled_pca", "random_projection", "first"}
    assert "level" in json.loads((project / "reports/scores.json").read_text())["tagging"]
    frames = pd.read_parquet(project / "data/features/two_notes/tenths/index.parquet")
    assert frames["length"].tolist() == [51] * 12
    assert "two_notes" in (project / "reports/index.html").read_text()
    page = (project / "reports/pages/two_notes.html").read_text()
    assert "two_notes" in page and "level" in page
    partitions = run_in(
        project,
        sys.executable,
        "-c",
        "from assets.definitions import defs; import dagster as dg\n"
        "print([str(node.partitions_def.get_partition_keys()) for node in defs.resolve_asset_graph().asset_nodes "
        "if node.partitions_def])",
    ).stdout
    for name in ("two_notes", "tenths", "level", "first"):
        assert name in partitions
