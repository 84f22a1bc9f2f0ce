"""Activity: a head that finds what is there, counts that are scikit-learn's, and the answer that everything always plays."""

import numpy as np
import pytest
import tone_frames
from sklearn.metrics import average_precision_score, f1_score

from pipelines.core.files import read_json
from pipelines.metrics import scores
from pipelines.tasks.activity import fit, score
from pipelines.tasks.activity.fit import frames, head


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The dataset, in the current folder of this file's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("activity"))
        tone_frames.write()
        yield


@pytest.fixture(scope="module", params=["mlp", "linear"])
def fitted(project, request):
    """(run, columns) of a fitted run of each model."""
    run = tone_frames.run(request.param)
    fit.fit(run, 2026, run.trainings[0][1])
    return run, score.predict(run, run.trainings[0][1])


def test_it_finds_what_is_there_and_beats_the_answer_that_all_always_plays(fitted):
    run, columns = fitted
    found, _ = scores.score(score.METRICS, [columns], score.baseline(run), "test", 20, 1)
    assert next(iter(found)) == "macro_f1" and found["macro_f1"]["value"] > 0.9 > 0.7 > found["macro_f1"]["baseline"]
    assert found["segment_macro_f1"]["value"] > 0.8 and found["event_macro_f1"]["value"] > 0.6
    assert found["event_macro_f1"]["baseline"] < 0.2, "one long event is no event of the reference"
    details = score.details(run, [columns])
    assert details["map"] > 0.9 and list(details["per_class"]) == list(tone_frames.CLASSES)
    assert all(passed for passed, _ in score.checks(run, [columns]).values())


def test_figures_are_those_of_scikit_learn(fitted):
    run, columns = fitted
    data, served = frames.read(run), head.load(run.trainings[0][1])
    p, truth = (
        np.concatenate(each)
        for each in zip(
            *[(served.probabilities(data.values(clip)), data.active(clip)) for clip in data.of("test").itertuples()],
            strict=True,
        )
    )
    said = np.concatenate(
        [served.active(served.probabilities(data.values(clip))) for clip in data.of("test").itertuples()]
    )
    assert score.macro(columns, "frame") == pytest.approx(f1_score(truth, said, average="macro"))
    assert score.micro(columns, "frame") == pytest.approx(f1_score(truth, said, average="micro"))
    always = score.baseline(run)
    assert score.macro(always, "frame") == pytest.approx(f1_score(truth, np.ones_like(truth), average="macro"))
    for place, (_, one) in enumerate(score.details(run, [columns])["per_class"].items()):
        assert one["average_precision"] == pytest.approx(
            average_precision_score(truth[:, place], p[:, place]), abs=1e-4
        )
        assert one["share"] == pytest.approx(truth[:, place].mean(), abs=1e-4)


def test_thresholds_are_the_best_on_validation(fitted):
    run, _ = fitted
    data, served = frames.read(run), head.load(run.trainings[0][1])
    held = list(data.of("validation").itertuples())
    p = np.concatenate([served.probabilities(data.values(clip)) for clip in held])
    truth = np.concatenate([data.active(clip) for clip in held])
    for place, chosen in enumerate(read_json(run.trainings[0][1] / "config.json")["thresholds"]):
        values = [f1_score(truth[:, place], p[:, place] >= threshold) for threshold in fit.THRESHOLDS]
        assert f1_score(truth[:, place], p[:, place] >= chosen) == pytest.approx(max(values))


def test_the_same_seed_gives_the_same_bytes(project, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        fit.fit(tone_frames.run(epochs=2, imbalance="class_weights"), 3, tmp_path / name)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_class_weights_raise_the_rare_class(project, tmp_path):
    means = []
    for imbalance in ("none", "class_weights"):
        (tmp_path / imbalance).mkdir()
        fit.fit(tone_frames.run(epochs=3, imbalance=imbalance, thresholds="half"), 3, tmp_path / imbalance)
        data, served = frames.read(tone_frames.run()), head.load(tmp_path / imbalance)
        means.append(served.probabilities(data.values(next(data.of("test").itertuples())))[:, 1].mean())
        assert served.config["thresholds"] == [0.5, 0.5]
    assert means[1] > means[0]


def test_the_context_repeats_the_edge():
    values = np.arange(4, dtype=np.float32)[:, None]
    assert frames.stacked(values, np.arange(4), 1).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_what_cannot_be_learned_is_refused(project):
    with pytest.raises(ValueError, match=r"hop_s is 0.016, but x has 101 frames in 5.00 s: they are 0.0500 s apart"):
        frames.read(tone_frames.run(hop_s=0.016))
    with pytest.raises(ValueError, match="has no events of a target 'stem'; its targets with events: instrument"):
        frames.read(tone_frames.run(target="stem"))
    run = tone_frames.run()
    with pytest.raises(ValueError, match="has no whole model of an activity run"):
        head.load(run.input)
