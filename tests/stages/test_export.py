"""Export, embedding and published weights as stages, on a few clips of sound."""

import shutil
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import copy_params, some
from ruamel.yaml import YAML
from torch import nn

from pipelines.core import chunks, embeddings, params, pcm, shards
from pipelines.core.files import read_json, sha256
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.features import mfcc
from pipelines.inference import onnx
from pipelines.models import taggers
from pipelines.ops.settings import load_params
from pipelines.report import cards
from pipelines.stages import embed, export, features, train
from pipelines.training import inference

LENGTHS = (70_000, 59_049 * 3 + 7, 20_000, 130_000)
IDS = [f"clip{number}" for number in range(len(LENGTHS))]


@pytest.fixture
def project(in_tmp):
    """Four clips of noise, each its own loudness, as PCM shards, with a manifest; one is shorter than a chunk."""
    copy_params(in_tmp)
    rng, rows = np.random.default_rng(0), []
    with shards.writer("data/audio/scores/shard-00000.npy", "int16") as write_clip:
        for number, (clip_id, n) in enumerate(zip(IDS, LENGTHS, strict=True)):
            y = (1000 * (number + 1) * rng.standard_normal(n)).astype("int16")
            offset, length = write_clip([y])
            place = {"shard": 0, "offset": offset, "length": length}
            rows.append({"clip_id": clip_id, **place, "peak": 0.5, "clipped": 0, "sha256": clip_id})
    write_table(pd.DataFrame(rows).astype({"shard": "int32"}), "data/audio/scores/index.parquet", pcm.INDEX)
    features.main("scores", "waveform")
    clips = pd.DataFrame(
        {
            "clip_id": IDS,
            "path": [f"/music/{name}.wav" for name in IDS],
            "title": IDS,
            "tags": [["style:a"]] * 4,
            "split": ["train", "train", "test", "train"],
            "group": IDS,
            "duplicate_of": None,
            "duration_s": 4.0,
            "sample_rate": 16_000,
            "channels": 1,
            "n_bytes": 1,
            "sha256": IDS,
            "source": "here",
            "licence": "none",
        }
    ).astype({"sample_rate": "int32", "channels": "int32"})
    write_table(clips, "data/manifests/scores.parquet", MANIFEST)
    return in_tmp


def trained(name, reads="waveform"):
    """A small untrained tagger where the train stage leaves it."""
    torch.manual_seed(2)
    tagger, module = taggers.create(name, 3, 0.1), taggers.load_module(name)
    told = train.what_is_read({"reads": reads}, module, load_params())
    taggers.save(tagger, {"name": name, "width": 0.1, "tags": ["a", "b", "c"], **told}, f"models/tagging/{name}")
    return tagger.eval()


# what reads samples, and what has a front end that is computed without torch
@pytest.mark.parametrize("name", some(["sample", "musicnn"], "sample"))
def test_exported_and_embedded_as_pytorch_does_it(project, name, monkeypatch):
    tagger = trained(name)
    export.main(name)
    record = read_json(f"data/records/export/{name}.json")
    assert record["checks"]["equals PyTorch"]["passed"] and record["figures"]["chunks compared"] == 16
    assert record["figures"]["bytes"] == (project / f"models/onnx/{name}/model.onnx").stat().st_size
    config = read_json(f"models/onnx/{name}/config.json")
    assert config["weights"] == sha256(f"models/tagging/{name}/model.safetensors")
    assert config["parameters"] == sum(tensor.numel() for tensor in tagger.parameters())
    written = []
    for n_threads in (1, 3):
        monkeypatch.setattr("pipelines.harness.executor.n_workers", lambda wanted=0, n=n_threads: n)
        embed.main("scores", name)
        paths = f"data/embeddings/scores/{name}.parquet", f"data/predictions/tagging/scores/{name}.parquet"
        written.append([(project / path).read_bytes() for path in paths])
    assert written[0] == written[1], "the same bytes whatever the number of threads"
    clips = chunks.Clips("data/features/scores/waveform", taggers.load_module(name).CHUNK)
    probabilities, vectors = inference.predict(tagger, clips, IDS)
    np.testing.assert_allclose(embeddings.read(paths[0], IDS), vectors, atol=1e-5)
    scores = np.stack(read_table(paths[1], embeddings.PREDICTIONS)["scores"])
    np.testing.assert_allclose(scores, probabilities, atol=1e-5)
    assert all(check["passed"] for check in read_json(f"data/records/embed/scores-{name}.json")["checks"].values())


