"""A fitted run on another dataset: the label map, its scores and the drop, and features that are left out."""

import re
from types import SimpleNamespace

import labelled_clips
import numpy as np
import pytest
import yaml
from sklearn.metrics import f1_score

from pipelines import tasks
from pipelines.core import params, paths
from pipelines.core.files import read_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.metrics import scores
from pipelines.ops import settings as validated
from pipelines.ops.settings import tasks as rules
from pipelines.ops.settings.recipe import Reads
from pipelines.report.context import Context
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.stages import compare, fit, score
from pipelines.tasks.classification import section
from pipelines.tasks.classification.fit import labelled, model_file, preparation

RUN = {"task": "classification", "dataset": "made", "from": "features", "reads": "pooled", "model": "logistic"}
CROSS = RUN | {"dataset": "other", "run": "own"}


def settings(cross, **options):
    found = {"tasks": {"classification": {"n_bootstrap": 200, "seed": 7}}, "taggers": {}}
    found["runs"] = {"own": RUN | {"seeds": 1, "target": "family"} | options}
    return found | {"cross_tests": {"elsewhere": CROSS | cross}, "datasets": {}, "corpora": {}}


@pytest.fixture
def other(in_tmp):
    """The other dataset, noisier, with classes of other names and no split; both written."""
    labelled_clips.write(n=240)
    table = labelled_clips.write(seed=2, n=90, spread=2.0, name="other")
    names = {"brass": "horns", "reed": "reed", "string": "violin"}
    table = table.assign(split="all", target_family=table["target_family"].map(names))
    table.loc[:4, "target_family"] = "whistle"
    write_table(table, paths.manifest("other"), MANIFEST)
    return table


LABELS = {"horns": "brass", "violin": "string", "whistle": None}


def ran(cross, **options):
    params.PARAMS.write_text(yaml.safe_dump(settings(cross, **options)))
    for stage, name in ((fit, "own"), (score, "own"), (score, "elsewhere")):
        stage.main(name)
    compare.main()
    return read_json("reports/scores.json")["classification"]


def test_scores_and_the_drop(other):
    found = ran({"labels": LABELS}, model="logistic")
    columns = score.pq.read_table(paths.scores("elsewhere") / "predictions-7.parquet").to_pandas()
    assert len(columns) == 85 and set(columns["actual"]) == {"brass", "reed", "string"}
    assert found["elsewhere"]["macro_f1"]["value"] == pytest.approx(
        f1_score(columns["actual"], columns["predicted"], average="macro")
    )
    drop = found["elsewhere"]["macro_f1_drop"]
    assert drop["value"] == found["own"]["macro_f1"]["value"] - found["elsewhere"]["macro_f1"]["value"]
    assert set(drop) == set(found["own"]["macro_f1"]) and drop["ci95"][0] < drop["value"] < drop["ci95"][1]
    assert "macro_f1_drop" not in found["own"] and next(iter(found["elsewhere"])) == "macro_f1"
    assert found["elsewhere"]["accuracy"]["baseline"] == pytest.approx(30 / 85), "the most frequent class there"
    record = read_json("data/records/cross_test/elsewhere.json")
    assert record["checks"]["guards: every class is tested"]["passed"]


def test_a_class_without_clips_is_a_guard(other):
    ran({"labels": LABELS | {"horns": None}})
    checks = read_json("data/records/cross_test/elsewhere.json")["checks"]
    found = checks["guards: every class is tested"]
    assert not found["passed"] and "1 of 3 classes have no clip: brass" in str(found)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            {},
            r"has the family horns \(25 clips\), violin .*whistle \(5 clips\), and own was fitted on brass, reed, string: under",
        ),
        (LABELS | {"kazoo": "reed"}, "labels of elsewhere: dataset 'other' has no family kazoo; it has horns, reed, "),
        (LABELS | {"whistle": "flute"}, r"has the family flute \(5 clips\)"),
        (dict.fromkeys(["horns", "reed", "violin", "whistle"]), "has no clips with a family for elsewhere to score"),
    ],
)
def test_a_label_map_that_does_not_fit(other, labels, message):
    with pytest.raises(SystemExit, match=f"score elsewhere: .*{message}"):
        ran({"labels": labels})


