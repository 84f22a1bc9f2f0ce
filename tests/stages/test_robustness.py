"""Degrading and what becomes of scores, on real sound and whole taggers: no degradation changes nothing, a destroying one leaves
chance, and neither workers, order nor a kill can be seen in the outputs."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import copy_params
from ruamel.yaml import YAML

from pipelines.core import cache, embeddings, pcm, shards
from pipelines.core.files import read_json
from pipelines.core.manifest import COPIES, MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.harness import executor
from pipelines.models import taggers
from pipelines.ops.settings import load_params
from pipelines.stages import baseline, cluster, degrade, embed, export, features, robustness, study, train

RATE, N = 16_000, 64
NAMES = ("short", "sample", "pooled_pca", "random_projection")
TAGGERS = ("short", "sample")
CLASSES = ("buzz", "hum", "whine")


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory):
    """64 short clips of three classes, two of a work, half of them scored; untrained taggers; everything up to the study."""
    root = tmp_path_factory.mktemp("robust")
    copy_params(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("CONSERVATORY_CACHE", str(root / "cache"))
        change(root, degradations=[], max_clips=100, n_bootstrap=200, n_permutations=20)
        rng, labels = np.random.default_rng(0), np.arange(N) // 2 % 3
        rows = []
        with shards.writer(shards.shard_path("data/audio/scores", 0), "int16") as write_clip:
            for i, label in enumerate(labels):
                t = np.arange(int(RATE * rng.uniform(4.0, 4.6))) / RATE
                tones = np.sin(2 * np.pi * (110, 440, 1760)[label] * rng.uniform(0.97, 1.03) * t)
                y = 0.1 * np.sign(tones) if label == 0 else 0.2 * tones
                samples = pcm.to_int16((y + 0.01 * rng.standard_normal(len(t))).astype(np.float32))
                offset, length = write_clip([samples])
                sound = {"peak": 0.3, "clipped": 0, "sha256": hashlib.sha256(samples).hexdigest()}
                rows.append({"clip_id": f"clip{i:02d}", "shard": 0, "offset": offset, "length": length, **sound})
        write_table(pd.DataFrame(rows).astype({"shard": "int32"}), "data/audio/scores/index.parquet", pcm.INDEX)
        clips = pd.DataFrame(
            {
                "clip_id": [f"clip{i:02d}" for i in range(N)],
                "path": [f"/music/{i}.wav" for i in range(N)],
                "title": [f"tune {i}" for i in range(N)],
                "tags": [[f"kind:{CLASSES[i]}"] for i in labels],
                "split": np.where(np.arange(N) < N // 2, "train", "test"),
                "group": [f"work {i // 2}" for i in range(N)],
                "duplicate_of": None,
                "duration_s": 4.0,
                "sample_rate": RATE,
                "channels": 1,
                "n_bytes": 1,
                "sha256": [f"file {i}" for i in range(N)],
                "source": "here",
                "licence": "none",
                "target_kind": [CLASSES[i] for i in labels],
                "target_rare": ["only"] * N,
            }
        ).astype({"sample_rate": "int32", "channels": "int32"})
        write_table(clips, "data/manifests/scores.parquet", MANIFEST)
        write_table(clips[["clip_id", "group"]], "data/copies/scores.parquet", COPIES)
        for name in ("waveform", "log_mel", "pooled"):
            features.main("scores", name)
        for number, name in enumerate(TAGGERS):
            torch.manual_seed(number)
            module, tags = taggers.load_module(name), [f"kind:{one}" for one in CLASSES]
            entry = load_params()["taggers"][name]
            told = {"name": name, "width": 0.05, "tags": tags, **train.what_is_read(entry, module, load_params())}
            taggers.save(module.create(3, 0.05), told, f"models/tagging/{name}")
            export.main(name)
            embed.main("scores", name)
        for name in NAMES[2:]:
            baseline.main("scores", name)
        cluster.main("scores")
        study.main("scores")
    return root


@pytest.fixture
def made(laid_out, monkeypatch):
    """The project, its params as they were, nothing degraded yet and nothing kept."""
    monkeypatch.chdir(laid_out)
    monkeypatch.setenv("CONSERVATORY_CACHE", str(laid_out / "cache of one test"))
    before = (laid_out / "params.yaml").read_text()
    yield laid_out
    (laid_out / "params.yaml").write_text(before)
    for folder in ("cache of one test", "data/degraded", "data/robustness"):
        shutil.rmtree(laid_out / folder, ignore_errors=True)


def change(root, executor=None, limit_gb=None, **values):
    editor, path = YAML(), root / "params.yaml"
    document = editor.load(path.read_text())
    document["robustness"].update(values)
    document["executor"].update(executor or {})
    for part in ("study", "clustering"):
        document[part].update({"n_bootstrap": 200, "n_permutations": 20})
    for part in ("study", "clustering", "robustness"):
        document[part]["n_init"] = 10
    document["clustering"]["maps"] = []
    document["training"]["leave_out"] = {}
    if limit_gb is not None:
        document["cache"]["limit_gb"] = limit_gb
    with path.open("w") as file:
        editor.dump(document, file)


def run(monkeypatch, root, **degradations):
    """Both stages with these degradations; what they found."""
    monkeypatch.setattr(degrade, "DEGRADATIONS", degradations)
    change(root, degradations=list(degradations))
    degrade.main("scores")
    robustness.main("scores")
    return read_json("data/robustness/scores.json")


def as_it_is(samples, sample_rate, seed):
    return samples.copy()


def drowned(samples, sample_rate, seed):
    return (0.1 * np.random.default_rng(seed).standard_normal(len(samples))).astype(np.float32)


@pytest.fixture(scope="module")
def ran(laid_out, tmp_path_factory):
    """A copy of the project after both stages, of clips as they are and of noise in their place."""
    root = shutil.copytree(laid_out, tmp_path_factory.mktemp("ran") / "project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("CONSERVATORY_CACHE", str(root / "cache"))
        run(patch, root, as_it_is=as_it_is, drowned=drowned)
    return root


@pytest.fixture
def found(ran, monkeypatch):
    """What was found there, which is the working folder."""
    monkeypatch.chdir(ran)
    return read_json("data/robustness/scores.json")


def test_no_degradation_changes_nothing(found):
    table = read_table("data/degraded/scores.parquet", embeddings.DEGRADED)
    table = table[table["degradation"] == "as_it_is"]
    for name in NAMES:
        part = table[table["embedding"] == name]
        clean = embeddings.read(f"data/embeddings/scores/{name}.parquet", part["clip_id"].tolist())
        np.testing.assert_allclose(np.stack(part["vector"].to_list()), clean, atol=1e-4 * np.abs(clean).max())
        assert found["moved"][name]["as_it_is"]["score"] == pytest.approx(1, abs=2e-3)  # untrained, all near one point
        assert found["moved"][name]["others"] < 0.7
    for name in TAGGERS:
        predicted = read_table(f"data/predictions/tagging/scores/{name}.parquet", embeddings.PREDICTIONS)
        part = table[table["embedding"] == name].set_index("clip_id")
        wanted = np.stack(predicted.set_index("clip_id").loc[part.index, "scores"].to_list())
        np.testing.assert_allclose(np.stack(part["scores"].to_list()), wanted, atol=1e-5)
    assert set(found["targets"]["kind"]) == {
        "kmeans", "agglomerative", "gaussian_mixture", "linear probe", "knn probe",
    }  # fmt: skip
    for records in (*found["targets"]["kind"].values(), found["tags"]):
        assert set(records) == set(NAMES if records is not found["tags"] else TAGGERS)
        for record in records.values():
            low, high = record["as_it_is"]["difference_ci95"]
            assert low <= 0 <= high and high - low < 0.1  # the scores of untrained taggers are all but ties
            assert record["as_it_is"]["difference"] == pytest.approx(0, abs=0.02)
            assert (record["clean"]["n"], record["clean"]["n_groups"]) == (N // 2, N // 4)


@pytest.mark.system
def test_workers_change_no_byte(made, monkeypatch):
    run(monkeypatch, made, as_it_is=as_it_is)
    places = ["data/clusters/scores", "data/study/scores", "data/robustness/scores.json"]
    files = [file for place in places for file in ([Path(place)] if place.endswith("json") else Path(place).iterdir())]
    alone = {file: file.read_bytes() for file in files}
    monkeypatch.setattr(executor, "FEW_S", 0)
    change(made, executor={"workers": 2})
    for stage in (cluster, study, robustness):
        stage.main("scores")
    assert len(alone) > 5 and {file: file.read_bytes() for file in files} == alone


def test_clean_figures_are_those_of_cluster_and_study(found):
    found = found["targets"]["kind"]
    clustered = read_json("data/clusters/scores/scores.json")["kind"]
    studied = read_json("data/study/scores/scores.json")["targets"]["kind"]
    for name in NAMES:
        assert found["kmeans"][name]["clean"]["score"] == clustered[name]["hungarian_accuracy"]
        assert found["kmeans"][name]["clean"]["nmi"] == clustered[name]["nmi"]
        for clusterer in ("agglomerative", "gaussian_mixture"):
            assert (
                found[clusterer][name]["clean"]["score"] == studied["clusterers"][clusterer][name]["hungarian_accuracy"]
            )
        for probe in ("linear", "knn"):
            record, wanted = found[f"{probe} probe"][name]["clean"], studied["probes"][probe][name]
            assert record["score"] == wanted["accuracy"] and record["ci95"] == wanted["accuracy_ci95"]
            # labels permuted a few times there, and all times here
            assert record["trivial"] == pytest.approx(wanted["trivial"], abs=0.05)
            assert record["trivial"] >= wanted["majority"]["accuracy"]
    figures = read_json("data/records/cluster/scores.json")["figures"]
    for name in NAMES:
        crossed, ari = clustered[name]["crossed"]["accuracy"], clustered[name]["ari"]
        assert figures[f"held-out accuracy, kind, {name}"] == pytest.approx(crossed, abs=1e-4)
        assert figures[f"adjusted Rand index, kind, {name}"] == pytest.approx(ari, abs=1e-4)


def test_a_destroying_degradation_leaves_chance(found):
    linear = found["targets"]["kind"]["linear probe"]
    told_apart = [name for name in NAMES if linear[name]["clean"]["score"] > 0.9]
    assert {"pooled_pca", "short"} <= set(told_apart)
    for name in told_apart:
        record = linear[name]["drowned"]
        assert record["score"] < 0.6 and record["difference_ci95"][1] < -0.1
        assert record["difference"] == pytest.approx(record["score"] - linear[name]["clean"]["score"])
        matched = found["targets"]["kind"]["kmeans"][name]["drowned"]
        assert matched["score"] < matched["trivial"] + 0.2
        moved = found["moved"][name]
        assert moved["drowned"]["score"] < 0.5
    for record in found["tags"].values():
        low, high = record["drowned"]["ci95"]
        assert low < 0.5 < high
    record = read_json("data/records/robustness/scores.json")
    for name in told_apart:
        lost = linear[name]["clean"]["score"] - linear[name]["drowned"]["score"]
        assert record["figures"][f"largest loss of accuracy (linear probe), kind, {name}"] == pytest.approx(
            lost, abs=1e-4
        )
    for name, tagged in found["tags"].items():
        lost = max(0.0, tagged["clean"]["score"] - tagged["drowned"]["score"])
        assert record["figures"][f"largest loss of ROC-AUC, {name}"] == pytest.approx(lost, abs=1e-4)
    (check,) = record["checks"].values()
    assert not check["passed"] and "after drowned" in check["detail"]


@pytest.mark.system
def test_what_is_drawn_depends_on_seed_and_sound_only(made, monkeypatch):
    change(made, degradations=["noise_10db", "excerpt_3s"])
    degrade.main("scores")
    path = made / "data/degraded/scores.parquet"
    alone = path.read_bytes()
    monkeypatch.setattr(executor, "FEW_S", 0)
    monkeypatch.setattr(degrade, "CLIPS_A_TASK", 5)
    change(made, degradations=["noise_10db", "excerpt_3s"], executor={"workers": 2}, limit_gb=0)
    degrade.main("scores")
    assert path.read_bytes() == alone
    change(made, seed=1)
    degrade.main("scores")
    assert path.read_bytes() != alone
    table = read_table(path, embeddings.DEGRADED)
    assert len(table) == 2 * len(NAMES) * N // 2
    assert not table[["clip_id", "degradation", "embedding"]].duplicated().any()


@pytest.mark.fault
def test_a_killed_run_goes_on_with_the_clip_it_was_at(made, monkeypatch):
    calls = []

    def dying(samples, sample_rate, seed):
        calls.append(seed)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return as_it_is(samples, sample_rate, seed)

    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, made, as_it_is=dying)
    run(monkeypatch, made, as_it_is=dying)
    assert len(calls) == N // 2 + 1 and len(set(calls)) == N // 2
    before = (made / "data/degraded/scores.parquet").read_bytes()
    change(made, max_clips=10)
    degrade.main("scores")  # a part of the same clips
    change(made, max_clips=100)
    degrade.main("scores")
    assert len(calls) == N // 2 + 1
    assert (made / "data/degraded/scores.parquet").read_bytes() == before


def test_what_is_not_finite_is_said(made, monkeypatch):
    change(made, degradations=["noise_10db"], max_clips=4)
    degrade.main("scores")
    check = read_json("data/records/degrade/scores.json")["checks"]["finite"]
    assert check == {"passed": True, "detail": f"{4 * len(NAMES)} of {4 * len(NAMES)} rows have no NaN and no infinity"}
    pooled = pd.read_parquet("data/features/scores/pooled/pooled.parquet").shape[1] - 1
    kept = sorted((made / "cache of one test" / degrade.KIND).rglob("*.npy"))
    path = next(path for path in kept if len(np.load(path)) != pooled)  # a tagger's: baselines refuse such statistics
    spoilt = np.load(path)
    spoilt[0] = np.nan
    cache.save_array(degrade.KIND, path.stem, [spoilt], "float32")  # as a listener with a fault would
    degrade.main("scores")
    check = read_json("data/records/degrade/scores.json")["checks"]["finite"]
    assert not check["passed"]


@pytest.mark.system
def test_another_tagger_costs_itself(made, monkeypatch):
    run(monkeypatch, made, as_it_is=as_it_is)
    heard, listen = set(), degrade._listen

    def listening(samples, rate, names, *others):
        heard.update(names)
        return listen(samples, rate, names, *others)

    monkeypatch.setattr(degrade, "_listen", listening)
    weights = made / "models/tagging/short/model.safetensors"
    before = weights.read_bytes()
    try:
        torch.manual_seed(9)
        model, config = taggers.create("short", 3, 0.05), read_json("models/tagging/short/config.json")
        taggers.save(model, config, "models/tagging/short")
        export.main("short")
        degrade.main("scores")
    finally:
        weights.write_bytes(before)
        export.main("short")
    assert heard == {"short"}


def test_a_sample_is_balanced_nested_and_stable():
    clips = pd.DataFrame({"clip_id": [f"{i}" for i in range(90)], "target_a": ["x"] * 60 + ["y"] * 20 + [None] * 10})
    few, more = (degrade.sample(clips, n, seed=3) for n in (15, 40))
    assert few["target_a"].fillna("").value_counts().to_dict() == {"x": 5, "y": 5, "": 5}
    assert more["target_a"].fillna("").value_counts().to_dict() == {"x": 15, "y": 15, "": 10}
    assert set(few["clip_id"]) < set(more["clip_id"]) and few.index.is_monotonic_increasing
    assert degrade.sample(clips, 100, 3).equals(clips)
    assert set(degrade.sample(clips, 15, seed=4)["clip_id"]) != set(few["clip_id"])
    grown = pd.concat([clips, pd.DataFrame({"clip_id": ["new"], "target_a": ["x"]})], ignore_index=True)
    assert len(set(few["clip_id"]) - set(degrade.sample(grown, 15, 3)["clip_id"])) <= 1
    assert len(degrade.sample(clips[["clip_id"]], 7, 3)) == 7


@pytest.mark.system
def test_what_cannot_be_done_is_said(made, monkeypatch):
    change(made, degradations=["noise_20db", "earthquake"])
    with pytest.raises(SystemExit, match="earthquake; use some of noise_20db"):
        degrade.main("scores")
    change(made, degradations=["noise_20db"], max_clips=0)
    with pytest.raises(SystemExit, match="robustness.max_clips .* a whole number, 1 or more"):
        load_params()  # as the guard before every stage does
    change(made, max_clips=100)
    found = run(monkeypatch, made, as_it_is=as_it_is)
    assert found["skipped"] == [f"rare, {name}: 1 class of 32 clips" for name in NAMES]
    found = run(monkeypatch, made)
    assert (found["degradations"], found["targets"], found["tags"], found["moved"]) == ([], {}, {}, {})


@pytest.mark.system
def test_without_a_split_probes_are_cross_validated(made, monkeypatch):
    path = "data/manifests/scores.parquet"
    clips = read_table(path, MANIFEST)
    try:
        write_table(clips.assign(split="all"), path, MANIFEST)
        baseline.main("scores", "pooled_pca")
        baseline.main("scores", "random_projection")
        change(made, max_clips=30)
        found = run(monkeypatch, made, as_it_is=as_it_is, drowned=drowned)
        linear = found["targets"]["kind"]["linear probe"]["random_projection"]
        assert (found["n"], found["n_scored"], linear["clean"]["n"]) == (30, N, 30)
        assert linear["clean"]["score"] > 0.9 and linear["as_it_is"]["difference"] == 0
        assert linear["drowned"]["difference_ci95"][1] < 0
    finally:
        write_table(clips, path, MANIFEST)
        baseline.main("scores", "pooled_pca")
        baseline.main("scores", "random_projection")
