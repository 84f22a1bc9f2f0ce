"""The report's pieces by themselves: the headline's rule, what is played and drawn, charts, lineage."""

import base64
import copy
import io

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy.stats import norm

from pipelines.report import charts, headline, lineage, pictures, players, state


def summary(accuracy, low, high, chance=0.2, repeats=None):
    return {"name": "x", "accuracy": accuracy, "low": low, "high": high, "chance": chance, "repeats": repeats}


@pytest.mark.parametrize(
    ("best", "baseline", "wanted"),
    [
        (summary(0.6, 0.5, 0.7), summary(0.4, 0.3, 0.49), "better"),
        (summary(0.6, 0.5, 0.7), summary(0.4, 0.3, 0.50), "level"),  # touching is not clear
        (summary(0.6, 0.5, 0.7), summary(0.65, 0.6, 0.9), "level"),
        (summary(0.6, 0.5, 0.7), summary(0.9, 0.8, 1.0), "worse"),
        (summary(0.6, 0.2, 0.9), summary(0.1, 0.0, 0.1), "chance"),  # better than a baseline, but not than chance
        (summary(0.6, 0.5, 0.7), None, "no baseline"),
    ],
)
def test_better_only_where_intervals_are_apart(best, baseline, wanted):
    assert headline.verdict(best, baseline) == wanted


@pytest.mark.parametrize(("starts", "wanted"), [((0.41, 0.5), "better"), ((0.4, 0.5), "level")])
def test_what_other_starts_turn_around_is_not_better(starts, wanted):
    pair = {"difference": 0.1, "low": 0.02, "high": 0.2, "p": 0.01, "n_pairs": 6}
    best = summary(0.5, 0.4, 0.6, repeats={"n": 5, "lowest": starts[0], "highest": starts[1]})
    baseline = summary(0.4, 0.3, 0.5, repeats={"n": 5, "lowest": 0.3, "highest": 0.4})
    assert headline.verdict(best, baseline, pair) == wanted


def test_the_spread_over_trainings_is_added_to_the_variance():
    """A normal difference of 2.5 deviations over clips, and trainings that spread as much: 2.5 / sqrt(2) deviations."""
    deviation = 0.04
    pair = {"difference": 0.1, "low": 0.1 - 1.96 * deviation, "high": 0.1 + 1.96 * deviation, "p": 2 * norm.sf(2.5)}
    assert headline.p_over_trainings(pair, 0) == pytest.approx(pair["p"])
    assert headline.p_over_trainings(pair, deviation) == pytest.approx(2 * norm.sf(2.5 / np.sqrt(2)))
    assert headline.p_over_trainings(pair | {"p": 1.0}, 0.1) == 1 and headline.p_over_trainings(pair, 1e9) > 0.99
    assert headline.p_over_trainings(pair | {"low": None, "high": None}, 0.1) == pair["p"], "no interval, no variance"


@pytest.mark.parametrize(
    ("difference", "p", "wanted"),
    [(0.1, 0.02, "better"), (0.1, 0.05, "level"), (0.3, 0.2, "level"), (-0.1, 0.001, "worse")],
)
def test_the_paired_test_decides_where_there_is_one(difference, p, wanted):
    """Intervals that overlap do not forbid a difference, and those that are apart do not make one."""
    pair = {"difference": difference, "low": 0, "high": 0, "p": p, "n_pairs": 6}
    overlapping = summary(0.6, 0.5, 0.7), summary(0.55, 0.45, 0.65)
    apart = summary(0.6, 0.5, 0.7), summary(0.3, 0.25, 0.35)
    assert headline.verdict(*overlapping, pair) == headline.verdict(*apart, pair) == wanted
    assert headline.verdict(*apart, pair | {"p_trainings": 0.05}) == "level", "another training may change as much"
    assert headline.verdict(summary(0.6, 0.2, 0.9), overlapping[1], pair) == "chance"
    assert headline.verdict(overlapping[0], None, None) == "no baseline"


def test_a_pair_is_found_in_either_order_and_read_from_the_taggers_side(project):
    dataset = state.read().datasets["scores"]
    pair = {"a": "pooled_pca", "b": "short", "difference": -0.2, "ci95": [-0.3, -0.05], "p": 0.001, "p_holm": 0.004}
    assert headline.paired(dataset, "style", "short", "pooled_pca") is None
    for paired in (None, {"pairs": [pair]}):
        dataset.study = {"targets": {"style": {"paired": paired}}}
        found = headline.paired(dataset, "style", "short", "pooled_pca")
        assert found == (paired and {"difference": 0.2, "low": 0.05, "high": 0.3, "p": 0.004, "n_pairs": 1})
    assert headline.paired(dataset, "voices", "short", "pooled_pca") is None


def test_findings_name_the_best_and_the_best_baseline(project):
    found = {(one["dataset"], one["target"]): one for one in headline.findings(state.read())}
    assert list(found) == [("scores", "style"), ("scores", "voices"), ("mine", "label")]
    style = found["scores", "style"]
    assert style["best"]["name"] == "short"
    assert style["baseline"]["name"] == "pooled_pca"
    assert [other["name"] for other in style["others"]] == ["sample"]
    assert style["trained_on"] == style["k"] == 4  # its classes are tags, style:...
    assert found["mine", "label"]["trained_on"] == 0
    assert (
        headline.question(state.read())
        == "What do two taggers’ embeddings know about style, voices and the labels of mine?"
    )