def test_only_test_clips_of_a_dataset_with_a_split(other):
    write_table(other.assign(split=np.where(np.arange(90) < 45, "train", "test")), paths.manifest("other"), MANIFEST)
    found = ran({"labels": LABELS | {"whistle": None}})
    assert found["elsewhere"]["macro_f1"]["n"] == 45


def test_the_interval_of_a_drop_is_that_of_independent_scores():
    """Of two normal scores the variances add up."""
    rng = np.random.default_rng(3)
    own, other = rng.normal(0.8, 0.03, 20_000), rng.normal(0.5, 0.04, 20_000)
    entry = {"n": 9, "n_groups": 5, "higher_is_better": True, "unit": "share", "split": "test"}
    one, two = ({**entry, "value": value, "trainings": [value]} for value in (0.8, 0.5))
    found = scores.drop(one, two, np.sort(own), np.sort(other))
    assert found["ci95"] == pytest.approx([0.3 - 1.96 * 0.05, 0.3 + 1.96 * 0.05], abs=0.003)
    lower = scores.drop(one | {"higher_is_better": False}, two | {"higher_is_better": False}, own, other)
    assert lower["value"] == pytest.approx(-0.3)
    assert scores.drop(one, two, own, None)["ci95"] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": "ovn"}, "cross_tests.elsewhere.run in params.yaml is 'ovn', which is not there; do you mean own"),
        ({"model": "knn"}, "model in params.yaml is 'knn', and must be logistic, as in runs.own"),
        ({"dataset": "made"}, "must be another dataset than that of runs.own"),
        ({"dataset": "othr"}, "do you mean other"),
        ({"labels": ["brass"]}, "labels in params.yaml is .* a table"),
        ({"label": {}}, "label in params.yaml is not known; do you mean labels"),
    ],
)
def test_settings(change, message):
    found = settings(change)
    found |= {"datasets": {"made": {}, "other": {}}, "features": {"pooled": {}}, "baselines": {}}
    with pytest.raises(SystemExit, match=message):
        rules.check(found, Reads())
    assert "cross_tests" in validated.ENTRIES


def test_features_that_are_left_out_change_nothing(other):
    """The answers are those of a table without these columns, and the model never sees what stands in them."""
    ran({"labels": LABELS}, leave_out=["rms_*", "feature_1*"])
    settings_ = params.read()
    run = tasks.run(settings_, "own")
    pipeline, data = model_file.load(run.trainings[0][1] / "model.skops"), labelled.read(run)
    before = pipeline.predict_proba(data.values)
    gone = [n for n, name in enumerate(data.names) if name.startswith(("rms_", "feature_1"))]
    assert pipeline[-1].n_features_in_ == 12 - len(gone) == 9
    values = data.values.copy()
    values[:, gone] = 1e6
    assert (pipeline.predict_proba(values) == before).all()


def test_patterns_that_leave_out_nothing_or_all():
    names = ["rms_mean", "mfcc_000_mean"]
    with pytest.raises(ValueError, match="no feature is called rmse_"):
        preparation.kept_columns(names, ["rmse_*"])
    with pytest.raises(ValueError, match="leaves out all 2 features"):
        preparation.kept_columns(names, ["*_mean"])


def test_the_picture_marks_the_leaky_split_alone():
    def part(name, leaky):
        lead = {"value": 0.5, "ci95": None, "n": 9, "baseline": 0.1}
        shown = {"name": name, "model": "knn", "dataset": "made", "source": Lineage({}).mark("data/scores/x")}
        return shown | {"leaky": leaky, "lead": lead, "split": "random split" if leaky else "grouped split"}

    honest = part("honest", False) | {"twins": [part("leaky", True)]}
    context = Context(SimpleNamespace(settings={}), Lineage({}), filler(lambda value: value))
    html = str(section._ladder(context, honest, [honest]))
    assert re.findall(r'class="dot (\w+)" style', html) == ["baseline", "tagger"], "the leaky split is drawn first"
