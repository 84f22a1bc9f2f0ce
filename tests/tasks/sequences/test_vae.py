"""The variational autoencoder: its bound is one, its divergence and active units are by their formulas, and what it decodes."""

import json

import numpy as np
import pytest
import torch
import toy_corpus
from scipy.special import logsumexp
from torch.distributions import Normal, kl_divergence
from toy_corpus import pieces

from pipelines.core.files import write_json
from pipelines.metrics import scores
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.tasks import sequences
from pipelines.tasks.sequences import fit, score, section
from pipelines.tasks.sequences.fit import model_file, networks, sampling
from pipelines.tasks.sequences.fit.cells import PITCHES
from pipelines.tasks.sequences.models import vae
from pipelines.tasks.sequences.score import generators

VOICES = 4

OPTIONS = {name: default for name, (default, _) in sequences.OPTIONS.items()} | {"transpose": 2}
SHAPE = {"hidden": 8, "latent": 3, "embedding": 4, "dropout": 0.1, "withheld": 0.25}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(vae.PRESETS, "tiny", SHAPE)
    monkeypatch.setitem(vae.RECIPES, "tiny", vae.RECIPES["tiny"] | {"updates": 6, "batch": 3})


def network(seed=0):
    torch.manual_seed(seed)
    return vae.Network(VOICES, **SHAPE).eval()


def test_the_bound_is_above_the_nats():
    """The nats by 40,000 draws of the prior, of a window so short that this finds them."""
    model, piece = network(), pieces(1, 2)[0][:2]
    with torch.no_grad():
        model.posterior.bias[:3] = torch.tensor([1.0, -1.0, 0.5])  # a posterior that is far from the true one
    steps = networks.padded([networks.begun(piece)])
    draws = torch.randn(40_000, 3, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logs = -vae.reconstruction(model, draws, steps.expand(len(draws), -1, -1)).double().numpy()
    nats = -(logsumexp(logs) - np.log(len(logs)))
    reconstructed, diverged = vae.bounds(model, [piece])[0]
    assert reconstructed + diverged > nats + 0.1 and diverged > 0.1
    assert reconstructed == pytest.approx(nats, abs=0.5), "the untrained decoder hardly uses its latent units"


def test_the_divergence_is_that_of_normal_distributions():
    mean, log_variance = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(2))
    wanted = kl_divergence(Normal(mean, torch.exp(log_variance / 2)), Normal(0.0, 1.0))
    torch.testing.assert_close(vae.divergence(mean, log_variance), wanted)


def test_free_bits_are_free():
    """A posterior that is the prior costs the free bits of every unit, and a gradient finds nothing to save."""
    model = network()
    torch.nn.init.zeros_(model.posterior.weight), torch.nn.init.zeros_(model.posterior.bias)
    steps = networks.padded([networks.begun(piece[:16]) for piece in pieces(4, 1)])
    torch.manual_seed(5)
    found = vae.objective(model, steps)
    torch.manual_seed(5)
    with torch.no_grad():
        nats = vae.reconstruction(model, torch.randn(4, 3), steps).sum()
    assert found.item() == pytest.approx((nats.item() + 4 * 3 * vae.FREE_BITS) / (4 * 16 * VOICES), rel=1e-5)


def test_bounds_add_up_over_windows_and_padding_costs_nothing():
    model, (long, short) = (
        network(),
        [np.resize(piece, (n, VOICES)) for piece, n in zip(pieces(2, 4), (70, 9), strict=True)],
    )
    assert [len(each) for each in (long, short)] == [70, 9]
    alone, both = vae.bounds(model, [short]), vae.bounds(model, [long, short])
    assert both.shape == (2, 2) and (both > 0).all()
    assert both[1, 1] == pytest.approx(alone[0, 1], rel=1e-4), "the divergence has no draws in it"
    other = long.copy()
    other[64:] = 60
    steps = [vae.bounds(model, [piece[:64]])[0] for piece in (long, other)]
    np.testing.assert_allclose(*steps)
    strange = np.random.default_rng(5).integers(0, PITCHES, (40, VOICES)).astype(np.uint8)
    assert np.isfinite(vae.bounds(model, [strange])).all()


