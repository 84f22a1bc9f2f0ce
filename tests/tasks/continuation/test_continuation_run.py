"""Runs of the family on made-up music: fitted, scored and shown; networks beside what their outputs must add up to."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_windows
from helpers import some

from pipelines.core import shards
from pipelines.core.files import read_json, write_json
from pipelines.metrics import scores
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.tasks import part
from pipelines.tasks.continuation import NAMES, fit, score, section
from pipelines.tasks.continuation.fit import curves, networks, pairs, windows
from pipelines.tasks.continuation.models import language_model, siamese
from pipelines.tasks.continuation.score import report


def fitted(model, **options):
    run = toy_windows.run(model, **options)
    seed, folder = run.trainings[0]
    return run, folder, fit.fit(run, seed, folder)


def files(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_run_is_scored_and_shown(in_tmp):
    toy_windows.write()
    run, folder, figures = fitted("logistic")
    answers = score.predict(run, folder)
    found, drawn = scores.score(score.METRICS, [answers], score.baseline(run), "test", 20, 1)
    assert figures["pairs"] == 4 * 4 * 14 * 7 and figures["C"] in (0.001, 0.01, 0.1, 1.0)
    assert found["roc_auc"]["n"] == 4 * 8 * 7 and found["roc_auc"]["n_groups"] == 8
    assert found["roc_auc"]["value"] > 0.75, "voices that move by steps are told from others"
    each = [found[f"roc_auc_{kind}"]["value"] for kind in pairs.KINDS]
    assert found["roc_auc"]["value"] == pytest.approx(np.mean(each))
    assert all(
        found[metric]["baseline"] == pytest.approx(0.5) for metric in found if metric.startswith(("roc", "acc", "av"))
    )
    assert (
        found["retrieved"]["baseline"]
        == found["retrieved"]["chance"]
        == found["matched_transductive"]["baseline"]
        == 1 / 8
    )
    assert len(drawn["roc_auc"]) == 20
    rows = answers["kind"] == "same_piece"
    said = answers["said"]
    assert found["accuracy_same_piece"]["value"] == pytest.approx(
        (said[answers["actual"]].mean() + 1 - said[rows].mean()) / 2
    )
    details, checks = score.details(run, [answers]), score.checks(run, [answers])
    json.dumps([details, checks])
    assert details == score.details(run, [answers]) and len(details["examples"]) == 5
    write_json("data/scores/logistic/details.json", details)
    write_json("data/scores/logistic/checks.json", {f"guards: {name}": one for name, one in checks.items()})
    task = Task("continuation", {"logistic": found}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert f"{found['roc_auc_same_piece']['value']:.3f}" in html and html.count('class="hear"') == 5
    assert html.count("<polyline") == 6 and all(name in html for name in NAMES.values())
    assert all(name in html for name in checks) and "piece " in html
    assert section.render(Context(None, Lineage({}), None, task=Task("continuation", {}, [], {}))) is None


def test_the_threshold_is_that_of_validation(in_tmp):
    toy_windows.write()
    run, folder, figures = fitted("voice_leading")
    held = pairs.of_side(run, windows.read(run), "validation")
    values = part("continuation", "models.voice_leading").score(*held.grids())
    assert read_json(folder / "config.json")["threshold"] == curves.threshold(held.kind, values)
    assert figures["validation ROC-AUC"] == round(curves.mean_roc_auc(held.kind, values), 4)


@pytest.mark.parametrize("model", some(["logistic", "siamese", "language_model"], "language_model"))
def test_one_seed_gives_one_file(in_tmp, model):
    toy_windows.write()
    run, folder, _ = fitted(model, updates=4)
    before = files(folder)
    fit.fit(run, 2026, folder)
    assert files(folder) == before and len(before) == 2
    fit.fit(run, 2027, folder)
    assert files(folder)["config.json"] != before["config.json"] or model == "logistic"
    assert score.predict(run, folder)["score"].shape == (4 * 8 * 7,)


@pytest.mark.system
def test_the_networks_learn_something(in_tmp):
    toy_windows.write()
    _, _, figures = fitted("siamese", updates=60)
    assert figures["validation ROC-AUC"] > 0.6


def test_likelihoods_add_up():
    """The likelihood of A and then B is that of A times that of B after A."""
    torch.manual_seed(1)
    network = language_model.Network().eval()
    grids = toy_windows.windows(2, 3).grids
    a, b = grids[[0, 3, 0]], grids[[1, 4, 2]]
    gain, after = (language_model._score(network, a, b, gain) for gain in (True, False))
    both, first, alone = (nats(network, each) for each in (np.concatenate([a, b], axis=1), a, b))
    assert after * a.shape[1] == pytest.approx(first - both, abs=1e-3)
    assert gain * a.shape[1] == pytest.approx(first + alone - both, abs=1e-3)


@pytest.mark.parametrize("voices", some([1, 2], 1))
def test_the_chords_below_given_voices_are_a_distribution(voices):
    """Summed over all pitches of the lowest voices, a chord's probability is that of the voices above: whatever the weights for
    the lowest ones are."""
    torch.manual_seed(2)
    network = language_model.Network().eval()
    pitches = np.stack([each.ravel() for each in np.indices((networks.PITCHES,) * voices)], axis=1)
    chords = np.zeros((len(pitches), 1, 8), np.uint8)
    chords[:, 0, :4] = [72, 67, 64, 48]
    chords[:, 0, 4 - voices : 4] = pitches
    above = np.exp(-nats(network, chords)).sum()
    with torch.no_grad():
        for voice in range(4 - voices, 4):
            network.out[voice].weight.normal_()
    assert 0 < above < 1 and np.exp(-nats(network, chords)).sum() == pytest.approx(above, rel=1e-4)


def nats(network, grids):
    """Of each window as a whole."""
    with torch.inference_mode():
        return language_model._nats(network, networks.tensor(grids))[0].sum(dim=1).double().numpy()


@pytest.mark.parametrize("module", [siamese, language_model])
def test_a_network_answers_on_one_thread_and_others_keep_theirs(tmp_path, module):
    networks.save(module.Network(), tmp_path)
    a = b = toy_windows.windows(2).grids[:3]
    before, seen = torch.get_num_threads(), []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        torch.set_num_threads(3)
        module.load(tmp_path, {"likelihood": "gain"})(a, b)
        assert set(seen) == {1} and torch.get_num_threads() == 3
    finally:
        hook.remove()
        torch.set_num_threads(before)


def test_siamese_reads_towards_the_seam():
    """The last step of A and the first of B are what an untrained network tells windows apart by most."""
    torch.manual_seed(3)
    network = siamese.Network().eval()
    grids = toy_windows.windows(2).grids
    a, b = grids[:4], grids[4:8]
    whole = siamese._score(network, a, b)

    def changed(step):
        other = a.copy()
        other[:, step, :4] += 5
        return np.abs(siamese._score(network, other, b) - whole).mean()

    assert changed(-1) > 3 * changed(0)


def test_training_windows_in_other_keys():
    rng = np.random.default_rng(0)
    grids = toy_windows.windows().grids
    grids[0, :, 3] = 0
    moved = networks.in_other_keys(grids, rng)
    by = moved[:, 0, 0].astype(int) - grids[:, 0, 0]
    assert set(by.tolist()) == set(range(-6, 7)) and (moved[0, :, 3] == 0).all()
    sounding = grids[..., :4] > 0
    assert ((moved[..., :4].astype(int) - grids[..., :4] == by[:, None, None]) | ~sounding).all()
    assert np.array_equal(moved[..., 4:], grids[..., 4:])
    extreme = np.full((50, 2, 8), 125, np.uint8)
    assert networks.in_other_keys(extreme, rng)[..., :4].max() == 127


def test_notes_of_a_window():
    grid = toy_windows.windows().grids[0].copy()
    grid[:, 1:4] = 0
    grid[4:, 4:] = 0
    notes = report.notes(grid)
    assert notes[0] == [0, int(grid[0, 0]), 0, notes[0][3]] and sum(note[3] for note in notes) == len(grid)
    assert [note[2] for note in notes] == [0, *(np.flatnonzero(np.diff(grid[:, 0].astype(int))) + 1)]


def test_input_that_is_none(in_tmp):
    toy_windows.write()
    run = toy_windows.run("logistic", leave_out=["keys_*"])
    with pytest.raises(
        ValueError, match=re.escape("no feature is called keys_*; there is difference_notes_0, ..., begin_3")
    ):
        fit.fit(run, 1, run.trainings[0][1])
    run = toy_windows.run("logistic", leave_out=["*"])
    with pytest.raises(ValueError, match="leaves out all 112 features"):
        fit.fit(run, 1, run.trainings[0][1])
    with pytest.raises(ValueError, match="28 of 28 pieces have fewer than two windows.*the run fewer `bars`"):
        windows.read(toy_windows.run("logistic", bars=5))
    grids = [toy_windows.piece(np.random.default_rng(n)) for n in range(28)]
    for grid in grids[20:]:
        grid[:, 8] = 1
    toy_windows.write(grids=grids)
    with pytest.raises(ValueError, match="has no test pieces .*8 of 28 pieces have more than four voices"):
        windows.read(run)
    with shards.writer(shards.shard_path(run.input, 0), "uint8", (128,)) as write_clip:
        write_clip([np.zeros((4, 128), np.uint8)])
    with pytest.raises(
        ValueError, match="no grid of four voices: runs of continuation read the representation satb_grid"
    ):
        windows.read(run)


def test_files_that_are_no_model(in_tmp):
    Path("models").mkdir()
    Path("models/model.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match="models has no whole model of this family"):
        siamese.load(Path("models"), {})
    Path("models/model.skops").write_bytes(b"x")
    with pytest.raises(ValueError, match="is no model of this family, or is damaged"):
        part("continuation", "models.logistic").load(Path("models"), {})
