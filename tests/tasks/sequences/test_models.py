"""Every model of the family that gives nats: probabilities, causality, finite losses; and each against its formula."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from toy_corpus import pieces

from pipelines import tasks
from pipelines.tasks import sequences
from pipelines.tasks.sequences.fit import floor, model_file
from pipelines.tasks.sequences.fit.cells import BEGIN, PITCHES, room, shifted, transposed
from pipelines.tasks.sequences.models import kneser_ney, unigram
from pipelines.tasks.sequences.score import generators

FILES = sorted(path.stem for path in (tasks.FOLDER / "sequences/models").glob("[!_]*.py"))
NAMES = [name for name in FILES if generators.likelihood(tasks.part("sequences", f"models.{name}")) == generators.EXACT]
RNG = np.random.default_rng(0)
OPTIONS = {name: default for name, (default, _) in sequences.OPTIONS.items()} | {"n": 7, "states": 5, "transpose": 2}
VOICES = 4
SMALL = {"hidden": 8, "embedding": 4}


def small(module, patch):
    """The module, whose networks have few units and updates."""
    if hasattr(module, "PRESETS"):
        patch.setitem(module.PRESETS, "tiny", module.PRESETS["tiny"] | SMALL)
        patch.setitem(module.RECIPES, "tiny", module.RECIPES["tiny"] | {"updates": 6, "batch": 2, "steps": 16})
    return module


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    """(its name, module, arrays) of a model fitted on a few pieces."""
    with pytest.MonkeyPatch.context() as patch:
        module = small(tasks.part("sequences", f"models.{request.param}"), patch)
        yield request.param, module, module.fit(pieces(6), pieces(2, 1), OPTIONS, 3)[0]


def test_the_next_cell_has_probabilities_and_they_are_those_of_the_loss(fitted):
    """Asked cell by cell, the model says what it says of whole pieces; each distribution adds up to one."""
    _, module, arrays = fitted
    asked_as_scored(module, arrays, VOICES)


def asked_as_scored(module, arrays, voices):
    model = module.build(arrays, OPTIONS)
    both = np.stack([piece[:16, :voices] for piece in pieces(40, 2) if len(piece) >= 16][:2])
    losses = module.cell_nats(model, list(both))
    ask, previous = module.begin(model, 2, RNG), None
    for step in range(16):
        for voice in range(voices):
            logs = ask(previous)
            np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-9)
            previous = both[:, step, voice]
            wanted = [loss[step, voice] for loss in losses]
            np.testing.assert_allclose(-logs[np.arange(2), previous], wanted, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("voices", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_voices(name, voices, monkeypatch):
    """The same promise, and pieces in as many voices."""
    module = small(tasks.part("sequences", f"models.{name}"), monkeypatch)
    train, validation = ([piece[:, :voices] for piece in found] for found in (pieces(4), pieces(2, 1)))
    arrays, _ = module.fit(train, validation, OPTIONS, 3)
    asked_as_scored(module, arrays, voices)
    model = module.build(arrays, OPTIONS)
    made = generators.written(module, model, 2, 20, voices, 0, OPTIONS)
    assert made.shape == (2, 20, voices) and made.dtype == np.uint8
    assert [loss.shape for loss in module.cell_nats(model, train)] == [piece.shape for piece in train]


def test_a_model_answers_on_one_thread_and_others_keep_theirs(fitted):
    _, module, arrays = fitted
    before, seen = torch.get_num_threads(), []
    hook = torch.nn.modules.module.register_module_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    try:
        torch.set_num_threads(3)
        model = module.build(arrays, OPTIONS)
        module.cell_nats(model, pieces(1, 2)[:1])
        module.begin(model, 2, RNG)(None)
        assert set(seen) == ({1} if hasattr(module, "PRESETS") else set()) and torch.get_num_threads() == 3
    finally:
        hook.remove()
        torch.set_num_threads(before)


@pytest.mark.parametrize(("step", "voice"), [(0, 0), (7, 2), (15, 3)])
def test_what_comes_later_changes_nothing(fitted, step, voice):
    _, module, arrays = fitted
    model, piece = module.build(arrays, OPTIONS), np.resize(pieces(1, 4)[0], (16, VOICES))
    other = piece.copy()
    other.ravel()[step * VOICES + voice :] = np.arange(60, 60 + 16 * VOICES - step * VOICES - voice)
    before, after = (module.cell_nats(model, [one])[0].ravel()[: step * VOICES + voice] for one in (piece, other))
    np.testing.assert_allclose(before, after, rtol=1e-6, atol=1e-7)


def test_losses_are_finite_whatever_the_piece(fitted):
    _, module, arrays = fitted
    model = module.build(arrays, OPTIONS)
    strange = np.random.default_rng(5).integers(0, PITCHES, (9, VOICES)).astype(np.uint8)
    found = module.cell_nats(model, [strange, np.zeros((1, VOICES), np.uint8), strange[:3]])
    assert [loss.shape for loss in found] == [(9, 4), (1, 4), (3, 4)]
    assert all(np.isfinite(loss).all() and (loss > 0).all() for loss in found)
    np.testing.assert_allclose(found[0][:3], found[2], rtol=1e-5)


def test_the_same_seed_gives_the_same_bytes(fitted, tmp_path):
    name, module, arrays = fitted
    again, figures = module.fit(pieces(6), pieces(2, 1), OPTIONS, 3)
    for folder, values in (("a", arrays), ("b", again)):
        model_file.save(tmp_path / folder, name, 4, OPTIONS, values, figures)
    one, other = ((tmp_path / folder / "model.npz").read_bytes() for folder in "ab")
    assert one == other
    loaded, model, _ = model_file.load(tmp_path / "a")
    piece = pieces(1, 6)
    assert (
        loaded is module
        and (loaded.cell_nats(model, piece)[0] == module.cell_nats(module.build(arrays, OPTIONS), piece)[0]).all()
    )
    (tmp_path / "a/model.npz").write_bytes(one[:-30])
    with pytest.raises(ValueError, match="no whole model"):
        model_file.load(tmp_path / "a")


def test_a_unigram_loses_the_entropy_of_its_voices():
    train = pieces(6)
    arrays, _ = unigram.fit(train, [], {"transpose": 0}, 0)
    cells = np.concatenate(train)
    shares = [np.unique(cells[:, voice], return_counts=True)[1] / len(cells) for voice in range(VOICES)]
    entropy = -sum(np.sum(share * np.log(share)) for share in shares)
    loss = np.concatenate(unigram.cell_nats(unigram.build(arrays, {}), train)).sum(axis=1).mean()
    assert entropy < loss < entropy + 2 * VOICES * floor.UNIFORM


def test_kneser_ney_by_hand():
    """One note of 60, 60, 62 above 50, 50, 50 three times: n-grams of one cell that occur 2, 1, 3, 3 and 3 times.

    Counts of counts 1, 1, 3 and (none) 1: Y = 1/3, D1 = 1 - 2/3 = 1/3, D2 = 2 - 3 is clamped to 0, D3 = 3 - 4/9 = 23/9."""
    piece = np.array([[60, 50, 50, 50], [60, 50, 50, 50], [62, 50, 50, 50]], np.uint8)
    arrays, _ = kneser_ney.fit([piece], [], {"n": 1, "transpose": 0, "context": "all"}, 0)
    model = kneser_ney.build(arrays, {})
    np.testing.assert_allclose(model["discounts"][0], [1 / 3, 0, 23 / 9])
    found = np.exp(kneser_ney.begin(model, 1, RNG)()[0])
    left = 1 / 3 / 3 / 128
    wanted = {60: 2 / 3 + left, 62: 2 / 9 + left, 61: left}
    for pitch, share in wanted.items():
        assert found[pitch] == pytest.approx((1 - 1e-4) * share + 1e-4 / 128, rel=1e-12)


def by_definition(train, n, piece, apart=1, told=True):
    """Nats of each cell by Chen and Goodman's equations over dictionaries, order by order."""
    grams = [defaultdict(set) for _ in range(n)]  # order -> (voice, context, cell) -> what is counted
    for number, one in enumerate(train):
        line = [BEGIN] * n * apart + one.ravel().tolist()
        for place in range(n * apart, len(line)):
            for order in range(n):
                context = tuple(line[place - order * apart : place : apart])
                what = (number, place) if order == n - 1 else line[place - (order + 1) * apart]
                grams[order][told * ((place - n * apart) % VOICES), context, line[place]].add(what)
    counts = [{key: len(found) for key, found in order.items()} for order in grams]
    discounts = []
    for order in counts:
        seen = [max(sum(count == times for count in order.values()), 1) for times in (1, 2, 3, 4)]
        y = seen[0] / (seen[0] + 2 * seen[1])
        each = [min(max(k - (k + 1) * y * seen[k] / seen[k - 1], 0), 0.95 * k) for k in (1, 2, 3)]
        discounts.append(dict(enumerate(each, 1)))

    def share(voice, context, cell, order):
        if order < 0:
            return 1 / PITCHES
        context = context[len(context) - order :]
        beside = [count for (v, c, _), count in counts[order].items() if (v, c) == (voice, context)]
        shorter = share(voice, context, cell, order - 1)
        if not beside:
            return shorter
        off = discounts[order]
        own = counts[order].get((voice, context, cell), 0)
        left = sum(off[min(count, 3)] for count in beside)
        return ((own - off[min(own, 3)] if own else 0) + left * shorter) / sum(beside)

    line, found = [BEGIN] * n * apart + piece.ravel().tolist(), []
    for place in range(n * apart, len(line)):
        context = tuple(line[place - (n - 1) * apart : place : apart])
        own = share(told * ((place - n * apart) % VOICES), context, line[place], n - 1)
        found.append((1 - 1e-4) * own + 1e-4 / PITCHES)
    return -np.log(found)


