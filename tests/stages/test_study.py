"""The study and the leak audit as stages: planted structure is found, planted leaks are named, small classes stop nothing."""

import numpy as np
import pandas as pd
import pytest
from helpers import copy_params
from ruamel.yaml import YAML

from pipelines.core import embeddings, pcm
from pipelines.core.files import read_json
from pipelines.core.manifest import MANIFEST, independent_clips
from pipelines.core.tables import read_table, write_table
from pipelines.features import POOLED
from pipelines.stages import copies, leaks, study

NAMES = ("short", "sample", "pooled_pca", "random_projection")
CLASSES = ("polka", "reel", "waltz")
N = 150
CHECKS = [*(f"no {what} across splits" for what in ("exact copy", "near copy", "work or artist")), "no copies"]


@pytest.fixture
def made(in_tmp):
    """150 clips of three classes; "short" holds the class, "sample" nothing; five clips leak in three ways."""
    copy_params(in_tmp)
    editor, path = YAML(), in_tmp / "params.yaml"
    document = editor.load(path.read_text())
    for part in ("study", "leaks"):
        document[part].update({"n_bootstrap": 100, "n_permutations": 20})
    document["study"]["n_init"] = 10
    with path.open("w") as file:
        editor.dump(document, file)
    rng = np.random.default_rng(0)
    labels, splits = np.arange(N) % 3, np.where(np.arange(N) < 90, "train", "test")
    sounds, groups = [f"sound {i}" for i in range(N)], [f"work {i}" for i in range(N)]
    sounds[100] = sounds[3]
    groups[110] = groups[111] = "work 7"
    pooled = rng.standard_normal((N, 40)).astype("float32")
    pooled[120] = pooled[5] * (1 + 1e-4)
    pooled[100] = pooled[3]
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{i:03d}" for i in range(N)],
            "path": [f"/music/{i}.wav" for i in range(N)],
            "title": [f"tune {i}" for i in range(N)],
            "tags": [[] for _ in range(N)],
            "split": splits,
            "group": groups,
            "duplicate_of": None,
            "duration_s": 30.0,
            "sample_rate": 16_000,
            "channels": 1,
            "n_bytes": 1,
            "sha256": [f"file {i}" for i in range(N)],
            "source": "here",
            "licence": "none",
            "target_dance": [CLASSES[i] for i in labels],
            "target_rare": ["only"] * 3 + [None] * (N - 3),
        }
    ).astype({"sample_rate": "int32", "channels": "int32"})
    write_table(clips, "data/manifests/scores.parquet", MANIFEST)
    index = pd.DataFrame(
        {"clip_id": clips["clip_id"], "shard": 0, "offset": 0, "length": 1, "peak": 0.5, "clipped": 0, "sha256": sounds}
    ).astype({"shard": "int32"})
    write_table(index, "data/audio/scores/index.parquet", pcm.INDEX)
    columns = {f"x{i}": pooled[:, i] for i in range(40)}
    write_table(
        pd.DataFrame({"clip_id": clips["clip_id"], **columns}), "data/features/scores/pooled/pooled.parquet", POOLED
    )
    test, assigned = clips[splits == "test"], []
    for name in NAMES:
        points = rng.standard_normal((N, 8)).astype("float32")
        if name == "short":
            points[np.arange(N), labels] += 6
        embeddings.write(f"data/embeddings/scores/{name}.parquet", clips["clip_id"].tolist(), points)
        guess = labels if name == "short" else rng.integers(0, 3, N)
        told = {"clip_id": test["clip_id"], "target": "dance", "embedding": name, "actual": test["target_dance"]}
        assigned.append(pd.DataFrame({**told, "predicted": [CLASSES[i] for i in guess[splits == "test"]]}))
    write_table(pd.concat(assigned), "data/clusters/scores/assignments.parquet", embeddings.ASSIGNMENTS)
    answers = pd.concat(assigned).assign(probe="linear", predicted=CLASSES[0])  # one that learnt nothing
    write_table(answers, "data/study/scores/answers.parquet", embeddings.ANSWERS)
    copies.main("scores")
    return clips


