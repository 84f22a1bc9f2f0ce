"""Predictions of fitted runs for new files: those of the dataset's own test files are the stored ones, of sound and of notes."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
import yaml
from helpers import PROJECT
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.core.files import read_json, write_json
from pipelines.corpora import folder as midi_folder
from pipelines.models import export, taggers
from pipelines.notes.midi.write import write as write_midi
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array
from pipelines.ops import adding
from pipelines.stages import audio, baseline, embed, features, fit, manifest, notes, raw, score, symbols

SIDES = ["train"] * 5 + ["validation"] + ["test"] * 4
RUN = {"task": "classification", "model": "logistic", "seeds": 1, "parameters": {"C": 1.0}}
RUNS = {
    "pooled_run": {**RUN, "dataset": "tones", "from": "features", "reads": "pooled", "target": "label"},
    "tagger_run": {**RUN, "dataset": "tones", "from": "embeddings", "reads": "short.parquet", "target": "label"},
    "pca_run": {**RUN, "dataset": "tones", "from": "embeddings", "reads": "pooled_pca.parquet", "target": "label"},
    "notes_run": {**RUN, "dataset": "tunes", "from": "features", "reads": "note_statistics", "target": "label"},
}


def tone(path, hz, number):
    rng = np.random.default_rng(number)
    y = 0.3 * np.sin(2 * np.pi * hz * np.arange(17_000 + number) / 16_000) + 0.02 * rng.standard_normal(17_000 + number)
    soundfile.write(path, y, 16_000)


def tune(number, minor):
    steps = [0, 2, 3 if minor else 4, 5, 7, 8 if minor else 9, 11 - minor, 12]
    rows = [{"pitch": 60 + s, "velocity": 80, "onset": n, "duration": 1 + number / 480} for n, s in enumerate(steps)]
    maps = array(TEMPOS, [{"quarter_us": 400_000}]), array(METRES, []), array(KEYS, [])
    return write_midi(Piece(array(NOTES, rows), *maps, 8.0, 0.0, 480, 1))[0]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A project of 60 tones and 20 tunes after the stages of the four runs, in this process."""
    at = tmp_path_factory.mktemp("fitted")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        lay_out(at)
    return at


@pytest.fixture
def project(fitted, monkeypatch):
    monkeypatch.chdir(fitted)
    return fitted


def lay_out(at):
    (at / "wav").mkdir()
    rows = []
    for n in range(60):
        tone(at / f"wav/{n}.wav", 220 if n % 2 else 330, n)
        rows.append({"path": f"wav/{n}.wav", "label": "ab"[n % 2], "split": SIDES[n // 2 % 10], "group": f"g{n // 2}"})
    pd.DataFrame(rows).to_csv(at / "tones.csv", index=False)
    for n in range(20):
        (at / "midi" / "ab"[n % 2] / f"w{n}").mkdir(parents=True)
        (at / "midi" / "ab"[n % 2] / f"w{n}" / "x.mid").write_bytes(tune(n, n % 2))
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())
    settings["executor"]["workers"] = 1
    settings["datasets"]["tones"] = adding.entry(at / "tones.csv")[0]
    found = midi_folder.fingerprint(midi_folder.scan(at / "midi"))
    split = {"split": {"train": 0.6, "validation": 0.1, "test": 0.3}, "seed": 1}
    tunes = {"module": "folder", "imports": "pipelines/notes/midi", "path": str(at / "midi"), "fingerprint": found}
    settings["corpora"] = {"tunes": {**tunes, "folders": "label", **split}}
    settings["symbols"] = {"note_statistics": {}}
    settings["tasks"]["classification"] = {"n_bootstrap": 20, "seed": 2026}
    settings["runs"] = RUNS
    (at / "params.yaml").write_text(yaml.safe_dump(settings))
    for stage in (raw, manifest, audio):
        stage.main("tones")
    for feature in ("waveform", "pooled"):
        features.main("tones", feature)
    baseline.main("tones", "pooled_pca")
    lay_out_tagger(settings["features"]["log_mel"])
    embed.main("tones", "short")
    notes.main("tunes")
    symbols.main("tunes", "note_statistics")
    for run in RUNS:
        fit.main(run)
        score.main(run)


def lay_out_tagger(log_mel):
    """An untrained exported tagger that reads log-mel, whose frames see across the edges of chunks."""
    torch.manual_seed(1)
    network = taggers.create("short", 3, 0.1).eval()
    module = taggers.load_module("short")
    export.export(network, network.front(torch.zeros(2, module.CHUNK)), "models/onnx/short/model.onnx")
    config = {"name": "short", "tags": ["x", "y", "z"], "chunk": module.CHUNK, "hop": log_mel["hop_length"]}
    config |= {"reads": "log_mel", "representation": log_mel, "front": module.FRONT, "front_parameters": log_mel}
    write_json("models/onnx/short/config.json", config | {"weights": ""})


def stored(project, run):
    """path -> (predicted, probabilities) of the test clips, as the stage score stored them."""
    table = pq.read_table(f"data/scores/{run}/predictions-2026.parquet").to_pandas()
    paths = pq.read_table(f"data/manifests/{RUNS[run]['dataset']}.parquet").to_pandas().set_index("clip_id")["path"]
    return {paths[row.unit]: (row.predicted, row.probabilities) for row in table.itertuples()}


@pytest.mark.parametrize("name", RUNS)
def test_the_datasets_own_test_files_get_the_stored_predictions(project, name):
    wanted = stored(project, name)
    done = CliRunner().invoke(app, ["predict", name, *reversed(wanted), "--json", f"{name}.json"])
    assert done.exit_code == 0, done.output
    written = read_json(f"{name}.json")
    assert [entry["path"] for entry in written["files"]] == [*reversed(wanted)] and len(wanted) >= 6
    for entry in written["files"]:
        predicted, probabilities = wanted[entry["path"]]
        assert entry["predicted"] == predicted
        np.testing.assert_allclose(list(entry["probabilities"].values()), probabilities, atol=2e-6)
        best = max(entry["probabilities"].values())
        assert f"{entry['path']}  {predicted} {best:.2f}, " in done.output
    assert written["task"] == "classification" and written["fitted"]["folder"] == f"models/runs/{name}/2026"
    assert written["fitted"]["sha256"] == read_json(f"data/scores/{name}/about.json")["models"]["2026"]