@pytest.mark.parametrize(
    ("n", "context", "how"),
    [
        (1, "all", {}),
        (4, "all", {}),
        (6, "all", {}),
        (1, "blind", {"told": False}),
        (5, "blind", {"told": False}),
        (2, "own", {"apart": 4}),
        (3, "own", {"apart": 4}),
    ],
)
def test_kneser_ney_is_what_its_equations_say(n, context, how):
    rng = np.random.default_rng(n)
    train = [rng.integers(60, 63, (length, VOICES)).astype(np.uint8) for length in (1, 6, 9)]
    piece = rng.integers(60, 64, (6, VOICES)).astype(np.uint8)
    arrays, _ = kneser_ney.fit(train, [], {"n": n, "transpose": 0, "context": context}, 0)
    model = kneser_ney.build(arrays, {})
    found = kneser_ney.cell_nats(model, [piece])[0].ravel()
    np.testing.assert_allclose(found, by_definition(train, n, piece, **how), rtol=1e-10)
    ask, previous = kneser_ney.begin(model, 1, RNG), None
    for cell, nats in zip(piece.ravel(), found, strict=True):
        assert -ask(previous)[0, cell] == pytest.approx(nats)
        previous = np.array([cell])


@pytest.mark.parametrize("name", ["lstm", "ngram_cnn", "ngram_mlp", "transformer", "vae", "wgan_gp"])
def test_every_preset_is_there(name):
    module = tasks.part("sequences", f"models.{name}")
    presets = set(sequences.OPTIONS["preset"][1])
    assert set(module.PRESETS) == set(module.RECIPES) == presets


