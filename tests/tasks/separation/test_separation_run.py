"""Separation: masks that add up, streams that equal whole signals, remixes, and a small run between its floor and its ceiling."""

from dataclasses import replace

import band_stems
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import paths
from pipelines.core.files import write_json
from pipelines.metrics import scores, separation
from pipelines.metrics.separation import sdr
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.tasks.separation import fit, score, section
from pipelines.tasks.separation.fit import masks, mixtures, network
from pipelines.tasks.separation.section import listening


@pytest.fixture(scope="module")
def in_project(tmp_path_factory):
    """The dataset and a fitted run of it, in the current folder of this file's tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("separation"))
        band_stems.write(silent=True)
        run = band_stems.run(steps=60, learning_rate=0.01)
        yield run, fit.fit(run, 2026, run.trainings[0][1])


def test_the_run_beats_its_floor_and_stays_below_its_ceiling(in_project):
    run, figures = in_project
    answers = [score.predict(run, folder) for _, folder in run.trainings]
    found, _ = scores.score(score.METRICS, answers, score.baseline(run), "test", 20, 1)
    assert list(found) == ["sdr", "si_sdr", "museval_sdr"] and found["sdr"]["unit"] == "dB"
    assert found["sdr"]["value"] > found["sdr"]["baseline"] + 8
    details = score.details(run, answers)
    table = details["table"]
    # of two stems of equal power half the mixture is an error of half of each: 6 dB above the mixture on the quiet side
    assert table["mixture / 2"]["mean"]["sdr"] == pytest.approx(found["sdr"]["baseline"], abs=1e-3)
    assert table["mixture"]["mean"]["sdr"] < table["mixture / 2"]["mean"]["sdr"]
    for stem in ("low", "high"):
        assert table["mixture"][stem]["si_sdr"] == pytest.approx(table["mixture / 2"][stem]["si_sdr"], abs=1e-3)
        assert table["bands_lstm"][stem]["sdr"] < table["ideal power mask"][stem]["sdr"] + 0.5
    assert found["sdr"]["n"] == 6 and found["sdr"]["n_groups"] == 3, "a clip of one stem has nothing to separate"
    assert details["silent"]["n"] == 1 and details["silent"]["median_level_db"] < 0
    checks = score.checks(run, answers)
    assert all(passed for name, (passed, _) in checks.items() if "notes" not in name), checks
    assert [step for step, _ in details["validation_sdr"]] == [8, 16, 24, 32, 40, 48, 56, 60]
    assert details["validation_sdr"][-1][1] == pytest.approx(figures["validation_sdr"], abs=1e-3)
    assert figures["validation_sdr"] == pytest.approx(found["sdr"]["value"], abs=3)
    assert figures["clips"] == 3 and figures["stems"] == 2


def test_the_page_has_tables_curves_guards_and_excerpts(in_project):
    run, _ = in_project
    answers = [score.predict(run, folder) for _, folder in run.trainings]
    details, checks = score.details(run, answers), score.checks(run, answers)
    write_json(paths.scores(run.name) / "details.json", details)
    write_json(paths.scores(run.name) / "checks.json", {f"guards: {name}": check for name, check in checks.items()})
    task = Task("separation", {run.name: {}}, [], {})
    context = Context(None, Lineage({}), filler(lambda value: value), task=task)
    html = str(section.render(context))
    assert (
        html.count("<svg") == 2
        and "ideal amplitude mask" in html
        and "? no notes on two sides: no clip has notes" in html
    )
    # a median and the worst clip: the mixture, and two stems as estimate, truth and ideal mask
    assert len(context.played) == html.count("data:image/webp") == html.count('class="hear"') == 2 * 7
    sounds = {name: listening._decoded(sound)[0] for name, sound in details["examples"][0]["sounds"].items()}
    total = sum(sounds[f"truth of {stem}"].astype(int) for stem in details["stems"])
    np.testing.assert_allclose(total, sounds["mixture"], atol=2)
    total = sum(sounds[f"estimate of {stem}"].astype(int) for stem in details["stems"])
    np.testing.assert_allclose(total, sounds["mixture"], atol=3)
    assert section.render(Context(None, Lineage({}), None, task=Task("separation", {}, [], {}))) is None


def test_scores_are_those_of_the_definitions(in_project):
    run, _ = in_project
    data, columns = mixtures.read(run), score.predict(run, run.trainings[0][1])
    clip = data.of("test").iloc[0]
    sounds = data.signals(clip["stems_path"])
    estimates = network.load(run.trainings[0][1]).separate(sounds.sum(axis=0))
    rows = {unit: n for n, unit in enumerate(columns["unit"].tolist())}
    for place, name in enumerate(data.names):
        row = rows[f"{clip['clip_id']} {name}"]
        assert columns["sdr"][row] == pytest.approx(sdr(sounds[place], estimates[place]))
        assert columns["si_sdr"][row] == pytest.approx(separation.si_sdr(sounds[place], estimates[place]))
        assert columns["museval_sdr"][row] == pytest.approx(separation.museval_sdr(sounds, estimates, 4000)[place])


def test_the_same_seed_gives_the_same_bytes(in_project, tmp_path):
    run, _ = in_project
    run = band_stems.run(steps=3)
    for name in "ab":
        (tmp_path / name).mkdir()
        fit.fit(run, 7, tmp_path / name)
    for file in ("model.safetensors", "config.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 3000), st.lists(st.integers(1, 700), min_size=1, max_size=6), st.integers(0, 1000))
def test_a_stream_equals_the_whole_signal_and_its_stems_add_up(length, cuts, seed):
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 0.2, (2, length)).astype(np.float32)

    def masker(magnitude, start):  # depends on all that it sees, as a network does, and on where it begins, as notes do
        first = torch.sigmoid(10 * (magnitude - magnitude.mean()) + start / 1000)
        return torch.stack([first, 1 - first], dim=1)

    def joined(blocks, iterations=1):
        parts = masks.stream(blocks, masker, 64, 32, 400, iterations)
        return np.concatenate([np.zeros((2, 2, 0), np.float32), *parts], axis=2)

    blocks, first = [], 0
    while first < length:
        step = cuts[len(blocks) % len(cuts)]
        blocks.append(signal[:, first : first + step])
        first += step
    streamed, whole = joined(blocks), joined([signal])
    assert whole.shape == streamed.shape == (2, 2, length)
    np.testing.assert_array_equal(streamed, whole)
    np.testing.assert_allclose(joined(blocks, 0).sum(axis=0), signal, atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=0), signal, atol=1e-4)


def test_validation_has_clips_with_something_to_separate(in_project):
    data = mixtures.read(in_project[0])
    held = data.of("validation")
    assert len(data.held_out()) == len(held) == 1
    silent = (data.table["path"] == held["stems_path"].iloc[0]) & (data.table["stem"] == "high")
    quiet = data.table.assign(rms_dbfs=data.table["rms_dbfs"].mask(silent, -np.inf))
    assert replace(data, table=quiet).held_out().empty
    assert replace(data, table=data.table[~silent]).held_out().empty


def test_stems_on_the_disk_are_those_in_memory(in_project):
    data = mixtures.read(in_project[0])
    for path in data.clips["stems_path"]:
        np.testing.assert_array_equal(np.stack(data.stored(path)) / np.float32(32768), data.signals(path))


def test_ideal_masks_separate_what_is_apart(in_project):
    run, _ = in_project
    data = mixtures.read(run)
    sounds = data.signals(data.of("test")["stems_path"].iloc[0])
    for power in (1, 2):
        estimates = score.ideal(sounds, power, run.options)
        assert min(sdr(s, e) for s, e in zip(sounds, estimates, strict=True)) > 15
    silent = torch.zeros(2, 3, 4, dtype=torch.complex64)
    assert (masks.ideal_ratio(silent, 1) == 0.5).all()


@pytest.mark.parametrize("kind", ["coherent", "incoherent", "both"])
def test_remixes_are_of_one_clip_or_of_several(kind):
    # a sample says its clip and place: 1000 * clip + sample
    sounds = [[(1000 * clip + np.arange(300)).astype(np.int16)] * 3 for clip in (1, 2, 3, 4)]
    places = mixtures.places(sounds, 40, 100, kind, np.random.default_rng(0))
    drawn = 32768 * mixtures.remixes(sounds, places, 100, 0.0, np.random.default_rng(0))
    same = (drawn[:, 0] == drawn[:, 1]).all(axis=1) & (drawn[:, 0] == drawn[:, 2]).all(axis=1)
    assert (np.diff(drawn, axis=2) == 1).all(), "each stem is an excerpt in one piece"
    np.testing.assert_array_equal(drawn[:, :, 0], 1000 * (places[..., 0] + 1) + places[..., 1])
    assert same.sum() == {"coherent": 40, "incoherent": 0, "both": 20}[kind]
    louder = 32768 * mixtures.remixes(sounds, places, 100, 6.0, np.random.default_rng(0))
    gains = 20 * np.log10(louder[:, :, 0] / np.maximum(drawn[:, :, 0], 1))
    assert gains.min() < -4 and gains.max() > 4 and np.abs(gains).max() <= 6.01
    short, rng = [[np.ones(30, np.int16)] * 2], np.random.default_rng(0)
    assert not mixtures.remixes(short, mixtures.places(short, 1, 50, kind, rng), 50, 0.0, rng)[..., 30:].any()


def test_what_cannot_be_separated_is_refused(in_project):
    with pytest.raises(ValueError, match="no training clip of 'bands' has the stem 'drums'; its stems are high, low"):
        mixtures.read(band_stems.run(stems=["low", "drums"]))
    with pytest.raises(ValueError, match="has the stem low only"):
        mixtures.read(band_stems.run(stems=["low"]))
    with pytest.raises(ValueError, match="name each stem once"):
        mixtures.read(band_stems.run(stems=["low", "low"]))
    with pytest.raises(ValueError, match="gain_db is -3: gains are drawn from -gain_db to gain_db"):
        fit.fit(band_stems.run(gain_db=-3), 1, None)
    with pytest.raises(ValueError, match="hop 200 is more than half of n_fft 256"):
        fit.fit(band_stems.run(hop=200), 1, None)
    with pytest.raises(ValueError, match="has no whole model of a separation run"):
        network.load(band_stems.run().input)
