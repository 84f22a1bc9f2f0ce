"""Chunks against plain slicing; a killed training that goes on gives the very weights of an uninterrupted one."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import some

from pipelines.core import chunks, shards
from pipelines.core.tables import write_table
from pipelines.features import log_mel
from pipelines.models import taggers
from pipelines.training import batches, fit, history, inference

CHUNK = 4096
TRAINING = """
import logging, os, signal, sys
logging.basicConfig(level=logging.INFO)
from pathlib import Path
import numpy as np, safetensors.torch, torch
from pipelines.models import taggers
from pipelines.core import chunks
from pipelines.training import fit

source, checkpoints, out, die_at, how = sys.argv[1:]
clips = chunks.Clips(source, 59049, 256)
ids = list(clips.places)
tags = (np.arange(len(ids))[:, None] % np.array([2, 3]) == 0).astype(np.float32)
data = {"clips": clips, "train_ids": ids, "train_tags": tags, "validation_ids": ids[:8], "validation_tags": tags[:8]}
begin = fit.Tagging.on_train_epoch_start
def start(self):
    if self.first_epoch + self.current_epoch == int(die_at):
        os.kill(os.getpid(), int(how))
    begin(self)
fit.Tagging.on_train_epoch_start = start
torch.manual_seed(0)
tagger = taggers.create("short", 2, 0.05)
adam = {"optimizer": "adamw", "learning_rate": 0.01, "schedule": "cosine", "epochs": 2}
sgd = {"optimizer": "sgd", "learning_rate": 0.001, "momentum": 0.9, "weight_decay": 0.0001, "epochs": 2}
settings = {"recipe": "test", "phases": [adam, sgd], "monitor": "loss", "batch_size": 4, "chunks_per_clip": 1, "patience": 0,
            "precision": "32-true", "seed": 3, "devices": 1, "augment": {"time_masks": 1, "time_mask": 0.2, "mixup": 0.4,
            "stretch": 0.2, "pitch_bands": 2, "filter_db": 6, "noise_snr_db": 20, "gain_db": 6}}
