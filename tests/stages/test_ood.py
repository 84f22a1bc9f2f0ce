"""Music from elsewhere: what is planted far stands out, what is drawn alike does not, and what is left out is in no training."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import copy_params, some
from ruamel.yaml import YAML

from pipelines.core import embeddings, params, pcm, shards, training_clips
from pipelines.core.files import read_json
from pipelines.core.manifest import COPIES, MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.features import POOLED
from pipelines.report import cards
from pipelines.stages import compare, ood, score, space, train
from pipelines.training import history

pytestmark = pytest.mark.filterwarnings("ignore:The number of components is higher")  # of the few made features
CLASSES = ("march", "polka", "reel", "waltz")  # march is left out
N, M = 360, 80


def edit(change):
    editor = YAML()
    document = editor.load(params.PARAMS.read_text())
    change(document)
    with params.PARAMS.open("w") as file:
        editor.dump(document, file)


def tiny(document):
    document["ood"].update({"n_bootstrap": 100, "n_permutations": 19, "n_init": 2, "k": 5, "maps": ["pca"]})
    document["training"]["leave_out"] = {"style": ["march"]}
    document["executor"]["workers"] = 1
    document["datasets"]["mine"] = {
        "module": "folder",
        "imports": "pipelines/datasets/listing.py",
        "path": "/music",
        "fingerprint": "0",
    }


def write(name, clips, vectors, pooled):
    n = len(clips)
    clips = clips.assign(
        path=[f"/music/{i}.wav" for i in range(n)],
        title=[f"tune {i}" for i in range(n)],
        tags=[[f"style:{label}"] for label in clips.get("target_style", ["none"] * n)],
        duplicate_of=None,
        duration_s=30.0,
        sample_rate=np.int32(16_000),
        channels=np.int32(1),
        n_bytes=1,
        sha256=[f"file {i}" for i in range(n)],
        source="here",
        licence="none",
    )
    write_table(clips, f"data/manifests/{name}.parquet", MANIFEST)
    index = pd.DataFrame({"clip_id": clips["clip_id"], "shard": np.int32(0), "offset": 0, "length": 1})
    index = index.assign(peak=0.5, clipped=0, sha256=clips["sha256"])
    write_table(index, f"data/audio/{name}/index.parquet", pcm.INDEX)
    columns = {f"x{i}": column for i, column in enumerate(pooled.astype("float32").T)}
    table = pd.DataFrame({"clip_id": clips["clip_id"], **columns})
    write_table(table, f"data/features/{name}/pooled/pooled.parquet", POOLED)
    for key, points in vectors.items():
        embeddings.write(f"data/embeddings/{name}/{key}.parquet", clips["clip_id"].tolist(), points.astype("float32"))
    return clips


@pytest.fixture
def made(in_tmp):
    """`scores`: 360 clips of four styles; "short" holds each and has march far off, "sample" holds nothing.

    `mine`: 40 clips labelled far (far off in all embeddings) and 40 labelled reel, drawn as the reels of `scores` are. Its last
    clip is the very file of a training clip; the last march is of a work in the training data.
    """
    copy_params(in_tmp)
    edit(tiny)
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 4
    means = 6 * np.eye(4, 10)
    means[0] = 30 * np.eye(10)[9]
    noise = {key: rng.standard_normal((N, 10)) for key in ("short", "sample")}
    pooled = rng.standard_normal((N, 30))
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{i:03d}" for i in range(N)],
            "split": np.array(["train", "validation", "test"])[(np.arange(N) // 4) % 3],
            "group": [f"work {i}" for i in range(N)],
            "target_style": [CLASSES[i] for i in labels],
        }
    )
    clips.loc[356, "group"] = "work 1"
    scores = write("scores", clips, {"short": means[labels] + noise["short"], "sample": noise["sample"]}, pooled)
    far = np.arange(M) < M // 2
    vectors = {key: rng.standard_normal((M, 10)) for key in ("short", "sample")}
    vectors["short"][~far] += means[2]
    for key in vectors:
        vectors[key][far, 8] += 25
    other = rng.standard_normal((M, 30))
    other[far, 0] += 40
    other[1] = pooled[1]  # sounds, to a baseline, like the first polka
    clips = pd.DataFrame(
        {
            "clip_id": [f"mine{i:03d}" for i in range(M - 1)] + ["clip001"],
            "split": "all",
            "group": [f"work {i}" for i in range(M)],  # a folder's names mean nothing to `scores`
            "target_label": np.where(far, "far", "reel"),
        }
    )
    write("mine", clips, vectors, other)
    space.main()
    return scores


def test_a_left_out_class_that_lies_far_stands_out_and_one_that_does_not_does_not(made):
    ood.main("scores")
    found = read_json("data/ood/scores/scores.json")
    assert found["n"] == {"reference": 90, "held_out": 90, "outside": 89, "in_training": 1} and found["reason"] == ""
    assert found["left_out"] == "style march" and set(found["targets"]) == {"style"}
    for part in ("all", "style: march"):
        short, sample = (found["targets"]["style"][name][part] for name in ("short", "sample"))
        assert short["detection"]["mahalanobis"] == {"auroc": 1.0, "ci95": [1.0, 1.0]}
        assert short["detection"]["knn"]["ci95"][0] > 0.6  # by angle alone, which ten dimensions blur
        assert short["own_cluster"]["own"] and short["own_cluster"]["share"] == short["own_cluster"]["purity"] == 1.0
        assert short["own_cluster"]["n_outside"] == 30, "as many as a class has"
        for method in ("mahalanobis", "knn"):
            low, high = sample["detection"][method]["ci95"]
            assert low < 0.5 < high and abs(sample["detection"][method]["auroc"] - 0.5) < 0.1
        assert not sample["own_cluster"]["own"]
        shares = [value["share"] for value in sample["nearest"]["classes"].values()]
        assert list(sample["nearest"]["classes"]) == list(CLASSES[1:]) and sum(shares) == pytest.approx(1)
    record = read_json("data/records/ood/scores.json")
    assert all(check["passed"] for check in record["checks"].values()) and len(record["plots"]) == 1
    assert record["figures"]["left out, in the training data"] == 1
    told = found["targets"]["style"]["short"]["all"]["detection"]["knn"]["auroc"]
    assert record["figures"]["AUROC against held-out clips (k-NN), short"] == pytest.approx(told, abs=1e-4)


def test_another_dataset_by_its_own_labels(made):
    ood.main("mine")
    found = read_json("data/ood/mine/scores.json")
    assert found["n"] == {"reference": 90, "held_out": 90, "outside": 79, "in_training": 1} and not found["left_out"]
    records = found["targets"]["style"]
    assert set(records) == {"short", "sample", "pooled_pca", "random_projection"}
    assert set(records["short"]) == {"all", "label: far", "label: reel"}
    for name in ("short", "sample", "random_projection"):
        assert records[name]["label: far"]["detection"]["mahalanobis"]["auroc"] > 0.97  # one clip of 40 is a double
        assert records[name]["label: far"]["own_cluster"]["own"]
    alike = records["short"]["label: reel"]
    assert alike["nearest"]["classes"]["reel"]["share"] == 1.0 and alike["nearest"]["n"] == 39
    assert alike["detection"]["mahalanobis"]["ci95"][0] < 0.5 < alike["detection"]["mahalanobis"]["ci95"][1]
    assert not alike["own_cluster"]["own"]
    far = alike["detection"]["classes"]
    assert far["reel"]["outside"] < far["polka"]["outside"] and far["reel"]["outside"] < far["reel"]["held_out"]
    rows = read_table("data/ood/mine/clips.parquet", ood.OUTSIDE)
    assert len(rows) == 79 * 4 and "clip001" not in set(rows["clip_id"])
    short = rows[(rows["embedding"] == "short") & (rows["clip_id"] > "mine039")]
    assert set(short["nearest"]) == {"reel"}
    checks = read_json("data/records/ood/mine.json")["checks"]
    assert checks["every clip is placed"]["passed"] and not checks["like the training music"]["passed"]
    assert "short, all: AUROC" in checks["like the training music"]["detail"]


@pytest.mark.parametrize("maps", some([["pca"], ["umap", "pca"]], ["pca"]))
def test_everything_is_fitted_on_the_training_dataset_alone(made, maps):
    edit(lambda document: document["ood"].update({"maps": maps}))
    ood.main("scores")
    ood.main("mine")
    tables = [read_table(f"data/ood/{name}/places.parquet", ood.PLACES) for name in ("scores", "mine")]
    mine, scores = ([table[table["side"] != "outside"].reset_index(drop=True)] for table in reversed(tables))
    pd.testing.assert_frame_equal(mine[0], scores[0])  # other outside clips move no clip
    assert set(mine[0]["method"]) == set(maps) and set(mine[0]["clip_id"]) == set(
        made["clip_id"][(made["split"] != "validation") & (made["target_style"] != "march")]
    )
    # the same sound lands in the same place, whichever dataset it is in
    pooled = [read_table(f"data/features/{name}/pooled/pooled.parquet", POOLED) for name in ("scores", "mine")]
    assert pooled[0].iloc[1, 1:].equals(pooled[1].iloc[1, 1:])
    for name in ("pooled_pca", "random_projection"):
        places = tables[1][(tables[1]["embedding"] == name) & (tables[1]["method"] == "pca")].set_index("clip_id")
        np.testing.assert_allclose(*places.loc[["clip001", "mine001"], ["x", "y"]].to_numpy(np.float64), atol=1e-4)


@pytest.mark.system
def test_only_training_clips_are_fitted_on(made):
    """The left-out clips changed beyond measure: whatever is placed around them stays where it was."""
    ood.main("scores")
    before = read_table("data/ood/scores/places.parquet", ood.PLACES)
    left = made["target_style"] == "march"
    path = "data/features/scores/pooled/pooled.parquet"
    pooled = read_table(path, POOLED)
    pooled.loc[left, pooled.columns[1:]] *= 1000
    write_table(pooled, path, POOLED)
    space.main()
    ood.main("scores")
    after = read_table("data/ood/scores/places.parquet", ood.PLACES)
    inside = before["side"] != "outside"
    pd.testing.assert_frame_equal(before[inside], after[inside])
    moved = ~inside & before["embedding"].isin(["pooled_pca", "random_projection"])
    assert (before.loc[moved, "x"] != after.loc[moved, "x"]).any()


@pytest.mark.system
def test_works_of_one_module_are_known_by_their_names(made):
    edit(lambda document: document["datasets"]["mine"].update({"module": "scores"}))
    ood.main("mine")
    found = read_json("data/ood/mine/scores.json")["n"]
    trained_groups = made[(made["split"] != "test") & (made["target_style"] != "march")]["group"]
    assert found["in_training"] == sum(f"work {i}" in set(trained_groups) for i in range(M)) > 30
    assert found["outside"] == M - found["in_training"]


def test_nothing_left_out_is_nothing_to_place(made):
    edit(lambda document: document["training"].update({"leave_out": {}}))
    space.main()
    ood.main("scores")
    found = read_json("data/ood/scores/scores.json")
    assert "no class was left out" in found["reason"] and found["targets"] == {}
    assert read_table("data/ood/scores/places.parquet", ood.PLACES).empty
    record = read_json("data/records/ood/scores.json")
    assert all(check["passed"] for check in record["checks"].values()) and not record["plots"]
    ood.main("mine")  # another dataset still has a place
    assert read_json("data/ood/mine/scores.json")["n"]["reference"] == 120


def test_small_classes_are_counted_and_not_scored_apart(made):
    edit(lambda document: document["ood"].update({"min_clips": 40, "map_clips": 7}))
    ood.main("mine")
    found = read_json("data/ood/mine/scores.json")
    assert set(found["targets"]["style"]["short"]) == {"all", "label: far"}
    assert found["skipped"] == ["label: 1 classes are not scored apart (fewer than 40 clips, or beyond the 20 largest)"]
    places = read_table("data/ood/mine/places.parquet", ood.PLACES)
    assert set(places.groupby(["embedding", "method", "side"]).size()) == {7}


def test_no_tagger_hears_what_is_left_out(in_tmp):
    """A real training of one epoch: tags, counts, config and card are of the classes that are left; so are the tag scores."""
    copy_params(in_tmp)

    def change(document):
        tiny(document)
        document["taggers"] = {"sample": document["taggers"]["sample"]}
        document["taggers"]["sample"].update({"width": 0.05, "epochs": 1, "batch_size": 4})
        document["tasks"]["tagging"]["n_bootstrap"] = 20

    edit(change)
    n, rng = 24, np.random.default_rng(0)
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{i:02d}" for i in range(n)],
            "split": np.array(["train", "validation", "test"])[(np.arange(n) // 4) % 3],
            "group": [f"work {i}" for i in range(n)],
            "target_style": [CLASSES[i % 4] for i in range(n)],
        }
    )
    write("scores", clips, {}, rng.standard_normal((n, 3)))
    rows = []
    with shards.writer(shards.shard_path("data/audio/scores", 0), "int16", ()) as write_clip:
        for clip_id in clips["clip_id"]:
            offset, length = write_clip([(3000 * rng.standard_normal(8000)).astype(np.int16)])
            rows.append({"clip_id": clip_id, "shard": np.int32(0), "offset": offset, "length": length})
    index = pd.DataFrame(rows).assign(peak=0.5, clipped=0, sha256="x").astype({"shard": "int32"})
    write_table(index, "data/audio/scores/index.parquet", pcm.INDEX)
    shutil.copytree("data/audio/scores", "data/features/scores/waveform")
    train.main("sample")
    folder = Path("models/tagging/sample")
    config = read_json(folder / "config.json")
    card = cards.written("sample", config, history.read(folder / "history.csv"))
    assert config["tags"] == ["style:polka", "style:reel", "style:waltz"]
    assert config["training"]["leave_out"] == {"style": ["march"]}
    assert "Left out of training: style march" in card and "Trained on 6 clips" in card
    assert read_json("data/records/train/sample.json")["figures"]["validation clips"] == 6
    scores = pd.DataFrame({"clip_id": clips["clip_id"], "scores": list(rng.random((n, 3), dtype=np.float32))})
    write_table(scores, "data/predictions/tagging/scores/sample.parquet", embeddings.PREDICTIONS)
    write_table(clips[["clip_id", "group"]], "data/copies/scores.parquet", COPIES)
    score.main("sample")
    compare.main()
    assert read_json("reports/scores.json")["tagging"]["sample"]["roc_auc"]["n"] == 6
    assert training_clips.left_out(clips, {"style": ["march"]}).sum() == 6
