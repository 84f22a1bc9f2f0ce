"""encode: vectors made elsewhere become an embedding of their dataset, and of no other; encoders are found by files."""

import numpy as np
import pandas as pd
import pytest
from helpers import copy_params

from pipelines import tasks
from pipelines.core import embeddings, params
from pipelines.core.files import read_json
from pipelines.ops import run
from pipelines.ops.settings import encoders as rules
from pipelines.ops.settings import load_params
from pipelines.stages import encode
from pipelines.tasks import inputs

from .test_ood import edit, write

N = 12
CLAP = {"kind": "vectors", "files": {"scores": {"path": "clap.parquet", "fingerprint": ""}}}
RUN = {"task": "classification", "dataset": "scores", "from": "embeddings", "reads": "clap.parquet", "model": "knn"}


@pytest.fixture
def made(in_tmp):
    """`scores` and `mine` of 12 clips each, with a tagger's and a baseline's embedding; vectors of `scores` in clap.parquet."""
    copy_params(in_tmp)
    folder = {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music", "fingerprint": "0"}
    edit(lambda document: document["datasets"].update(mine=folder))
    edit(lambda document: document["encoders"].update(clap=CLAP))
    clips = pd.DataFrame(
        {
            "clip_id": [f"clip{n:03d}" for n in range(N)],
            "split": np.array(["train", "test"])[np.arange(N) % 2],
            "group": [f"work {n}" for n in range(N)],
            "target_style": np.array(["polka", "reel"])[np.arange(N) // 2 % 2],
        }
    )
    rng = np.random.default_rng(0)
    for name in ("scores", "mine"):
        vectors = {key: rng.standard_normal((N, 4)) for key in ("short", "pooled_pca")}
        clips = write(name, clips, vectors, rng.standard_normal((N, 5)))
    values = rng.standard_normal((N, 3)).astype(np.float32)
    names = [path.removeprefix("/music/") for path in clips["path"]]
    pd.DataFrame({"path": names, "vector": list(values)}).to_parquet("clap.parquet")
    return clips, values


def test_vectors_stand_in_every_study_and_run_of_their_dataset_alone(made):
    clips, values = made
    with pytest.raises(SystemExit, match="clap.parquet is not what params.yaml recorded .*`conservatory run`"):
        encode.main("scores", "clap")
    assert run.refresh(lambda line: None) == ["clap, scores"] and run.refresh() == []
    for name in ("scores", "mine"):
        encode.main(name, "clap")
    settings = load_params()
    assert embeddings.names(settings, "scores") == ["short", "sample", "clap", "pooled_pca", "random_projection"]
    assert embeddings.names(settings, "mine") == ["short", "sample", "pooled_pca", "random_projection"]
    found = embeddings.read("data/embeddings/scores/clap.parquet", clips["clip_id"].tolist()[::-1])
    np.testing.assert_array_equal(found, values[::-1])
    checks = read_json("data/records/encode/scores-clap.json")["checks"]
    assert all(check["passed"] for check in checks.values()) and "every vector has a clip" in checks
    assert {check["passed"] for check in read_json("data/records/encode/mine-clap.json")["checks"].values()} == {None}
    edit(lambda document: document["runs"].update(mine=RUN | {"seeds": 1, "target": "style"}))
    np.testing.assert_array_equal(inputs.vectors(tasks.run(load_params(), "mine"))[1], values.astype(np.float64))
    edit(lambda document: document["runs"]["mine"].update(dataset="mine"))
    with pytest.raises(SystemExit, match=r"runs.mine.reads in params.yaml is 'clap.parquet', which is not there"):
        load_params()
    edit(lambda document: document["runs"].pop("mine"))
    edit(lambda document: document["encoders"].pop("clap"))
    run.refresh()
    assert embeddings.names(params.read(), "scores") == ["short", "sample", "pooled_pca", "random_projection"]


def test_missing_clips_stop_the_stage_unless_the_entry_says_what_they_get(made):
    table = pd.read_parquet("clap.parquet")
    table.tail(N - 1).to_parquet("clap.parquet")
    run.refresh(lambda line: None)
    with pytest.raises(SystemExit, match="encode scores clap: clap.parquet: 1 of 12 clips have no row: /music/0.wav"):
        encode.main("scores", "clap")
    edit(lambda document: document["encoders"]["clap"].update(missing="mean"))
    encode.main("scores", "clap")
    found = embeddings.read("data/embeddings/scores/clap.parquet", ["clip000"])[0]
    np.testing.assert_allclose(found, made[1][2::2].mean(axis=0), rtol=1e-5)
    check = read_json("data/records/encode/scores-clap.json")["checks"]["every clip has a vector of its own"]
    assert not check["passed"] and "clip000" in check["detail"]


WRONG = (
    ({"kind": "vector"}, "encoders.clap.kind in params.yaml is 'vector', and must be vectors or huggingface or onnx"),
    ({}, "encoders.clap.kind is missing"),
    ({"kind": "vectors"}, "encoders.clap.files is missing"),
    (CLAP | {"layer": 3}, "encoders.clap.layer in params.yaml is not known"),
    (
        CLAP | {"files": {"scorse": CLAP["files"]["scores"]}},
        "names the dataset 'scorse'; do you mean scores?",
    ),
    (CLAP | {"files": {"scores": {"path": "x"}}}, "encoders.clap.files.scores.fingerprint is missing"),
    ({"kind": "onnx", "path": "x", "fingerprint": ""}, "encoders.clap.sample_rate is missing"),
    ({"kind": "huggingface", "path": "x", "fingerprint": "", "pooling": "median"}, "must be mean or max or first"),
)


def test_a_wrong_entry_is_one_sentence():
    datasets = {"scores": {}}
    for entry, said in WRONG:
        with pytest.raises(SystemExit, match=said):
            rules.check({"datasets": datasets, "encoders": {"clap": entry}})
    with pytest.raises(SystemExit, match="encoders.short in params.yaml is also the name of one of `taggers`"):
        rules.check({"datasets": datasets, "encoders": {"short": CLAP}, "taggers": {"short": {}}})
    rules.check({"datasets": datasets, "encoders": {"clap": CLAP}})