def test_near_copies_are_of_one_group(made):
    """Clip 100 has the sound of clip 3, 110 and 111 are of work 7, and 120 is nearly the sound of clip 5."""
    clips = independent_clips("scores").set_index("clip_id")
    together = clips.groupby("group").groups.values()
    expected = [["clip003", "clip100"], ["clip007", "clip110", "clip111"], ["clip005", "clip120"]]
    assert sorted(sorted(ids) for ids in together if len(ids) > 1) == sorted(expected)
    record = read_json("data/records/copies/scores.json")
    assert record["figures"]["groups before"] == N - 3 and record["figures"]["groups"] == N - 4
    assert record["checks"]["near copies are few"]["passed"]


def test_a_dataset_in_which_everything_is_near_is_told(made):
    """All sounds alike but for noise of a millionth: there is nothing to learn a threshold from, and no group is made of all."""
    path = "data/features/scores/pooled/pooled.parquet"
    pooled = read_table(path, POOLED)
    values = 1 + 1e-6 * np.random.default_rng(1).standard_normal((N, 40))
    for place, name in enumerate(pooled.columns[1:]):
        pooled[name] = values[:, place].astype("float32")
    write_table(pooled, path, POOLED)
    copies.main("scores")
    assert independent_clips("scores")["group"].nunique() > N / 2


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_clips_keeps_its_groups(made, n):
    write_table(made.head(n), "data/manifests/scores.parquet", MANIFEST)
    copies.main("scores")
    assert independent_clips("scores")["group"].nunique() == n


def test_what_is_planted_is_found(made):
    study.main("scores")
    found = read_json("data/study/scores/scores.json")
    dance = found["targets"]["dance"]
    for records in (*dance["probes"].values(), *dance["clusterers"].values(), dance["neighbours"]):
        assert set(records) == set(NAMES)
    for probe in ("linear", "knn"):
        informed, empty = (dance["probes"][probe][name] for name in ("short", "sample"))
        assert informed["accuracy"] > 0.95 and informed["split"] == "test"
        assert empty["accuracy_ci95"][0] < 1 / 3 < empty["accuracy_ci95"][1]
        # 60 test clips are asked about; their works, sounds and near copies, one of which each is in train, are not learnt from
        assert (informed["n"], informed["n_train"]) == (60, 87)
    assert dance["clusterers"]["agglomerative"]["short"]["hungarian_accuracy"] > 0.95
    assert dance["clusterers"]["gaussian_mixture"]["sample"]["hungarian_accuracy"] < 0.6
    assert dance["neighbours"]["short"]["precision"] > 0.9 > 0.5 > dance["neighbours"]["sample"]["precision"]
    pairs = {(pair["a"], pair["b"]): pair for pair in dance["paired"]["pairs"]}
    assert pairs["short", "sample"]["p_holm"] < 0.001 < 0.05 < pairs["sample", "pooled_pca"]["p_holm"]
    answers = read_table("data/study/scores/answers.parquet", embeddings.ANSWERS)
    assert len(answers) == 2 * len(NAMES) * 60
    for (probe, name), rows in answers.groupby(["probe", "embedding"]):
        right = (rows["actual"] == rows["predicted"]).mean()
        assert right == pytest.approx(dance["probes"][probe][name]["accuracy"])
        assert dance["paired_probes"][probe]["accuracy"][name] == pytest.approx(right)
    assert dance["paired_probes"]["linear"]["pairs"][0]["p_holm"] < 0.001
    assert len(dance["dendrogram"]["short"]["linkage"]) == 2
    record = read_json("data/records/study/scores.json")
    assert all(check["passed"] for check in record["checks"].values()) and len(record["plots"]) == len(NAMES)
    for (probe, name), rows in answers.groupby(["probe", "embedding"]):
        right = (rows["actual"] == rows["predicted"]).mean()
        assert record["figures"][f"{probe} probe accuracy, dance, {name}"] == pytest.approx(right, abs=1e-4)