def test_an_encoder_is_a_row_of_the_tables_and_no_side_of_the_verdict(project):
    """Whatever its figures: a verdict compares what was trained here with what has no network."""
    before, with_encoder = state.read(), state.read()
    with_encoder.settings["encoders"] = {"clap": {"kind": "vectors"}}
    for records in with_encoder.datasets["scores"].scores.values():
        records["clap"] = copy.deepcopy(records["short"])  # better than the baseline
    assert headline.findings(with_encoder) == headline.findings(before)
    names = state.ordered(with_encoder, with_encoder.datasets["scores"].scores["style"])
    assert names.index("short") < names.index("clap") < names.index("pooled_pca")


def test_examples_take_class_after_class(project):
    dataset = state.read().datasets["scores"]
    chosen = players.examples(dataset, 6)
    labels = dataset.clips.loc[chosen, "target_style"].tolist()
    assert len(set(chosen)) == 6
    assert len(set(labels[:4])) == 4
    assert dataset.scored[chosen].all()
    assert len(players.examples(dataset, 999)) == dataset.scored.sum()


def test_players_are_limited_and_hold_the_examples(project):
    dataset = state.read().datasets["scores"]
    shown = players.examples(dataset, 3)
    audible = players.playable(dataset, 5, shown)
    assert len(audible) == 5
    assert set(shown) <= set(audible)
    assert players.playable(dataset, 0, []) == []
    assert len(players.playable(dataset, 10**6, shown)) == dataset.scored.sum()


def test_excerpts_are_the_middle_of_the_clip(project):
    dataset = state.read().datasets["scores"]
    row = 39
    start, length = players.window(dataset.clips.loc[row], 16_000, 1.0)
    assert length == 1.0
    assert start == pytest.approx((dataset.clips.loc[row, "length"] / 16_000 - 1) / 2, abs=1e-4)
    sound, rate = soundfile.read(io.BytesIO(base64.b64decode(players.excerpts(dataset, [row], 16_000, 1.0)[row])))
    assert rate == 16_000
    assert len(sound) / rate == pytest.approx(1.0, abs=0.1)  # an MP3 is whole frames
    tone = np.abs(np.fft.rfft(sound)).argmax() * rate / len(sound)
    assert tone == pytest.approx(220 * 2 ** (39 % 12 / 12), rel=0.02)
    assert players.window(pd.Series({"length": 8000}), 16_000, 6.0) == (0.0, 0.5)


def test_links_are_quoted():
    assert players.link("data/raw/a b/#1?.wav", "../../") == "../../data/raw/a%20b/%231%3F.wav"
    assert players.link('/my "music"/ü.wav', "../", outside=True) == "file:///my%20%22music%22/%C3%BC.wav"
    assert players.link('/my "music"/ü.wav', "../") == ""
    assert players.link("javascript:alert(1)", "../").startswith("../")


def test_piano_roll_draws_each_sounding_note():
    notes = pd.DataFrame(
        {"voice": [0, 0, 1, 1], "program": [0, 0, 42, 42], "pitch": [60, 72, 48, 47], "velocity": 80,
         "onset_s": [0.0, 2.0, 1.5, 9.0], "duration_s": [1.2, 0.5, 1.0, 1.0]}
    )  # fmt: skip
    roll = pictures.piano_roll(notes, 1.0, 2.0)
    assert roll["svg"].count("<rect") == 3  # the last begins after the excerpt
    assert "C4, 1.20 s, voice 1" in roll["svg"]
    assert 'x="0.0" y="13.06" width="18.8"' in roll["svg"]  # cut at the excerpt's start
    assert roll["voices"] == [(0, 1, "piano"), (1, 2, "strings")]
    assert [label for label, _ in roll["ticks"]] == ["C3", "C4", "C5"]
    assert pictures.piano_roll(notes, 20.0, 2.0) is None


def test_log_mel_has_the_features_axis(project):
    settings = state.read().settings
    dataset = state.read().datasets["scores"]
    picture = pictures.log_mel(dataset, "scores02", 0.2, 1.0, settings)
    image = io.BytesIO(base64.b64decode(picture["src"].removeprefix("data:image/webp;base64,")))
    from PIL import Image

    assert Image.open(image).size == (62, 128)  # 1 s at hop 256, a pixel a frame
    assert picture["ticks"][-1] == ("8 kHz", "100.00%")
    assert pictures.hertz_to_mel(1000) == pytest.approx(1000, abs=0.1)
    assert pictures.log_mel(dataset, "scores02", 0.2, 1.0, {**settings, "features": {}}) is None


def test_ticks_are_round_and_inside():
    assert charts.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert charts.ticks(12.3, 18.3, 6) == [13, 14, 15, 16, 17, 18]
    assert charts.ticks(3, 3) == [3]
    assert charts.percent(2) == "100.00%"


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0, 2.08, [0, 1, 2, 3, 4]),
        (-3.5, 0, [-4, -3, -2, -1, 0]),
        (0, 0, [0, 1, 2, 3, 4]),
        (-0.2, 9.7, [-5, 0, 5, 10, 15]),
    ],
)
def test_quarters_are_round_and_hold_both_ends(low, high, wanted):
    assert charts.quarters(low, high) == wanted


def test_line_chart_escapes_and_survives_one_epoch():
    svg = charts.lines(
        [{"name": "<b>", "colour": 0, "x": [1.0], "y": [0.5], "mark": 1}], "epoch", "<loss>", 'a "label"'
    )
    assert "<b>" not in svg
    assert "&lt;loss&gt;" in svg
    assert charts.lines([], "x", "y", "nothing") == ""


def test_anchors_differ():
    paths = ["a/b", "a-b", "a_b", "a.b", "a b", "a--b", "a/-b"]
    assert len({lineage.anchor(path) for path in paths}) == len(paths)


def test_marks_of_unknown_files_say_so():
    found = lineage.Lineage({})
    assert found.mark("data/x")["stage"] is None
    assert found.table() == []
