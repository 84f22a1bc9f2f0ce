"""Activity: models that find what is there, counts that are scikit-learn's, and the answer that everything always plays."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tone_frames
from sklearn.metrics import average_precision_score, f1_score

from pipelines.core import events, paths
from pipelines.core.files import read_json, write_json
from pipelines.metrics import activity, scores
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.tasks.activity import fit, score, section
from pipelines.tasks.activity.fit import decisions, imbalance, model, units
from pipelines.tasks.activity.score import precision, timelines

NETWORK = {"epochs": 15, "learning_rate": 0.03, "batch_size": 4, "width": 0.25, "excerpt_s": 1.6}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The dataset, in the current folder of this file's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("activity"))
        tone_frames.write()
        yield


CASES = {
    "mlp": ("mlp", {}),
    "crnn": ("crnn", NETWORK),
    "mlp of segments": ("mlp", {"level": "clip"}),
    "resnet": ("resnet", NETWORK | {"level": "clip", "epochs": 5}),
}


@pytest.fixture(scope="module", params=CASES)
def fitted(project, request):
    """(run, columns) of a fitted run of each model."""
    name, options = CASES[request.param]
    run = tone_frames.run(name, **options)
    fit.fit(run, 2026, run.trainings[0][1])
    return run, score.predict(run, run.trainings[0][1])


def said_and_there(run):
    """(probabilities, decisions, truth) of the test units."""
    data, served = units.read(run), model.load(run.trainings[0][1])
    p = [served.probabilities(data, clip) for clip in data.of("test").itertuples()]
    truth = np.concatenate([data.active(clip) for clip in data.of("test").itertuples()])
    return np.concatenate(p), np.concatenate([served.active(one) for one in p]), truth


def test_it_finds_what_is_there_and_beats_the_answer_that_all_always_plays(fitted):
    run, columns = fitted
    found, _ = scores.score(score.metrics(run), [columns], score.baseline(run), "test", 20, 1)
    assert next(iter(found)) == "macro_f1"
    details = score.details(run, [columns])
    if run.model == "resnet":  # a second has too few frames for its seven halvings: that it learns must do
        assert details["losses"][-1] < details["losses"][0]
    else:
        assert found["map"]["value"] > 0.85 > found["map"]["baseline"]
    if run.model == "mlp":
        assert found["macro_f1"]["value"] > max(0.85, found["macro_f1"]["baseline"] + 0.05)
    assert list(details["per_class"]) == list(tone_frames.CLASSES)
    assert all(passed for passed, _ in score.checks(run, [columns]).values())
    if run.options["level"] == "frame":
        assert found["segment_macro_f1"]["value"] > (0.8 if run.model == "mlp" else 0.6)
        assert found["event_macro_f1"]["value"] > (0.6 if run.model == "mlp" else 0.3) > 0.2
        assert found["event_macro_f1"]["baseline"] < 0.2, "one long event is no event of the reference"
    else:
        assert "event_macro_f1" not in found and details["events"] is None


def test_figures_are_those_of_scikit_learn(fitted):
    run, columns = fitted
    p, said, truth = said_and_there(run)
    assert score.macro(columns, "unit") == pytest.approx(f1_score(truth, said, average="macro"))
    assert score.micro(columns, "unit") == pytest.approx(f1_score(truth, said, average="micro"))
    always = score.baseline(run)
    assert score.macro(always, "unit") == pytest.approx(f1_score(truth, np.ones_like(truth), average="macro"))
    assert precision.mean(always) == pytest.approx(truth.mean(axis=0).mean())
    rounded = np.rint(p * precision.BINS) / precision.BINS
    for place, (_, one) in enumerate(score.details(run, [columns])["per_class"].items()):
        expected = average_precision_score(truth[:, place], rounded[:, place])
        assert precision.of_classes(columns)[place] == pytest.approx(expected)
        assert one["share"] == pytest.approx(truth[:, place].mean(), abs=1e-4)
        assert one["curve"]["recall"][-1] == 1 and one["curve"]["precision"][-1] >= one["share"] - 1e-3


def test_thresholds_are_the_best_on_validation(fitted):
    run, _ = fitted
    data, served = units.read(run), model.load(run.trainings[0][1])
    held = list(data.of("validation").itertuples())
    p = np.concatenate([served.probabilities(data, clip) for clip in held])
    truth = np.concatenate([data.active(clip) for clip in held])
    for place, chosen in enumerate(read_json(run.trainings[0][1] / "config.json")["thresholds"]):
        values = [f1_score(truth[:, place], p[:, place] >= threshold) for threshold in decisions.THRESHOLDS]
        assert f1_score(truth[:, place], p[:, place] >= np.float32(chosen)) == pytest.approx(max(values))


def test_events_are_chosen_by_their_f1_on_validation(project):
    """Noisy probabilities: with the chosen filter the F1 of events on the same clips is that of no other choice, and higher than
    without a filter."""
    data, rng = units.read(tone_frames.run()), np.random.default_rng(0)
    held = list(data.of("validation").itertuples())
    p = [np.clip(data.active(clip) * 0.5 + rng.normal(0.25, 0.2, (clip.length, 2)), 0, 1) for clip in held]
    chosen = decisions.of_events(data, held, p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "TOGETHER", 1)
        assert decisions.of_events(data, held, p) == chosen, "clips do not depend on which are matched at once"

    def f1(place, threshold, smooth_s):
        name, counted = data.classes[place], []
        for clip, one in zip(held, p, strict=True):
            said = decisions.smoothed(one, smooth_s, data.hop_s)[:, [place]] >= threshold
            own = data.own(clip)
            counted.append(activity.events(own[own["label"] == name], activity.from_frames(said, [name], data.hop_s)))
        return activity.f1(activity.add(counted)[name])

    for place, best in enumerate(chosen):
        others = [f1(place, threshold, smooth_s) for threshold in (0.4, 0.5, 0.6) for smooth_s in (0.1, 0.25, 0.5)]
        assert f1(place, **best) >= max(others) > f1(place, 0.5, data.hop_s)


def test_a_median_filter_of_probabilities_is_one_of_decisions():
    p = np.random.default_rng(0).random((200, 2))
    said = decisions.smoothed((p >= 0.6).astype(float), 0.35, 0.05) >= 0.5
    assert (said == (decisions.smoothed(p, 0.35, 0.05) >= 0.6)).all()


def test_segments_have_what_touches_them(project):
    data = units.read(tone_frames.run(level="clip"))
    for clip in data.of("test").itertuples():
        found = data.active(clip)
        assert found.shape == (5, 2) and data.inputs(clip, 4).shape == (5, 2 * tone_frames.BANDS)
        for (segment, place), active in np.ndenumerate(found):
            own = data.own(clip)
            inside = (own["label"] == data.classes[place]) & (own["onset_s"] < segment + 1 - 1e-6)
            assert active == (inside & (own["offset_s"] > segment + 1e-6)).any()


def test_segments_begin_where_their_truth_does(project):
    """Of a length that is no whole number of frames: the last of ten segments is no frame late."""
    data = units.read(tone_frames.run(level="clip", clip_s=0.48))  # 9.6 frames of 0.05 s
    clip = next(data.of("test").itertuples())
    parts, rows = data.segments(clip), data.frames(clip)
    assert len(parts) == data.count(clip) == 10
    for number in (1, 9):
        assert (parts[number][0] == rows[round(number * 9.6)]).all()


def test_a_class_of_the_test_clips_that_no_training_clip_has_is_named(project):
    table = events.read("tones", "instrument")
    data = units.read(tone_frames.run())
    last = data.of("test")["clip_id"].iloc[-1]
    extra = pd.DataFrame([(last, "instrument", "tuba", 0.0, 1.0, np.nan)], columns=events.EVENTS.names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "read", lambda *_: pd.concat([table, extra[table.columns]], ignore_index=True))
        passed, said = score.checks(tone_frames.run(), [])["every test class is trained"]
    assert not passed and said == "in no training clip, not scored: tuba"


def test_a_table_has_one_vector_for_each_clip(project):
    """Vectors that say what plays: the head finds it."""
    data = units.read(tone_frames.run(level="clip", clip_s=5.0))
    vectors = [data.active(clip)[0].astype(float) for clip in data.clips.itertuples()]
    path = paths.features("tones", "log_mel").with_name("table.parquet")
    pd.DataFrame({"clip_id": data.clips["clip_id"], "embedding": vectors}).to_parquet(path)
    run = replace(tone_frames.run(level="clip", epochs=300), input=path)
    read = units.read(run)
    clip = next(read.of("test").itertuples())
    assert (read.inputs(clip, 4) == read.active(clip)).all()
    with pytest.raises(ValueError, match="has no frames: activity of frames reads a representation with frames"):
        units.read(replace(tone_frames.run(), input=path))


def test_the_same_seed_gives_the_same_bytes(project, tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        fit.fit(tone_frames.run(epochs=2, imbalance="both"), 3, tmp_path / name)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_class_weights_raise_the_rare_class(project, tmp_path):
    means = []
    for kind in ("none", "class_weights"):
        (tmp_path / kind).mkdir()
        fit.fit(tone_frames.run(epochs=3, imbalance=kind, thresholds="half", events="frames"), 3, tmp_path / kind)
        data, served = units.read(tone_frames.run()), model.load(tmp_path / kind)
        means.append(served.probabilities(data, next(data.of("test").itertuples()))[:, 1].mean())
        assert served.config["thresholds"] == [0.5, 0.5]
    assert means[1] > means[0]


def test_clips_with_a_rare_class_are_repeated_by_the_root_of_how_rare_it_is():
    plays = np.zeros((10_000, 2), bool)
    plays[:6400, 0], plays[6300:6400, 1] = True, True
    rows = imbalance.repeats(plays, "repeats", np.random.default_rng(0))
    times = np.bincount(rows, minlength=10_000)
    assert (times[6300:6400] == 8).all() and (times[:6300] == 1).all() and (times[6400:] == 1).all()
    assert imbalance.repeats(plays, "class_weights", np.random.default_rng(0)).tolist() == list(range(10_000))
    assert imbalance.weights(plays.mean(axis=0), "both").tolist() == pytest.approx([0.5625, 20.0])


def test_a_cross_test_maps_labels_to_the_runs_classes(project):
    """The same clips as another dataset, one of whose labels is an unknown class, then is mapped."""
    run = tone_frames.run("mlp", epochs=3, events="frames")
    fit.fit(run, 2026, run.trainings[0][1])
    crossed = replace(run, name="crossed", fitted_by="mlp")
    assert (
        score.predict(crossed, run.trainings[0][1])["unit_hits"] == score.predict(run, run.trainings[0][1])["unit_hits"]
    ).all()
    table = events.read("tones", "instrument")
    with pytest.MonkeyPatch.context() as patch:
        renamed = table.assign(label=table["label"].replace("horn", "tuba"))
        patch.setattr(events, "read", lambda *_: renamed)
        with pytest.raises(
            ValueError, match="has events of tuba, and mlp knows flute, horn: under `labels` of crossed"
        ):
            units.read(crossed)
        options = dict(run.options) | {"labels": {"tuba": "horn"}}
        mapped = units.read(replace(crossed, options=options))
        assert mapped.classes == ["flute", "horn"] and len(mapped.events) == len(table)
        assert set(units.read(replace(crossed, options=options | {"labels": {"tuba": None}})).events["label"]) == {
            "flute"
        }


def test_the_context_repeats_the_edge():
    values = np.arange(4, dtype=np.float32)[:, None]
    assert units.stacked(values, np.arange(4), 1).tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 3]]


def test_what_cannot_be_learned_is_refused(project, tmp_path):
    with pytest.raises(ValueError, match=r"hop_s is 0.016, but x has 101 frames in 5.00 s: they are 0.0500 s apart"):
        units.read(tone_frames.run(hop_s=0.016))
    with pytest.raises(ValueError, match="has no events of a target 'stem'; its targets with events: instrument"):
        units.read(tone_frames.run(target="stem"))
    with pytest.raises(ValueError, match="model resnet reads frames and is for `level: clip`, not frame"):
        fit.fit(tone_frames.run("resnet"), 1, tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        table, held = events.read("tones", "instrument"), units.read(tone_frames.run()).of("validation")["clip_id"]
        patch.setattr(events, "read", lambda *_: table[~table["clip_id"].isin(held)])
        with pytest.raises(ValueError, match="in those of 'tones' no class plays"):
            fit.fit(tone_frames.run("crnn"), 1, tmp_path)
    with pytest.raises(ValueError, match="augment of crnn: loudness is no augmentation"):
        fit.fit(tone_frames.run("crnn", augment={"loudness": 1}), 1, tmp_path)
    run = tone_frames.run()
    with pytest.raises(ValueError, match="has no whole model of an activity run"):
        model.load(run.input)


def test_the_page_shows_classes_curves_and_timelines(project):
    run = tone_frames.run("mlp", epochs=3, events="frames")
    fit.fit(run, 2026, run.trainings[0][1])
    columns = score.predict(run, run.trainings[0][1])
    found, _ = scores.score(score.metrics(run), [columns], score.baseline(run), "test", 20, 1)
    notes = pd.DataFrame([("x", "note", "flute", 0.0, 1.0, 60.0)], columns=events.EVENTS.names)
    clip = next(units.read(run).of("test").itertuples()).clip_id
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "_notes", lambda _: notes.assign(clip_id=clip))
        details = score.details(run, [columns])
    assert details["clips"][0]["f1"] <= details["clips"][1]["f1"] <= details["clips"][2]["f1"]
    for one in details["clips"]:
        own = units.read(run).events.query("clip_id == @one['clip_id'] and label == 'horn'")
        assert one["truth"]["horn"] == own[["onset_s", "offset_s"]].round(3).to_numpy().tolist()
    write_json(paths.scores("mlp") / "details.json", details)
    write_json(paths.scores("mlp") / "about.json", {"dataset": "tones"})
    task = Task("activity", {"mlp": found}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert f"{details['per_class']['flute']['unit_f1']:.3f}" in html and "segments of 1 s" in html
    spans = sum(len(each) for one in details["clips"] for side in ("truth", "found") for each in one[side].values())
    assert html.count("<title>flute") + html.count("<title>horn") == spans
    assert html.count("<polyline") == 3, "a curve for each class, and the loss"
    assert ("C4" in html) == any(one["notes"] for one in details["clips"])
    assert section.render(Context(None, Lineage({}), None, task=Task("activity", {}, [], {}))) is None
