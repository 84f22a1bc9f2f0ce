"""Two tables side by side, and a model fitted on them: what a clip lacks is the training clips' mean."""

import json
from dataclasses import replace
from pathlib import Path

import labelled_clips
import numpy as np
import pandas as pd
import pytest
import tagged_clips
import yaml

from pipelines.core import paths
from pipelines.stages import combine
from pipelines.tasks import inputs
from pipelines.tasks.classification import fit, score
from pipelines.tasks.classification.fit import labelled, model_file, multilabel


def tables(left, right):
    """Tables of these clips, one value each, as stages leave them; the paths of their folders."""
    found = []
    for name, ids in (("pooled", left), ("words", right)):
        folder = Path("data/features/made") / name
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"clip_id": ids, "x": np.arange(len(ids), dtype=float)}).to_parquet(folder / "table.parquet")
        found.append(folder)
    return found


def test_columns_are_named_by_their_table_and_what_is_missing_is_said(in_tmp):
    found = combine.combine(list("dcba"), tables(["a", "b", "c"], ["b", "d"]))
    assert found["clip_id"].tolist() == list("dcba")
    wanted = {"pooled: x": [np.nan, 2, 1, 0], "words: x": [1, np.nan, 0, np.nan]}
    wanted |= {"pooled: missing": [1, 0, 0, 0], "words: missing": [0, 1, 0, 1]}
    for name, values in wanted.items():
        np.testing.assert_array_equal(found[name], values)
    whole = combine.combine(list("ab"), tables(["a", "b"], ["b", "a"]))
    assert list(whole) == ["clip_id", "pooled: x", "words: x"]


def test_tables_that_cannot_be_combined(in_tmp):
    with pytest.raises(ValueError, match="have no clip in common"):
        combine.combine(list("ab"), tables(["a"], ["b"]))
    with pytest.raises(ValueError, match="both tables are called pooled"):
        combine.combine(["a"], [tables(["a"], ["a"])[0]] * 2)


def test_a_run_reads_the_combined_table_and_imputes_by_training_means(in_tmp):
    tagged_clips.write()
    folder = Path("data/views/made/words")
    folder.mkdir(parents=True)
    clips = [f"{number:016x}" for number in range(160)]
    has = [n for n in range(160) if n % 3]
    own = pd.DataFrame({"clip_id": [clips[n] for n in has], "word": np.array(has) % 7 + 10.0})
    own.to_parquet(folder / "view.parquet")
    entry = {"dataset": "made", "from": "features", "reads": "pooled", "with_from": "views", "with_reads": "words"}
    Path("params.yaml").write_text(yaml.safe_dump({"combined": {"both": entry}}))
    combine.main("both")
    record = json.loads(Path("data/records/combine/both.json").read_text())
    assert record["figures"]["without words"] == 54
    run = replace(tagged_clips.run("logistic", parameters={"C": 1.0}), input=Path("data/combined/made/both"))
    fit.fit(run, 2026, run.trainings[0][1])
    found = score.predict(run, run.trainings[0][1])
    assert np.isfinite(found["scores"]).all() and len(found["unit"]) == 32
    data, pipeline = multilabel.read(run), model_file.load(run.trainings[0][1] / "model.skops")
    place = data.names.index("words: word")
    train = data.of("train")
    mean = np.nanmean(data.values[train, place])
    assert pipeline.named_steps["missing"].statistics_[place] == pytest.approx(mean)
    assert score.checks(run, [found])["preparation saw training clips only"][0]


def test_a_nan_that_no_missing_table_explains_is_refused(in_tmp):
    tagged_clips.write()
    path = paths.features("made", "pooled") / "pooled.parquet"
    table = pd.read_parquet(path)
    table["words: missing"] = 0.0
    table.loc[3, "feature_0"] = np.nan
    table.to_parquet(path)
    with pytest.raises(ValueError, match="1 clips have NaN or infinite values"):
        inputs.vectors(tagged_clips.run("knn"))


def test_a_clip_is_on_one_side_in_all_runs_whatever_they_read(in_tmp):
    """So that runs on different tables of one dataset can be fused."""
    tagged_clips.write(change=lambda table: table.assign(target_family=["low", "high"] * 80))
    whole = paths.features("made", "pooled")
    part = Path("data/views/made/part")
    part.mkdir(parents=True)
    pd.read_parquet(whole / "pooled.parquet").iloc[::3].to_parquet(part / "view.parquet")
    for split in ("grouped", "random"):
        for read, target in ((labelled.read, "family"), (multilabel.read, "tags")):
            both = [
                read(replace(tagged_clips.run("knn", split=split, target=target), input=place))
                for place in (whole, part)
            ]
            of_all, of_part = (dict(zip(data.clips["clip_id"], data.sides, strict=True)) for data in both)
            assert len(of_part) == 54 and of_part.items() <= of_all.items(), (split, target)


def test_a_guard_says_that_what_is_missing_tells_the_class(in_tmp):
    from pipelines.tasks.classification.score import guards

    labelled_clips.write()
    path = paths.features("made", "pooled") / "pooled.parquet"
    table, classes = pd.read_parquet(path), labelled.read(labelled_clips.run("knn")).classes
    rng = np.random.default_rng(1)
    for lacking, passes in ((classes == "reed", False), (rng.random(120) < 0.4, True)):
        table.assign(**{"words: missing": lacking.astype(float)}).to_parquet(path)
        passed, sentence = guards.missing(labelled.read(labelled_clips.run("knn")))
        assert passed is passes, sentence