def test_n_grams_that_are_too_long():
    with pytest.raises(ValueError, match="n is 65: kneser_ney counts n-grams of at most 64 cells"):
        kneser_ney.fit(pieces(1), [], {"n": 65, "transpose": 0, "context": "all"}, 0)


def test_an_hmm_of_known_steps_finds_them():
    """Two chords in turn: two states say which comes next, but for the first and what is counted beside."""
    chords = np.array([[72, 65, 57, 48], [74, 67, 59, 50]], np.uint8)
    hmm = tasks.part("sequences", "models.hmm")
    train = [np.tile(chords, (20, 1))] * 4
    arrays, _ = hmm.fit(train, train[:1], OPTIONS | {"states": 2, "transpose": 0}, 1)
    steps = hmm.cell_nats(hmm.build(arrays, {}), train[:1])[0].sum(axis=1)
    assert steps[2:].mean() < 0.1 and steps[0] < 1


@given(st.integers(0, 5), st.integers(0, 12))
@examples(max_examples=20, deadline=None)
def test_other_keys_stay_in_the_range_of_each_voice(seed, most):
    music = pieces(4, seed)
    high = np.concatenate(music).max(axis=0)
    low = np.array(
        [min(column[column > 0].min() for column in (piece[:, v] for piece in music)) for v in range(VOICES)]
    )
    keys = room(music, most)
    for piece, (down, up) in zip(music, keys, strict=True):
        assert 0 <= down <= most and 0 <= up <= most
        for by in (-down, up):
            moved = shifted(piece, by)
            assert ((moved == 0) == (piece == 0)).all()
            assert ((moved >= low) | (moved == 0)).all() and (moved <= high).all()
    assert len(transposed(music, most)) == sum(down + up + 1 for down, up in keys) and len(transposed(music, 0)) == 4
