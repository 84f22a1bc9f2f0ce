"""A corpus of MIDI files through DVC: note tables, manifest, quarantine, representations, and a run of a family on them."""

import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import PROJECT, copy_project, run_in
from test_end_to_end import CLI, DVC, edit

from pipelines.core import shards
from pipelines.core.manifest import PIECES
from pipelines.core.tables import check
from pipelines.corpora import folder as corpus_folder
from pipelines.notes.midi.write import write
from pipelines.notes.tables import KEYS, METRES, NOTES, TABLES, TEMPOS, Piece, array
from pipelines.stages import notes

pytestmark = pytest.mark.stage
EDGE = PROJECT / "tests/notes/edge_midi"
BROKEN = {"truncated": "cut short", "data_over_127": "data byte", "huge_delta": "quarters", "zero_notes": "no notes"}
SHARES = {"train": 0.5, "validation": 0.2, "test": 0.3}


def tune(number, minor):
    """The bytes of a scale that starts at another key in each file."""
    steps = [0, 2, 3 if minor else 4, 5, 7, 8 if minor else 9, 11 - minor, 12]
    notes = [
        {"pitch": 60 + step, "velocity": 80, "onset": n, "duration": 1 + number / 480} for n, step in enumerate(steps)
    ]
    maps = (
        array(TEMPOS, [{"quarter_us": 400_000}]),
        array(METRES, [{"numerator": 3, "denominator": 4}]),
        array(KEYS, [{"fifths": -3, "mode": "minor"}]),
    )
    return write(Piece(array(NOTES, notes), *maps, 8.0, 0.0, 480, 1))[0]


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """`<label>/<file>`: 24 scales, major and minor, one of them twice, and files that cannot be used."""
    folder = tmp_path_factory.mktemp("midi")
    for label in ("major", "minor"):
        (folder / label).mkdir()
        for number in range(12):
            (folder / label / f"{number}.mid").write_bytes(tune(number, label == "minor"))
    shutil.copy(folder / "major/0.mid", folder / "major/copy.mid")
    shutil.copy(EDGE / "keysig_bad.mid", folder / "major")
    for name in BROKEN:
        shutil.copy(EDGE / f"{name}.mid", folder / "minor")
    (folder / "readme.txt").write_text("not music")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory, music):
    folder = copy_project(tmp_path_factory.mktemp("corpus") / "project")
    shutil.copytree(
        PROJECT / "tests/tasks/notes_family",
        folder / "pipelines/tasks/notes",
        ignore=shutil.ignore_patterns("__pycache__"),
    )

    def change(document):
        document["corpora"]["scales"] = {
            "module": "folder", "imports": "pipelines/notes/midi", "path": str(music), "fingerprint": "", "folders": "label",
            "split": SHARES, "seed": 2026,
        }  # fmt: skip
        document["symbols"] |= {"piano_roll": {"steps_per_quarter": 4}, "note_statistics": {}}
        document["tasks"]["notes"] = {"n_bootstrap": 50, "seed": 2026}
        document["runs"]["scales_svm"] = {
            "task": "notes", "dataset": "scales", "from": "features", "reads": "note_statistics", "model": "svm", "seeds": 1,
            "target": "label",
        }  # fmt: skip

    edit(folder, change)
    run_in(folder, *CLI, "run", "symbols@scales-piano_roll", "score@scales_svm")
    return folder


@pytest.fixture(scope="module")
def manifest(project):
    return pq.read_table(project / "data/manifests/scales.parquet").to_pandas()


def test_tables_and_their_schemas(project, manifest):
    check(pq.read_table(project / "data/manifests/scales.parquet"), PIECES, "manifest")
    for name, schema in TABLES.items():
        table = pq.read_table(project / f"data/notes/scales/{name}.parquet")
        check(table, schema, name)
        assert set(table["clip_id"].to_pylist()) <= set(manifest["clip_id"])
    notes = pq.read_table(project / "data/notes/scales/notes.parquet").to_pandas().groupby("clip_id").size()
    assert notes.loc[manifest["clip_id"]].tolist() == manifest["n_notes"].tolist() and len(manifest) == 26
    scale = manifest[manifest["title"] == "minor/3.mid"].iloc[0]
    tables = {name: pq.read_table(project / f"data/notes/scales/{name}.parquet").to_pandas() for name in TABLES}
    of_it = {name: table[table["clip_id"] == scale["clip_id"]].iloc[0] for name, table in tables.items()}
    assert (of_it["keys"]["fifths"], of_it["keys"]["mode"]) == (-3, "minor") and of_it["metres"]["numerator"] == 3
    assert of_it["tempos"]["quarter_us"] == 400_000
    assert (scale["duration"], scale["division"], scale["target_label"]) == (8 + 3 / 480, 480, "minor")
    assert scale["duration_s"] == pytest.approx(scale["duration"] * 0.4)


