"""Chunks against plain slicing; a killed training that goes on gives the very weights of an uninterrupted one."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from pipelines.features import log_mel
from pipelines.models import taggers
from pipelines.store import shards
from pipelines.store.tables import write_table
from pipelines.training import chunks, fit, inference

CHUNK = 4096
TRAINING = """
import logging, os, signal, sys
logging.basicConfig(level=logging.INFO)
from pathlib import Path
import numpy as np, safetensors.torch, torch
from pipelines.models import taggers
from pipelines.training import chunks, fit

source, checkpoints, out, die_at = sys.argv[1:]
clips = chunks.Clips(source, 59049)
ids = list(clips.places)
tags = (np.arange(len(ids))[:, None] % np.array([2, 3]) == 0).astype(np.float32)
data = {"clips": clips, "train_ids": ids, "train_tags": tags, "validation_ids": ids[:8], "validation_tags": tags[:8]}
begin = fit.Tagging.on_train_epoch_start
def start(self):
    if self.current_epoch == int(die_at):
        os.kill(os.getpid(), signal.SIGKILL)
    begin(self)
fit.Tagging.on_train_epoch_start = start
torch.manual_seed(0)
tagger = taggers.create("short", 2, 0.05)
settings = {"epochs": 4, "batch_size": 4, "learning_rate": 0.01, "weight_decay": 0.0, "chunks_per_clip": 1,
            "patience": 10, "precision": "32-true", "seed": 3}