def test_neighbours_are_of_other_works_and_in_order(made):
    study.main("scores")
    near = read_table("data/study/scores/neighbours.parquet", study.NEIGHBOURS)
    assert len(near) == 4 * 60 * 5
    group = made.set_index("clip_id")["group"]
    assert (group.loc[near["clip_id"]].to_numpy() != group.loc[near["neighbour"]].to_numpy()).all()
    for _, rows in near.groupby(["clip_id", "embedding"]):
        assert rows["rank"].tolist() == [1, 2, 3, 4, 5] and rows["cosine"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("key", "name", "there"),
    [("clusterers", "dbscan", "kmeans, agglomerative, gaussian_mixture"), ("probes", "svm", "linear, knn")],
)
def test_what_there_is_not_is_refused_at_once(in_tmp, key, name, there):
    """Before any data is looked for: there is none here."""
    copy_params(in_tmp)
    editor, path = YAML(), in_tmp / "params.yaml"
    document = editor.load(path.read_text())
    document["study"][key].append(name)
    with path.open("w") as file:
        editor.dump(document, file)
    with pytest.raises(SystemExit, match=f"study.{key} in params.yaml names {name}; use some of {there}"):
        study.main("scores")


def test_planted_leaks_are_named(made):
    leaks.main("scores")
    found = read_json("data/leaks/scores.json")
    assert found["exact copy"]["n_flagged"] == 1 and found["exact copy"]["pairs"] == [["tune 3", "tune 100"]]
    assert found["near copy"]["n_flagged"] == 2
    assert {frozenset(pair[:2]) for pair in found["near copy"]["pairs"]} == {
        frozenset(("tune 3", "tune 100")),
        frozenset(("tune 5", "tune 120")),
    }
    assert found["work or artist"]["n_flagged"] == 2 and found["work or artist"]["groups"] == ["work 7"]
    assert set(found["scores"]["dance"]) == {"k-means", "linear"}
    for records in found["scores"]["dance"].values():
        for record in records.values():
            assert (record["n"], record["n_flagged"], record["clean"]["n"]) == (60, 4, 56)
            assert record["all"]["majority"] == pytest.approx(1 / 3)
    assert found["scores"]["dance"]["linear"]["short"]["all"]["score"] == pytest.approx(1 / 3)
    record = read_json("data/records/leaks/scores.json")
    figures, checks = record["figures"], record["checks"]
    assert figures["clips flagged, near copy"] == figures["clips flagged, work or artist"] == 2
    for method, records in found["scores"]["dance"].items():
        gain = max(one["all"]["score"] - one["clean"]["score"] for one in records.values())
        assert figures[f"largest gain of accuracy by flagged clips ({method}), dance"] == pytest.approx(gain, abs=1e-4)
    assert list(checks) == CHECKS and [check["passed"] for check in checks.values()] == [False, False, False, True]
    assert "there is a split" in checks["no copies"]["detail"] and found["validation"] == {} and found["of"] == "test"


def test_what_validation_shares_with_train_is_told_apart(made):
    made.loc[100:109, "split"] = "validation"  # clip 100 is clip 3 again; the groups of 110 and 111 stay test
    made.loc[105, "group"] = "work 9"
    write_table(made, "data/manifests/scores.parquet", MANIFEST)
    leaks.main("scores")
    found = read_json("data/leaks/scores.json")
    validation = found["validation"]
    assert validation["exact copy"]["pairs"] == [["tune 3", "tune 100"]] and validation["exact copy"]["n_test"] == 10
    assert [pair[:2] for pair in validation["near copy"]["pairs"]] == [["tune 3", "tune 100"]]
    assert validation["work or artist"]["groups"] == ["work 9"] and validation["work or artist"]["n_flagged"] == 1
    assert found["exact copy"]["n_flagged"] == found["exact copy"]["n_pairs"] == 0 and not found["exact copy"]["pairs"]
    assert [pair[:2] for pair in found["near copy"]["pairs"]] == [["tune 5", "tune 120"]]
    assert found["work or artist"]["groups"] == ["work 7"]
    record = read_json("data/records/leaks/scores.json")
    figures = record["figures"]
    assert figures["clips flagged, exact copy, validation and train"] == 1 and figures["clips flagged, exact copy"] == 0
    assert record["checks"]["no exact copy across splits"]["passed"]


