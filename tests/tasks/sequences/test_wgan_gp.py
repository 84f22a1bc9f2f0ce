"""The Wasserstein GAN: its penalty by hand, what it draws, and that it has no likelihood anywhere."""

import json

import numpy as np
import pytest
import torch
import toy_corpus
from torch import nn

from pipelines.core.files import write_json
from pipelines.generating import make
from pipelines.metrics import scores
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.stages import score as stages_score
from pipelines.tasks import sequences
from pipelines.tasks.sequences import fit, score, section
from pipelines.tasks.sequences.fit import model_file
from pipelines.tasks.sequences.models import wgan_gp
from pipelines.tasks.sequences.score import generators

VOICES = 4

OPTIONS = {name: default for name, (default, _) in sequences.OPTIONS.items()} | {"transpose": 2}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(wgan_gp.PRESETS, "tiny", {"hidden": 4, "noise": 3})
    monkeypatch.setitem(wgan_gp.RECIPES, "tiny", wgan_gp.RECIPES["tiny"] | {"updates": 2, "batch": 3})


def music(n, seed=0):
    return [np.resize(piece, (80, VOICES)) for piece in toy_corpus.pieces(n, seed)]


def test_the_penalty_of_a_linear_critic():
    """Its gradient is its weights everywhere: (|w| - 1) squared, whatever the windows are."""
    critic = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    with torch.no_grad():
        critic[1].weight.copy_(torch.tensor([[3.0, 0, 0, 4.0, 0, 0]]))
    real, made = torch.randn(2, 5, 2, 3, generator=torch.Generator().manual_seed(1))
    assert wgan_gp.penalty(critic, real, made).item() == pytest.approx(16.0)
    wgan_gp.penalty(critic, real, made).backward()  # of (|w| - 1) squared in w: 2 (|w| - 1) w / |w|
    torch.testing.assert_close(critic[1].weight.grad, torch.tensor([[4.8, 0, 0, 6.4, 0, 0]]))


def test_the_likeliest_pitch_of_each_voice():
    shares = torch.tensor([[[0.2, 0.5], [0.7, 0.1], [0.1, 0.4]]] * VOICES).flatten(0, 1)[
        None
    ]  # three pitches, two steps
    found = wgan_gp.binarised(shares, np.array([0, 60, 64], np.uint8))
    assert found.tolist() == [[[60] * VOICES, [0] * VOICES]]


def test_what_it_draws_and_seeds(small, tmp_path):
    train, kept_bytes = music(6), []
    for folder in "ab":
        arrays, figures = wgan_gp.fit(train, music(2, 1), OPTIONS, 3)
        model_file.save(tmp_path / folder, "wgan_gp", 4, OPTIONS, arrays, figures)
        kept_bytes.append((tmp_path / folder / "model.npz").read_bytes())
    assert kept_bytes[0] == kept_bytes[1] and figures["likelihood"] == "none"
    module, model, _ = model_file.load(tmp_path / "a")
    made = [
        generators.written(module, model, 4, steps, VOICES, seed, OPTIONS)
        for steps, seed in ((72, 1), (72, 1), (72, 2), (8, 1))
    ]
    assert made[0].shape == (4, 72, VOICES) and made[0].dtype == np.uint8 and made[3].shape == (4, 8, VOICES)
    assert (made[0] == made[1]).all() and (made[0] != made[2]).any()
    cells = np.concatenate(train)
    for voice in range(VOICES):
        pitches = np.concatenate([drawn[..., voice].ravel() for drawn in made[:3]])
        known = cells[:, voice][cells[:, voice] > 0]
        assert ((pitches == 0) | ((pitches >= known.min()) & (pitches <= known.max()))).all()


def test_what_it_refuses(small, tmp_path):
    with pytest.raises(ValueError, match="samples no cells: leave out temperature and top_p"):
        wgan_gp.fit(music(2), [], OPTIONS | {"temperature": 0.9}, 0)
    with pytest.raises(ValueError, match="windows of 4 bars, and no training piece has so many"):
        wgan_gp.fit([piece[:60] for piece in music(2)], [], OPTIONS, 0)
    arrays, figures = wgan_gp.fit(music(3), [], OPTIONS, 3)
    model_file.save(tmp_path, "wgan_gp", 4, OPTIONS, arrays, figures)
    assert make(tmp_path, 5, 1, (1.0, 0, 1.0)).shape == (80, VOICES)
    for how, primer in (((0.9, 0, 1.0), None), ((1.0, 0, 1.0), tmp_path / "given.mid")):
        with pytest.raises(ValueError, match="writes whole pieces at once. It cannot continue or fill in a --primer"):
            make(tmp_path, 5, 1, how, primer)


def test_no_number_stands_for_its_likelihood(small, in_tmp, monkeypatch):
    """Scored, described and on a page, beside no other run."""
    grids = music(len(toy_corpus.SIDES))
    monkeypatch.setattr(toy_corpus, "pieces", lambda n, seed: grids)
    toy_corpus.write()
    run = toy_corpus.run("wgan_gp", bars=5)
    fit.fit(run, *run.trainings[0])
    answers = score.predict(run, run.trainings[0][1])
    found, resampled = scores.score(score.METRICS, [answers], score.baseline(run), "test", 50, 1)
    assert all(one["value"] is None and one["ci95"] is None for one in found.values()) and resampled == {}
    details = score.details(run, [answers])
    json.dumps(details, allow_nan=False)
    assert details["likelihood"] == "none" and details["extraction"]["training"]["n"] == 0
    assert {one["per_step"] for one in details["losses"].values()} == {None} and "losses" not in score.plots(details)
    assert details["originality"]["generated"]["n"] == 6 and score.checks(run, [answers])
    write_json("data/scores/wgan_gp/details.json", details)
    write_json("data/scores/wgan_gp/about.json", {"task": "sequences", "dataset": "made"})
    write_json("reports/scores.json", {"sequences": {"wgan_gp": found}})
    task = Task("sequences", {}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert "no likelihood</td>" in html and "No run here has a loss in nats" in html
    assert "critic’s distance" in html and "95% interval" in html
    assert stages_score._better("nats_per_step", found["nats_per_step"]) == (
        None,
        "nats_per_step is not defined for this run",
    )
