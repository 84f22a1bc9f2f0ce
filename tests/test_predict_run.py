"""Predictions of fitted runs for new files: those of the dataset's own test files are the stored ones, of sound and of notes."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
import yaml
from helpers import PROJECT
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from pipelines import tasks
from pipelines.cli import app
from pipelines.core.files import read_json, write_json
from pipelines.corpora import folder as midi_folder
from pipelines.models.encoders import fingerprints
from pipelines.notes.midi.write import write as write_midi
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array
from pipelines.ops import adding
from pipelines.predict import runs
from pipelines.stages import audio, baseline, embed, encode, features, fit, manifest, notes, raw, score, symbols

SIDES = ["train"] * 5 + ["validation"] + ["test"] * 4
RUN = {"task": "classification", "model": "logistic", "seeds": 1, "parameters": {"C": 1.0}}
RUNS = {
    "pooled_run": {**RUN, "dataset": "tones", "from": "features", "reads": "pooled", "target": "label"},
    "tagger_run": {**RUN, "dataset": "tones", "from": "embeddings", "reads": "short.parquet", "target": "label"},
    "pca_run": {**RUN, "dataset": "tones", "from": "embeddings", "reads": "pooled_pca.parquet", "target": "label"},
    "onnx_run": {**RUN, "dataset": "tones", "from": "embeddings", "reads": "level.parquet", "target": "label"},
    "network_run": {
        **RUN,
        "dataset": "tones",
        "from": "features",
        "reads": "log_mel",
        "target": "label",
        "model": "cnn2d",
        "parameters": {"epochs": 1, "width": 0.25, "patience": 0},
    },
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
    settings["features"]["pooled"] |= {"descriptors": ["mfcc", "rms"]}  # fewer, because each loads compiled code
    settings["datasets"]["tones"] = adding.entry(at / "tones.csv")[0]
    found = midi_folder.fingerprint(midi_folder.scan(at / "midi"))
    split = {"split": {"train": 0.6, "validation": 0.1, "test": 0.3}, "seed": 1}
    tunes = {"module": "folder", "imports": "pipelines/notes/midi", "path": str(at / "midi"), "fingerprint": found}
    settings["corpora"] = {"tunes": {**tunes, "folders": "label", **split}}
    settings["symbols"] = {"note_statistics": {}}
    settings["tasks"]["classification"] = {"n_bootstrap": 20, "seed": 2026}
    settings["runs"] = RUNS
    settings["encoders"] = {"level": lay_out_encoder(at / "level.onnx")}
    (at / "params.yaml").write_text(yaml.safe_dump(settings))
    for stage in (raw, manifest, audio):
        stage.main("tones")
    for feature in ("waveform", "pooled", "log_mel"):
        features.main("tones", feature)
    baseline.main("tones", "pooled_pca")
    encode.main("tones", "level")
    lay_out_tagger(settings["features"]["log_mel"])
    embed.main("tones", "short")
    notes.main("tunes")
    symbols.main("tunes", "note_statistics")
    for run in RUNS:
        fit.main(run)
        score.main(run)


def lay_out_encoder(path):
    """A model that hears 0.5 s at 8 kHz: mean and largest of the absolute samples. Returns its entry."""
    nodes = [
        helper.make_node("Abs", ["x"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("ReduceMax", ["size"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "largest"], ["embedding"], axis=1),
    ]
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "samples"])]
    made = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 2])]
    graph = helper.make_graph(nodes, "encoder", given, made)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return {
        "kind": "onnx",
        "path": str(path),
        "fingerprint": fingerprints.of(str(path)),
        "sample_rate": 8_000,
        "chunk_s": 0.5,
    }


def lay_out_tagger(log_mel):
    """A tiny exported tagger that reads log-mel, whose frames see across the edges of chunks."""
    weights = np.random.default_rng(1).standard_normal((128, 3)).astype("float32") / 128
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=0),
            helper.make_node("MatMul", ["mean", "weights"], ["embedding"]),
            helper.make_node("Sigmoid", ["embedding"], ["probabilities"]),
        ],
        "tagger",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", "frames", 128])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in ("probabilities", "embedding")],
        [numpy_helper.from_array(weights, "weights")],
    )
    folder = Path("models/onnx/short")
    folder.mkdir(parents=True)
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "model.onnx"
    )
    config = {"name": "short", "tags": ["x", "y", "z"], "chunk": 8192, "hop": log_mel["hop_length"], "reads": "log_mel"}
    config |= {"representation": log_mel, "front": "log_mel", "front_parameters": log_mel, "weights": ""}
    write_json(folder / "config.json", config)


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


def test_music_unlike_the_training_clips_and_bad_files_are_named(project, tmp_path):
    (tmp_path / "new").mkdir()
    tone(tmp_path / "new/like.wav", 220, 500)
    soundfile.write(tmp_path / "new/noise.wav", np.random.default_rng(0).uniform(-1, 1, 20_000), 16_000)
    soundfile.write(tmp_path / "new/silent.wav", np.zeros(20_000), 16_000)
    (tmp_path / "new/bad.mp3").write_text("hello")
    (tmp_path / "new/notes.txt").write_text("no music")
    files = [str(tmp_path / "new"), str(tmp_path / "new/lik.wav")]
    done = CliRunner().invoke(
        app, ["predict", "pooled_run", *files, "--json", str(tmp_path / "out.json"), "--top", "1"]
    )
    assert done.exit_code == 1
    written = read_json(tmp_path / "out.json")
    outside = {entry["path"].rpartition("/")[2]: entry["outside_training_music"] for entry in written["files"]}
    assert outside == {"like.wav": False, "noise.wav": True} and written["passed_over"] == 1
    reasons = {entry["path"].rpartition("/")[2]: entry["reason"] for entry in written["failed"]}
    assert "not audio" in reasons["bad.mp3"] and "silent" in reasons["silent.wav"]
    assert f"do you mean {tmp_path / 'new/like.wav'}?" in reasons["lik.wav"]
    assert "noise.wav lies outside" not in done.output and "1 of 2 files" not in done.output
    assert "1 of 5 files lie outside the music that pooled_run was trained on" in done.output.replace("lies", "lie")
    assert "3 of 5 files could not be used." in done.output and "1 file that is not audio was ignored." in done.output


def test_vectors_made_elsewhere_cannot_be_made_of_new_files(project):
    settings = changed(project, lambda s: s["encoders"].update(level={"kind": "vectors", "files": {}}))
    files = [Path(path) for path in stored(project, "onnx_run")]
    with pytest.raises(ValueError, match="no model here that could make those of new files"):
        runs.predict(runs.load("onnx_run", settings), files, settings)


def test_midi_files_are_read_and_others_ignored(project, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/x.mid").write_bytes(tune(3, 1))
    (tmp_path / "new/cut.mid").write_bytes(tune(3, 1)[:-9])
    (tmp_path / "new/x.wav").write_bytes(b"RIFF")
    done = CliRunner().invoke(app, ["predict", "notes_run", str(tmp_path / "new")])
    assert done.exit_code == 1 and f"{tmp_path / 'new/x.mid'}  b 0." in done.output
    assert "new/cut.mid: " in done.output and "1 file that is not MIDI was ignored." in done.output
    assert "1 of 2 files could not be used." in done.output


def changed(project, edit):
    settings = yaml.safe_load((project / "params.yaml").read_text())
    edit(settings)
    return settings


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda s: s["runs"]["pooled_run"].update(scaling="minmax"), "fitted before a change of its options"),
        (lambda s: s["runs"]["pooled_run"].update(reads="pooled2"), "fitted before a change of its reads"),
        (lambda s: s["tasks"]["classification"].update(seed=1), "fitted before a change of its first seed"),
        (lambda s: s["features"]["pooled"].update(n_mfcc=21), "a change of features.pooled in params.yaml"),
        (lambda s: s["audio"].update(sample_rate=22_050), "a change of audio.sample_rate in params.yaml"),
    ],
)
def test_a_run_that_is_no_longer_what_params_say_predicts_nothing(project, edit, reason):
    entry = {
        "cmd": "features",
        "params": {
            "params.yaml": {"audio.sample_rate": 16_000, "features.pooled": changed(project, id)["features"]["pooled"]}
        },
        "outs": [{"path": "data/features/tones/pooled", "md5": "x"}],
    }
    stages = {"features@tones-pooled": entry}
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    try:
        assert runs.load("pooled_run", changed(project, id)).name == "pooled_run"
        with pytest.raises(ValueError, match=rf"{reason}.*`conservatory run pooled_run` fits it again"):
            runs.load("pooled_run", changed(project, edit))
    finally:
        (project / "dvc.lock").unlink()


def test_a_retrained_tagger_makes_a_run_on_its_embedding_stale(project):
    stages = {
        "export@short": {"cmd": "export", "outs": [{"path": "models/onnx/short", "md5": "new"}]},
        "embed@tones-short": {
            "cmd": "embed",
            "deps": [{"path": "models/onnx/short", "md5": "old"}],
            "outs": [{"path": "data/embeddings/tones/short.parquet", "md5": "x"}],
        },
    }
    (project / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    try:
        with pytest.raises(ValueError, match="fitted before a change of models/onnx/short"):
            runs.load("tagger_run", changed(project, id))
    finally:
        (project / "dvc.lock").unlink()


def test_unfitted_unknown_and_families_without_predictions_are_named(project, monkeypatch):
    settings = changed(project, lambda s: s["runs"].update(other={**RUNS["pooled_run"], "model": "knn"}))
    with pytest.raises(ValueError, match="run 'other' is not fitted yet: `conservatory run other` fits it"):
        runs.load("other", settings)
    done = CliRunner().invoke(app, ["predict", "pooled_runs", "x.wav"])
    assert done.exit_code == 2 and "no fitted run 'pooled_runs' (do you mean pooled_run?)" in done.output
    done = CliRunner().invoke(app, ["predict", "pooled_run", "x.wav", "--tags", "jamendo"])
    assert done.exit_code == 2 and "--tags are for taggers" in done.output
    monkeypatch.setattr(tasks, "FOLDER", project)
    with pytest.raises(ValueError, match="family 'classification' of run 'pooled_run' gives no predictions"):
        runs.load("pooled_run", changed(project, id))