@pytest.mark.system
def test_without_a_split_copies_within_are_named_and_scored(made):
    made["split"] = "all"
    write_table(made, "data/manifests/scores.parquet", MANIFEST)
    leaks.main("scores")
    found = read_json("data/leaks/scores.json")
    assert found["of"] == "all" and found["exact copy"]["pairs"] == [["tune 3", "tune 100"]]
    assert (found["exact copy"]["n"], found["exact copy"]["n_flagged"]) == (N, 1)
    assert {tuple(pair[:2]) for pair in found["near copy"]["pairs"]} == {("tune 3", "tune 100"), ("tune 5", "tune 120")}
    assert found["work or artist"]["groups"] == ["work 7"] and found["work or artist"]["n_flagged"] == 2
    assigned = read_table("data/clusters/scores/assignments.parquet", embeddings.ASSIGNMENTS).set_index("clip_id")
    for name, record in found["scores"]["dance"]["k-means"].items():
        # the later of two pairs; clips of a work stay
        assert (record["all"]["n"], record["clean"]["n"], record["n_flagged"]) == (60, 58, 2)
        rows = assigned[assigned["embedding"] == name].drop(["clip100", "clip120"])
        assert record["clean"]["score"] == pytest.approx((rows["actual"] == rows["predicted"]).mean())
        assert record["gain_ci95"][0] <= record["gain"] <= record["gain_ci95"][1]
    record = read_json("data/records/leaks/scores.json")
    figures, checks = record["figures"], record["checks"]
    assert figures["clips flagged, near copy"] == figures["clips flagged, work or artist"] == 2
    for method, records in found["scores"]["dance"].items():
        gain = max(one["all"]["score"] - one["clean"]["score"] for one in records.values())
        assert figures[f"largest gain of accuracy by flagged clips ({method}), dance"] == pytest.approx(gain, abs=1e-4)
    assert list(checks) == CHECKS and [check["passed"] for check in checks.values()] == [True, True, True, False]
    assert "there is no split" in checks["no near copy across splits"]["detail"]
    assert checks["no copies"]["detail"] == (
        f"exact copy: 1 of {N} clips are copies of an earlier one; near copy: 2 of {N} clips are copies of an earlier one"
    )
    study.main("scores")
    linear = read_json("data/study/scores/scores.json")["targets"]["dance"]["probes"]["linear"]["short"]
    assert linear["split"] == "grouped cross-validation" and linear["n"] == N and linear["accuracy"] > 0.95


def test_one_clip_stops_nothing(made):
    one = made.iloc[[100]].assign(split="all")
    write_table(one, "data/manifests/scores.parquet", MANIFEST)
    path = "data/clusters/scores/assignments.parquet"
    assigned = read_table(path, embeddings.ASSIGNMENTS)
    write_table(assigned[assigned["clip_id"] == "clip100"], path, embeddings.ASSIGNMENTS)
    path = "data/study/scores/answers.parquet"
    answers = read_table(path, embeddings.ANSWERS)
    write_table(answers[answers["clip_id"] == "clip100"], path, embeddings.ANSWERS)
    leaks.main("scores")
    found = read_json("data/leaks/scores.json")
    assert (
        "near copy" not in found
        and found["exact copy"]["n_flagged"] == 0
        and found["scores"]["dance"]["k-means"]["short"]
    )
    assert found["skipped"] == ["near copy, all: at least two clips are needed to find near copies"]
    check = read_json("data/records/leaks/scores.json")["checks"]["no copies"]
    assert not check["passed"] and "near copy: could not be searched for" in check["detail"]


@pytest.mark.system
def test_a_target_of_one_class_stops_nothing(made):
    made["split"] = "all"
    write_table(made, "data/manifests/scores.parquet", MANIFEST)
    study.main("scores")
    found = read_json("data/study/scores/scores.json")
    assert found["targets"]["dance"]["probes"]["linear"]
    assert found["skipped"] == ["rare, all of it: 1 class of 3 clips", "rare, paired: no two embeddings to compare"]
