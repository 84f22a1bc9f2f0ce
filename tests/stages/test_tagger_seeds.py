"""A tagger trained several times: the first training is that of `seeds: 1` to the byte, and the scores state the spread."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import copy_params
from ruamel.yaml import YAML
from sklearn.metrics import roc_auc_score

from pipelines import tasks
from pipelines.core import embeddings, params, pcm, shards
from pipelines.core.files import read_json
from pipelines.core.manifest import COPIES, MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.stages import features, score, train

N = 16
IDS = [f"clip{number:02d}" for number in range(N)]
SPLIT = ["train", "train", "validation", "test"]


@pytest.fixture
def project(in_tmp):
    """Soft and loud noise, each with a tag, as PCM shards with a manifest."""
    copy_params(in_tmp)
    rng, rows = np.random.default_rng(0), []
    with shards.writer("data/audio/scores/shard-00000.npy", "int16") as write_clip:
        for number, clip_id in enumerate(IDS):
            y = (1000 * (1 + 5 * (number // 4 % 2)) * rng.standard_normal(16_000)).astype("int16")
            offset, length = write_clip([y])
            place = {"shard": 0, "offset": offset, "length": length}
            rows.append({"clip_id": clip_id, **place, "peak": 0.5, "clipped": 0, "sha256": clip_id})
    write_table(pd.DataFrame(rows).astype({"shard": "int32"}), "data/audio/scores/index.parquet", pcm.INDEX)
    features.main("scores", "waveform")
    clips = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(N)).assign(
        clip_id=IDS, path=IDS, title=IDS, group=IDS, sha256=IDS, split=SPLIT * 4, duplicate_of=None, duration_s=1.0
    )
    clips["tags"] = [["loud"] if number // 4 % 2 else ["soft"] for number in range(N)]
    clips = clips.assign(sample_rate=16_000, channels=1, n_bytes=1).astype(
        {"sample_rate": "int32", "channels": "int32"}
    )
    write_table(clips, "data/manifests/scores.parquet", MANIFEST)
    write_table(pd.DataFrame({"clip_id": IDS, "group": IDS}), "data/copies/scores.parquet", COPIES)
    return in_tmp


def trained(seeds):
    """Bytes of all files of the tagger, by path."""
    yaml = YAML()
    document = yaml.load(Path("params.yaml"))
    entry = {"network": "short", "reads": "waveform", "recipe": "modern", "width": 0.02, "epochs": 1, "batch_size": 4}
    document["taggers"]["short"] = {**entry, "augment": {}, **({"seeds": seeds} if seeds > 1 else {})}
    document["training"]["leave_out"], document["tasks"]["tagging"]["n_bootstrap"] = {}, 50
    yaml.dump(document, Path("params.yaml"))
    train.main("short")
    return {str(path): path.read_bytes() for path in Path("models").rglob("*") if path.is_file()}


def test_further_trainings_stand_in_the_folder_of_the_first_and_widen_its_scores(project):
    once, thrice = trained(1), trained(3)
    assert {path: thrice[path] for path in once} == once
    others = [Path(f"models/tagging/short/trainings/{seed}") for seed in (2027, 2028)]
    names = ("config.json", "history.csv", "model.safetensors", "predictions.parquet")
    assert thrice.keys() - once.keys() == {str(folder / name) for folder in others for name in names}
    weights = [thrice[f"{folder}/model.safetensors"] for folder in ("models/tagging/short", *others)]
    assert len(set(weights)) == 3 and read_json(others[1] / "config.json")["training"]["seed"] == 2028
    record = read_json("data/records/train/short.json")
    assert record["figures"]["trainings"] == 3 and record["checks"]["finite weights"]["passed"]

    run = tasks.run(params.read(), "short")
    assert run.trainings == ((2026, Path("models/tagging/short")), *zip((2027, 2028), others, strict=True))
    test = [clip_id for clip_id, side in zip(IDS, SPLIT * 4, strict=True) if side == "test"]
    rng = np.random.default_rng(3)
    of_first = pd.DataFrame({"clip_id": IDS, "scores": list(rng.random((N, 2), np.float32))})
    write_table(of_first, "data/predictions/tagging/scores/short.parquet", embeddings.PREDICTIONS)
    score.main("short")
    tables = [read_table(folder / "predictions.parquet", embeddings.PREDICTIONS) for folder in others]
    assert [table["clip_id"].tolist() for table in tables] == [test, test]
    actual = np.array([[1, 0] if IDS.index(clip_id) // 4 % 2 else [0, 1] for clip_id in test])
    expected = [
        roc_auc_score(actual, np.stack(table.set_index("clip_id").loc[test, "scores"]), average="macro")
        for table in (of_first, *tables)
    ]
    found = read_json("data/scores/short/scores.json")["roc_auc"]
    assert found["trainings"] == pytest.approx(expected) and found["value"] == pytest.approx(np.mean(expected))
    assert found["sd_trainings"] == pytest.approx(np.std(expected, ddof=1)) and found["n"] == 4
    assert list(read_json("data/scores/short/about.json")["models"]) == ["2026", "2027", "2028"]