def test_copies_and_splits(manifest):
    copy = manifest[manifest["title"].isin(["major/0.mid", "major/copy.mid"])]
    assert copy["duplicate_of"].notna().sum() == 1 and copy["split"].nunique() == copy["group"].nunique() == 1
    assert set(manifest["split"]) == set(SHARES)


def test_quarantine_and_record(project, manifest):
    table = pq.read_table(project / "data/manifests/scales.quarantine.parquet").to_pandas()
    reasons = {row.path.rpartition("/")[2].partition(".")[0]: row.reason for row in table.itertuples()}
    assert set(reasons) == {*BROKEN, "readme"} and all(BROKEN[name] in reasons[name] for name in BROKEN)
    record = json.loads((project / "data/records/notes/scales.json").read_text())
    assert record["figures"]["pieces"] == 26 and record["figures"]["quarantined"] == 5
    assert record["figures"]["impossible key signatures ignored"] == 1
    assert manifest.set_index("title")["remarks"]["major/keysig_bad.mid"] == "1 impossible key signatures ignored"
    assert record["checks"]["every piece accounted for"]["passed"]
    assert record["checks"]["nothing quarantined"] == {"passed": False, "detail": "4 of 31 files cannot be used"}


def test_representations(project, manifest):
    folder = project / "data/features/scales/piano_roll"
    index = pq.read_table(folder / "index.parquet").to_pandas()
    assert index["clip_id"].tolist() == manifest["clip_id"].tolist()
    row = index[index["clip_id"] == manifest.set_index("title")["clip_id"]["minor/0.mid"]].iloc[0]
    roll = shards.open_shards(folder)[row["shard"]][row["offset"] : row["offset"] + row["length"]]
    assert roll.shape == (32, 128) and np.argmax(roll[::4], axis=1).tolist() == [60, 62, 63, 65, 67, 68, 70, 72]
    pooled = pq.read_table(project / "data/features/scales/note_statistics/pooled.parquet")
    assert pooled["clip_id"].to_pylist() == manifest["clip_id"].tolist()


def test_a_run_names_a_corpus(project):
    scores = json.loads((project / "data/scores/scales_svm/scores.json").read_text())
    table = pq.read_table(project / "data/scores/scales_svm/predictions-2026.parquet").to_pandas()
    assert scores["accuracy"]["value"] == (table["actual"] == table["predicted"]).mean() > 0.8
    assert set(table["actual"]) == {"major", "minor"}
    told = run_in(project, *CLI, "trace", "models/runs/scales_svm").stdout
    assert "symbols@scales-note_statistics" in told and "notes@scales" in told
    assert "Music of scales: 26 files, 0 MB, 5 quarantined" in told
    told = run_in(project, *CLI, "trace", "minor/3.mid").stdout
    assert "notes@scales" in told


def test_nothing_of_sound_was_run_and_a_second_run_does_nothing(project):
    assert not (project / "data/raw").exists() and not (project / "data/audio").exists()
    told = run_in(project, *CLI, "run", "symbols@scales-piano_roll").stdout
    assert "Running stage" not in told


def test_it_is_in_the_recipe_and_in_dagster(project):
    assert "symbols@scales-piano_roll" in run_in(project, *DVC, "dag").stdout
    code = "from assets.definitions import defs\nprint(*(node.key for node in defs.resolve_asset_graph().asset_nodes))"
    keys = re.findall(r"AssetKey\(\['(\w+)'\]\)", run_in(project, sys.executable, "-c", code).stdout)
    assert {"notes", "symbols"} <= set(keys)