def test_cell_by_cell_is_the_reconstruction():
    """Over two windows, with the latent units of both given."""
    model, piece = network(), np.resize(pieces(1, 3)[0], (40, VOICES))
    unit = torch.randn(1, 3, generator=torch.Generator().manual_seed(3))
    ask, previous, found = vae.begin(model, 1, None, unit), None, []
    for cell in piece.ravel():
        logs = ask(previous)[0]
        assert np.exp(logs).sum() == pytest.approx(1)
        found.append(-logs[cell])
        previous = np.array([cell])
    whole = networks.begun(piece)
    windows = networks.padded([whole[:33], whole[32:]])
    with torch.inference_mode():
        wanted = vae.reconstruction(model, unit.expand(2, -1), windows)
    assert [sum(found[:128]), sum(found[128:])] == pytest.approx(wanted.tolist(), rel=1e-4)


def test_units_are_active_where_their_mean_varies():
    model, music = network(1), pieces(6, 3)
    with torch.no_grad():
        model.posterior.weight.mul_(30)
        model.posterior.weight[1] = 0
    assert vae.active(model, music).tolist() == [True, False, True]
    found = vae.latent(model, music)
    assert (found["units"], found["active"], found["line"]) == (3, 2, []), "a line only from eight active units on"
    assert found["reconstruction"] + found["divergence"] == pytest.approx(vae.bound_per_step(model, music))


def test_the_line_goes_from_one_piece_to_the_other(monkeypatch):
    monkeypatch.setattr(vae, "FEWEST", 0)
    model, music = network(2), pieces(3, 6)
    with torch.no_grad():
        model.posterior.weight.mul_(30), model.first.weight.mul_(30)
    found = vae.interpolated(model, music[0], music[-1])
    assert found.shape == (vae.POINTS, vae.WINDOW, VOICES) and (found[0] != found[-1]).any()
    same = vae.interpolated(model, music[0], music[0])
    assert (same == same[0]).all() and (same[0] == found[0]).all()
    assert len(vae.latent(model, music)["line"]) == vae.POINTS


def test_seeds_and_the_kind_of_loss(small, tmp_path):
    runs = []
    for folder in "ab":
        arrays, figures = vae.fit(pieces(6), pieces(2, 1), OPTIONS, 3)
        model_file.save(tmp_path / folder, "vae", 4, OPTIONS, arrays, figures)
        runs.append((tmp_path / folder / "model.npz").read_bytes())
    assert (
        runs[0] == runs[1] and "validation bound on nats a step" in figures and "validation nats a step" not in figures
    )
    module, model, _ = model_file.load(tmp_path / "a")
    losses = generators.losses(module, model, pieces(2, 5))
    assert np.isnan(losses["nats"]).all() and (losses["bound"] > 0).all()
    made = [generators.written(module, model, 3, 40, VOICES, seed, OPTIONS) for seed in (1, 1, 2)]
    assert made[0].shape == (3, 40, VOICES) and (made[0] == made[1]).all() and (made[0] != made[2]).any()
    given = np.full((40, VOICES), sampling.FREE)
    given[:33] = 60
    assert (sampling.sample(generators.beginning(module, model), given, 2, 1)[:, :33] == 60).all()


def test_a_bound_is_called_one_and_ranked_with_no_nats(small, in_tmp, monkeypatch):
    monkeypatch.setattr(vae, "FEWEST", 0)
    toy_corpus.write()
    run = toy_corpus.run("vae")
    fit.fit(run, *run.trainings[0])
    answers = score.predict(run, run.trainings[0][1])
    found, _ = scores.score(score.metrics(run), [answers], score.baseline(run), "test", 50, 1)
    assert list(found) == ["bound_per_step"] and found["bound_per_step"]["value"] is not None
    details = score.details(run, [answers])
    json.dumps(details, allow_nan=False)
    assert details["likelihood"] == "bound" and score.plots(details)["losses"]["title"] == "bound on nats a step"
    assert details["losses"]["test"]["per_step"] == pytest.approx(found["bound_per_step"]["value"])
    write_json("data/scores/vae/details.json", details)
    write_json("data/scores/vae/about.json", {"task": "sequences", "dataset": "made"})
    task = Task("sequences", {"vae": {"bound_per_step": found["bound_per_step"]}}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert f"bound ≤ {found['bound_per_step']['value']:.3f}" in html and "is not ranked" in html
    assert "No run here has a loss in nats" in html and "no likelihood</td>" not in html
    assert f"{details['latent']['active']} of 3 are active" in html and html.count("% of the way") == vae.POINTS