figures = fit.fit("short", tagger, data, settings, Path(checkpoints))
assert figures["epochs"] == 4
safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tagger.state_dict().items()}, out)
"""


def lay_out(folder, lengths, frames=False):
    """Clips of noise in one shard, PCM or log-mel; returns {clip_id: array}."""
    rng = np.random.default_rng(0)
    arrays = {f"c{n}": (3000 * rng.standard_normal(length)).astype(np.int16) for n, length in enumerate(lengths)}
    if frames:
        arrays = {name: log_mel.compute(y / np.float32(32768), 16_000).astype(np.float16) for name, y in arrays.items()}
    folder.mkdir(parents=True)
    rows = []
    row_shape = next(iter(arrays.values())).shape[1:]
    with shards.writer(shards.shard_path(folder, 0), "float16" if frames else "int16", row_shape) as write_clip:
        for name, array in arrays.items():
            offset, length = write_clip([array])
            rows.append({"clip_id": name, "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)
    return arrays


def test_crops_equal_slices_and_short_clips_repeat(tmp_path):
    arrays = lay_out(tmp_path / "pcm", [10_000, 1000, CHUNK])
    clips = chunks.Clips(tmp_path / "pcm", CHUNK)
    np.testing.assert_allclose(clips.crop("c0", 77), arrays["c0"][77 : 77 + CHUNK] / 32768, rtol=1e-6)
    np.testing.assert_allclose(clips.crop("c1", 0), np.resize(arrays["c1"], CHUNK) / 32768, rtol=1e-6)
    assert clips.starts("c0").tolist() == [0, CHUNK]
    assert clips.starts("c1").tolist() == clips.starts("c2").tolist() == [0]
    assert len(clips.starts("c0", at_most=1)) == 1


def test_frames_of_a_chunk_are_the_front_ends(tmp_path):
    lay_out(tmp_path / "mel", [70_000], frames=True)
    clips = chunks.Clips(tmp_path / "mel", 59_049)
    tagger = taggers.create("short", 2, 0.05)
    assert clips.crop("c0", 3).shape == tuple(tagger.front(torch.zeros(1, 59_049)).shape[1:])


def test_predictions_are_means_over_chunks_whatever_the_batch(tmp_path):
    arrays = lay_out(tmp_path / "pcm", [3 * 59_049 + 5, 59_049, 2 * 59_049])
    clips = chunks.Clips(tmp_path / "pcm", 59_049)
    tagger = taggers.create("sample", 4, 0.05).eval()
    probabilities, embeddings = inference.predict(tagger, clips, ["c2", "c0"])
    for row, name, n_chunks in ((0, "c2", 2), (1, "c0", 3)):
        y = torch.from_numpy(arrays[name][: n_chunks * 59_049].reshape(n_chunks, -1) / np.float32(32768))
        with torch.no_grad():
            expected, embedding = tagger(y)
        np.testing.assert_allclose(probabilities[row], expected.mean(dim=0), atol=1e-5)
        np.testing.assert_allclose(embeddings[row], embedding.mean(dim=0), atol=1e-5)


def test_random_chunks_depend_on_seed_epoch_and_item_only(tmp_path):
    lay_out(tmp_path / "pcm", [200_000] * 3)
    clips, tags = chunks.Clips(tmp_path / "pcm", CHUNK), np.eye(3, dtype=np.float32)

    def first(epoch, seed=1):
        return fit.RandomChunks(clips, ["c0", "c1", "c2"], tags, seed)[epoch, 4][0]

    torch.testing.assert_close(first(0), first(0), rtol=0, atol=0)
    assert not torch.equal(first(0), first(1)) and not torch.equal(first(0), first(0, seed=2))


def test_every_item_once_an_epoch():
    done = 0
    batches = fit.EpochBatches(10, 5, seed=1, steps_done=lambda: done)
    first = [place for batch in batches for place in batch]
    done = 2
    second = [place for batch in batches for place in batch]
    assert sorted(first) == [(0, item) for item in range(10)]
    assert sorted(second) == [(1, item) for item in range(10)]
    assert [item for _, item in first] != [item for _, item in second]


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path):
    lay_out(tmp_path / "mel", [70_000] * 12, frames=True)

    def train(checkpoints, out, die_at=-1):
        arguments = [str(tmp_path / "mel"), str(tmp_path / checkpoints), str(tmp_path / out), str(die_at)]
        done = subprocess.run([sys.executable, "-c", TRAINING, *arguments], capture_output=True, text=True)
        assert done.returncode == (-signal.SIGKILL if die_at >= 0 else 0), done.stderr[-3000:]
        return done.stderr

    train("whole", "whole.safetensors")
    train("killed", "killed.safetensors", die_at=2)
    assert not (tmp_path / "killed.safetensors").exists()
    assert "going on from" in train("killed", "killed.safetensors")
    assert (tmp_path / "killed.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    histories = [fit.read_history(tmp_path / name / "history.csv") for name in ("whole", "killed")]
    assert histories[0] == histories[1] and len(histories[0]) == 4


def test_learning_something(tmp_path):
    """A network given an easy tag (loud or soft) must learn it: training is wired to the labels."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "pcm"
    folder.mkdir()
    rows = []
    with shards.writer(shards.shard_path(folder, 0), "int16") as write_clip:
        for number in range(24):
            loudness = 8000 if number % 2 else 300
            offset, length = write_clip([(loudness * rng.standard_normal(59_049)).astype(np.int16)])
            rows.append({"clip_id": f"c{number}", "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)
    ids, tags = [row["clip_id"] for row in rows], np.array([[n % 2, 1 - n % 2] for n in range(24)], np.float32)
    data = {
        "clips": chunks.Clips(folder, 59_049),
        "train_ids": ids[:16],
        "train_tags": tags[:16],
        "validation_ids": ids[16:],
        "validation_tags": tags[16:],
    }
    settings = {
        "epochs": 6,
        "batch_size": 4,
        "learning_rate": 0.003,
        "weight_decay": 0.0,
        "chunks_per_clip": 1,
        "patience": 10,
        "precision": "32-true",
        "seed": 0,
    }
    torch.manual_seed(0)
    figures = fit.fit("sample", taggers.create("sample", 2, 0.05), data, settings, tmp_path / "checkpoints")
    assert figures["validation ROC-AUC"] > 0.9


@pytest.mark.parametrize("wanted", ["32-true", "bf16-mixed"])
def test_precision_is_as_asked_or_detected(wanted):
    assert fit.precision(wanted) == wanted
    assert fit.precision("auto") in ("32-true", "bf16-mixed")


def test_tag_matrix():
    clips = pd.DataFrame({"tags": [["a", "b"], [], ["c", "zzz"]]})
    np.testing.assert_array_equal(chunks.tag_matrix(clips, ["a", "b", "c"]), [[1, 1, 0], [0, 0, 0], [0, 0, 1]])


def test_missing_shards_say_which_stage(tmp_path):
    with pytest.raises(FileNotFoundError):
        chunks.Clips(Path(tmp_path) / "nothing", CHUNK)