@pytest.mark.system
def test_an_export_that_differs_is_told(project, monkeypatch):
    """The check can fail: another front end than the tagger's is found out."""
    trained("musicnn")
    true = onnx.hear
    monkeypatch.setattr("pipelines.inference.onnx.hear", lambda tagger, config, chunk: true(tagger, config, chunk // 2))
    export.main("musicnn")
    check = read_json("data/records/export/musicnn.json")["checks"]["equals PyTorch"]
    assert not check["passed"] and "0.0001 is allowed" in check["detail"]


def test_what_is_not_exported_says_what_to_do(project):
    with pytest.raises(FileNotFoundError, match="conservatory run"):
        embed.main("scores", "sample")


@pytest.fixture
def checkpoint(project):
    """A published checkpoint of crnn with three tags, and `enter(**changes)`, which writes its entry to params.yaml."""
    torch.manual_seed(4)
    torch.save(taggers.create("crnn", 3).state_dict(), "crnn.pth")
    (project / "tags.txt").write_text("# made here\nhappy\n\nsad\nloud\n")
    whole = {
        "path": str(project / "crnn.pth"),
        "sha256": sha256("crnn.pth"),
        "tags": str(project / "tags.txt"),
        "source": "https://example.org",
        "licence": "MIT",
    }

    def enter(name="crnn_published", **changes):
        weights = {key: value for key, value in {**whole, **changes}.items() if value is not None}
        entry = {"network": "crnn", "reads": "waveform", "recipe": "weights", "weights": weights}
        edit(lambda document: document["taggers"].update({name: entry}))

    return enter


def edit(change):
    editor = YAML()
    with open("params.yaml") as file:
        document = editor.load(file)
    change(document)
    with open("params.yaml", "w") as file:
        editor.dump(document, file)


@pytest.mark.system
def test_published_weights_stand_beside_what_is_trained(project, checkpoint):
    checkpoint()
    settings = load_params()
    assert params.tagger_names(settings) == [*params.trained_names(settings), "crnn_published"]
    assert "crnn_published" in params.embedding_names(settings)
    train.main("crnn_published")
    tagger, config = taggers.load("models/tagging/crnn_published")
    torch.testing.assert_close(tagger.state_dict(), torch.load("crnn.pth", weights_only=True), rtol=0, atol=0)
    assert config["tags"] == ["happy", "sad", "loud"] and config["published"]["licence"] == "MIT"
    card = cards.written("crnn_published", config, [])
    assert "https://example.org" in card and config["published"]["sha256"] in card and str(project) not in card
    record = read_json("data/records/train/crnn_published.json")
    assert record["figures"]["licence"] == "MIT" and record["checks"]["better than chance"]["passed"] is None
    export.main("crnn_published")
    assert read_json("data/records/export/crnn_published.json")["checks"]["equals PyTorch"]["passed"]
    embed.main("scores", "crnn_published")
    vectors = embeddings.read("data/embeddings/scores/crnn_published.parquet", IDS)
    assert vectors.shape == (4, 32) and vectors.std(axis=0).max() > 0


def test_several_taggers_may_have_one_network(project, checkpoint):
    checkpoint("moods")
    checkpoint("moods_too")
    for name in ("moods", "moods_too"):
        train.main(name)
    weights = [(project / f"models/tagging/{name}/model.safetensors").read_bytes() for name in ("moods", "moods_too")]
    assert weights[0] == weights[1] and taggers.load("models/tagging/moods")[1]["name"] == "crnn"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "none.pth"}, r"no file none\.pth; get it from https://example\.org"),
        ({"sha256": "0" * 64}, "not the file that was meant: its SHA-256 is [0-9a-f]{64}"),
        ({"tags": "jamendo"}, "names 50, and .* has 3"),
        ({"tags": "of nobody"}, "no list of tags 'of nobody': there is jamendo"),
        ({"licence": None, "sha256": None}, "sha256, licence is missing"),
    ],
)
def test_a_wrong_entry_is_refused(project, checkpoint, changes, message):
    checkpoint(**changes)
    with pytest.raises(SystemExit, match=rf"taggers\.crnn_published\.weights in params\.yaml: .*{message}"):
        train.main("crnn_published")
    assert not (project / "models").exists()