def test_declared_code_is_the_loaded_code(project):
    import yaml

    for name, stage in yaml.safe_load((project / "dvc.lock").read_text())["stages"].items():
        record = next(out["path"] for out in stage["outs"] if out["path"].startswith("data/records/"))
        loaded = json.loads((project / record).read_text())["code"]
        declared = [dep["path"] for dep in stage["deps"]]
        missing = {
            path
            for path in loaded
            if not path.startswith("pipelines/harness/")
            and not any(path == dep or path.startswith(f"{dep}/") for dep in declared)
        }
        assert missing == set(), name


def test_a_new_file_changes_the_fingerprint_and_is_read(project, music):
    (music / "minor/new.mid").write_bytes(tune(100, True))
    told = run_in(project, *CLI, "run", "notes@scales").stdout
    assert "scales: " in told and "has changed since it was last read" in told
    titles = pq.read_table(project / "data/manifests/scales.parquet")["title"].to_pylist()
    assert "minor/new.mid" in titles and len(titles) == 27


def test_a_withdrawn_piece_is_in_no_table(project):
    manifest = pq.read_table(project / "data/manifests/scales.parquet").to_pandas().set_index("title")
    withdrawn = manifest.loc["major/0.mid"]
    edit(project, lambda document: document["withdrawn"].update({withdrawn["sha256"]: "a letter of 3 May"}))
    run_in(project, *CLI, "run", "symbols@scales-note_statistics")
    after = pq.read_table(project / "data/manifests/scales.parquet").to_pandas()
    assert set(manifest.index) - set(after["title"]) == {"major/0.mid", "major/copy.mid"}
    notes = pq.read_table(project / "data/notes/scales/notes.parquet").to_pandas()
    assert withdrawn["clip_id"] not in set(notes["clip_id"])
    refused = pq.read_table(project / "data/manifests/scales.quarantine.parquet").to_pandas()
    assert refused["reason"].tolist().count("withdrawn: a letter of 3 May") == 2


def test_a_corpus_without_a_fault(tmp_path, monkeypatch):
    """In this process: nothing is quarantined, nothing has a split or a label."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "music").mkdir()
    (tmp_path / "music/1.mid").write_bytes(tune(0, True))
    entry = {
        "module": "folder",
        "path": "music",
        "fingerprint": corpus_folder.fingerprint(corpus_folder.scan(Path("music"))),
    }
    settings = {"corpora": {"one": entry}, "executor": {}, "max_quarantined": {"default": 0}}
    Path("params.yaml").write_text(json.dumps(settings))
    notes.main("one")
    found = json.loads(Path("data/records/notes/one.json").read_text())
    assert (found["figures"]["pieces"], found["figures"]["quarantined"], found["figures"]["all pieces"]) == (1, 0, 1)
    assert found["checks"]["nothing quarantined"]["passed"] and found["note"] == ""
    assert pq.read_table("data/manifests/one.quarantine.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda document: document["corpora"]["scales"].update(folder="label"), "do you mean folders?"),
        (lambda document: document["corpora"]["scales"].update(module="foldr"), "do you mean folder?"),
        (lambda document: document["corpora"]["scales"].pop("path"), "corpora.scales.path is missing"),
        (lambda document: document["corpora"]["scales"].pop("seed"), "corpora.scales.seed is missing"),
        (lambda document: document["corpora"]["scales"].update(split={"train": 1}), "shares of train"),
        (lambda document: document["corpora"].update(scores=document["corpora"]["scales"]), "name of a dataset"),
        (lambda document: document["symbols"].update(piano_rol={}), "do you mean piano_roll?"),
        (lambda document: document["symbols"].update(piano_roll={"steps": 4}), "do you mean steps_per_quarter?"),
        (lambda document: document["symbols"].update(piano_roll={"steps_per_quarter": 0.5}), "a whole number"),
        (lambda document: document["symbols"].update(log_mel={}), "name of a feature"),
        (lambda document: document["runs"]["scales_svm"].update(reads="pooled"), "runs.scales_svm.reads"),
        (lambda document: document["runs"]["scales_svm"].update({"from": "embeddings"}), "corpus of notes"),
        (lambda document: document["runs"]["scales_svm"].update(dataset="scale"), "do you mean scales?"),
    ],
)
def test_what_params_may_not_say(project, change, said):
    path = project / "params.yaml"
    before = path.read_text()
    edit(project, change)
    done = run_in(project, sys.executable, "-m", "pipelines.ops.settings", check=False)
    path.write_text(before)
    assert done.returncode and said in done.stderr, done.stderr