figures = fit.fit("short", tagger, data, settings, Path(checkpoints))
assert figures["epochs"] == 4
safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tagger.state_dict().items()}, out)
"""


SETTINGS = {
    "recipe": "test",
    "phases": [{"optimizer": "adamw", "learning_rate": 0.1, "schedule": "cosine", "epochs": 6}],
    "monitor": "roc_auc",
    "batch_size": 4,
    "chunks_per_clip": 1,
    "patience": 10,
    "precision": "32-true",
    "augment": {},
    "seed": 0,
    "devices": 1,
}


class Level(torch.nn.Module):
    """Learns loudness and nothing else."""

    def __init__(self):
        super().__init__()
        self.dense = torch.nn.Linear(1, 2)

    def front(self, waveform):
        return waveform

    def classify(self, features):
        embedding = torch.log(features.abs().mean(dim=1, keepdim=True)) + 4
        return self.dense(embedding), embedding


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
    clips = chunks.Clips(tmp_path / "mel", 59_049, hop=256)
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
        return batches.RandomChunks(clips, ["c0", "c1", "c2"], tags, seed)[epoch, 4][0]

    torch.testing.assert_close(first(0), first(0), rtol=0, atol=0)
    assert not torch.equal(first(0), first(1)) and not torch.equal(first(0), first(0, seed=2))


def test_every_item_once_an_epoch():
    done = 0
    epoch = batches.EpochBatches(10, 5, seed=1, steps_done=lambda: done)
    first = [place for batch in epoch for place in batch]
    done = 2
    second = [place for batch in epoch for place in batch]
    assert sorted(first) == [(0, item) for item in range(10)]
    assert sorted(second) == [(1, item) for item in range(10)]
    assert [item for _, item in first] != [item for _, item in second]


def test_devices_share_the_batches_of_one():
    def epoch(rank, n_ranks):
        return list(batches.EpochBatches(12, 5, 1, lambda: 0, first_epoch=3, share=lambda: (rank, n_ranks)))

    for whole, first, second in zip(epoch(0, 1), epoch(0, 2), epoch(1, 2), strict=True):
        assert sorted(first + second) == sorted(whole) and {place[0] for place in whole} == {3}


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize("die_at, how", [(1, signal.SIGKILL), (2, signal.SIGKILL), (3, signal.SIGTERM)])
def test_a_killed_training_goes_on_to_the_same_weights(die_at, how, tmp_path):
    """Killed in the first of two phases and where the second begins; asked to end, which is no success, in the second."""
    lay_out(tmp_path / "mel", [70_000] * 12, frames=True)

    def train(checkpoints, out, die_at=-1):
        arguments = [
            str(tmp_path / "mel"),
            str(tmp_path / checkpoints),
            str(tmp_path / out),
            str(die_at),
            str(int(how)),
        ]
        done = subprocess.run([sys.executable, "-c", TRAINING, *arguments], capture_output=True, text=True)
        ends = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM}
        assert done.returncode == (ends[how] if die_at >= 0 else 0), done.stderr[-3000:]
        return done.stderr

    train("whole", "whole.safetensors")
    train("killed", "killed.safetensors", die_at=die_at)
    assert not (tmp_path / "killed.safetensors").exists()
    assert ("resuming from" in train("killed", "killed.safetensors")) == (die_at != 2)
    assert (tmp_path / "killed.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    histories = [history.read(tmp_path / name / "history.csv") for name in ("whole", "killed")]
    assert histories[0] == histories[1] and len(histories[0]) == 4


def loud_and_soft(folder):
    """24 clips whose tags are their loudness, as `fit` takes them."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    rows = []
    with shards.writer(shards.shard_path(folder, 0), "int16") as write_clip:
        for number in range(24):
            loudness = 8000 if number % 2 else 300
            offset, length = write_clip([(loudness * rng.standard_normal(CHUNK)).astype(np.int16)])
            rows.append({"clip_id": f"c{number}", "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)
    ids, tags = [row["clip_id"] for row in rows], np.array([[n % 2, 1 - n % 2] for n in range(24)], np.float32)
    return {
        "clips": chunks.Clips(folder, CHUNK),
        "train_ids": ids[:16],
        "train_tags": tags[:16],
        "validation_ids": ids[16:],
        "validation_tags": tags[16:],
    }


def test_a_phase_that_patience_ended_is_not_trained_further(tmp_path):
    """Killed after its last epoch, and before that was written down."""
    data, settings = (
        loud_and_soft(tmp_path / "pcm"),
        SETTINGS | {"patience": 2, "phases": [SETTINGS["phases"][0] | {"epochs": 40}]},
    )

    def train():
        torch.manual_seed(0)
        tagger = Level()
        figures = fit.fit("level", tagger, data, settings, tmp_path / "checkpoints")
        return figures, tagger.dense.weight.tolist()

    figures, weights = train()
    assert figures["epochs"] < 40
    (tmp_path / "checkpoints/phase-0/done").unlink()
    assert train() == (figures, weights)


@pytest.mark.parametrize("spoilt", ["last.ckpt", "best.ckpt", "done", "history.csv"])
def test_a_damaged_checkpoint_is_not_gone_on_from(spoilt, tmp_path):
    """One bit of it: whole to torch, and another weight."""
    data, settings = loud_and_soft(tmp_path / "pcm"), SETTINGS | {"patience": 0}

    def train():
        torch.manual_seed(0)
        tagger = Level()
        return fit.fit("level", tagger, data, settings, tmp_path / "checkpoints"), tagger.dense.weight.tolist()

    first = train()
    curve = history.read(tmp_path / "checkpoints/history.csv")
    path = next((tmp_path / "checkpoints").rglob(spoilt))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert train() == first
    assert history.read(tmp_path / "checkpoints/history.csv") == curve


@pytest.mark.parametrize("devices", some([1, 2], 1))
def test_learning_something(devices, tmp_path, capfd):
    """A network given an easy tag (loud or soft) must learn it, in one process and in two: training is wired to the labels."""
    torch.manual_seed(0)
    settings, data = SETTINGS | {"devices": devices}, loud_and_soft(tmp_path / "pcm")
    figures = fit.fit("level", Level(), data, settings, tmp_path / "checkpoints")
    if devices == 2:  # spawned processes tell their epochs too
        told = capfd.readouterr().err
        assert "level: epoch 6/6" in told and "sync_dist" not in told
    assert figures["validation ROC-AUC"] == 1.0
    curve = history.read(tmp_path / "checkpoints" / "history.csv")
    assert float(curve[-1]["validation_loss"]) < 0.5 * float(curve[0]["validation_loss"])
    assert [row["epoch"] for row in curve] == list("123456")


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