@pytest.mark.system
def test_a_network_reads_each_representation_that_it_says_it_reads(project):
    """The same network from frames and from the waveform, whose front end makes those frames."""
    features.main("scores", "log_mel")
    vectors = {}
    for reads in ("log_mel", "waveform"):
        trained("short", reads)
        export.main("short")
        assert read_json("data/records/export/short.json")["checks"]["equals PyTorch"]["passed"]
        embed.main("scores", "short")
        vectors[reads] = embeddings.read("data/embeddings/scores/short.parquet", IDS)
    whole = [n >= 59_049 for n in LENGTHS]  # of a shorter clip the frames, or the samples, are played again
    # a chunk of frames sees across its edges, and frames are kept in float16
    tolerance = 0.02 * np.abs(vectors["waveform"]).max()
    np.testing.assert_allclose(vectors["log_mel"][whole], vectors["waveform"][whole], atol=tolerance)
    assert not list((project / ".cache/frames").iterdir()), "what was linked for it is taken away"


class Bands(nn.Module):
    """Means of MFCC over a chunk; it has no front end, so it cannot read the waveform."""

    def __init__(self, n_tags):
        super().__init__()
        self.dense = nn.Linear(20, n_tags)

    def classify(self, frames):
        return self.dense(frames.mean(dim=1)), frames.mean(dim=1)


def test_a_tagger_reads_any_frames_that_its_file_names(project, monkeypatch):
    """A file of one's own, on MFCC: exported, embedded from the dataset, and from sound."""
    module = ModuleType("pipelines.models.taggers.bands")
    module.READS, module.FRONT, module.CHUNK = {"mfcc": {"hop_length": 512}}, "mfcc", 16_000
    module.create = lambda n_tags, width: Bands(n_tags)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    edit(lambda document: document["features"].update({"mfcc": {"hop_length": 512, "n_mfcc": 20}}))
    features.main("scores", "mfcc")
    trained("bands", "mfcc")
    export.main("bands")
    assert read_json("data/records/export/bands.json")["checks"]["equals PyTorch"]["passed"]
    embed.main("scores", "bands")
    model, config = onnx.load("models/onnx/bands")
    clips = chunks.Clips("data/features/scores/mfcc", config["chunk"], config["hop"])
    assert clips.crop(IDS[0], 0).shape == (32, 20) and config["features"] == [32, 20]
    means = [np.mean([clips.crop(name, at).mean(axis=0) for at in clips.starts(name)], axis=0) for name in IDS]
    np.testing.assert_allclose(
        embeddings.read("data/embeddings/scores/bands.parquet", IDS), means, rtol=1e-4, atol=1e-4
    )
    samples = shards.open_shards("data/features/scores/waveform")[0][:16_000]
    heard = onnx.hear(model, config, samples)[1]
    np.testing.assert_allclose(heard, mfcc.compute(samples, 16_000, hop_length=512, n_mfcc=20).mean(axis=0), rtol=1e-4)


def test_an_embedding_does_not_wait_for_the_features_stage(project):
    """Its frames are those of the features stage, to the bit, whether that has run or not."""
    trained("short", "log_mel")
    features.main("scores", "log_mel")
    export.main("short")
    written = []
    for cached in (True, False):
        if not cached:
            shutil.rmtree(".cache/clips")
            shutil.rmtree("data/features/scores/log_mel")
        embed.main("scores", "short")
        paths = ("data/embeddings/scores/short.parquet", "data/records/embed/scores-short.json")
        written.append([(project / path).read_bytes() for path in paths])
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reads": "pooled"}, r"taggers\.short\.reads .* 'pooled', and the network short reads log_mel or waveform"),
        ({"network": "shrot"}, "no tagger 'shrot': .* do you mean short"),
    ],
)
def test_what_a_tagger_cannot_read_is_refused(project, changes, message):
    edit(lambda document: document["taggers"]["short"].update(changes))
    with pytest.raises(SystemExit, match=message):
        train.main("short")


def test_frames_of_other_parameters_are_refused(project):
    edit(lambda document: document["features"]["log_mel"].update({"n_mels": 96}))
    with pytest.raises(SystemExit, match=r"reads log_mel with n_mels 128, and features\.log_mel\.n_mels .* is 96"):
        train.main("short")


def test_the_waveform_is_linked_and_not_copied(project):
    for name in ("shard-00000.npy", "index.parquet"):
        both = [project / folder / name for folder in ("data/audio/scores", "data/features/scores/waveform")]
        assert both[0].samefile(both[1])
    record = read_json("data/records/features/scores-waveform.json")
    assert record["figures"] == {"clips": 4, "samples": sum(LENGTHS)} and record["checks"]["every clip"]["passed"]
