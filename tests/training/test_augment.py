"""What augmentation may do and may not: bounds, what is hidden, and nothing where nothing is asked for."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.training import augment


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), masks=st.integers(1, 3), share=st.floats(0.05, 0.3))
def test_masks_of_frames_are_stretches_at_the_mean(seed, masks, share):
    torch.manual_seed(seed)
    x = torch.rand(4, 60, 40)
    y = augment.masked(x, {"time_masks": masks, "time_mask": share})
    changed = (y != x).any(dim=2)
    torch.testing.assert_close(y[changed], x.mean(dim=(1, 2))[:, None, None].expand_as(x)[changed])
    assert (changed.sum(dim=1) <= masks * (share * 60 + 1)).all()
    edges = (changed[:, 1:] != changed[:, :-1]).sum(dim=1)
    assert (edges <= 2 * masks).all()


def test_bands_are_hidden_over_all_frames():
    torch.manual_seed(1)
    x = torch.rand(64, 30, 50)
    changed = augment.masked(x, {"frequency_masks": 1, "frequency_mask": 0.2}) != x
    assert (changed.all(dim=1) == changed.any(dim=1)).all()
    # a width drawn evenly from 0 to 10 bands hides 5 on average
    assert 3.5 < changed.any(dim=1).sum(dim=1).float().mean() < 6.5


def test_sound_is_scaled_turned_over_and_silenced_in_places():
    torch.manual_seed(2)
    x = torch.randn(400, 200)
    louder = augment.sound(x, {"gain_db": 6}) / x
    assert (louder.std(dim=1) < 1e-4).all()
    decibel = 20 * louder[:, 0].log10()
    assert decibel.abs().max() <= 6 and decibel.min() < -5 and decibel.max() > 5 and decibel.mean().abs() < 1
    turned = (augment.sound(x, {"polarity": True}) / x)[:, 0]
    assert set(turned.tolist()) == {-1.0, 1.0} and 140 < (turned < 0).sum() < 260
    silent = augment.sound(x, {"time_masks": 1, "time_mask": 0.5}) == 0
    assert silent.any() and silent.sum(dim=1).max() <= 101
    assert ((silent[:, 1:] != silent[:, :-1]).sum(dim=1) <= 2).all()


def test_nothing_asked_nothing_done():
    x = torch.rand(2, 10, 4)
    assert augment.frames(x, {}) is x and augment.masked(x, {}) is x and augment.mixed(x, x, {}) == (x, x)
    torch.testing.assert_close(augment.sound(x[:, :, 0], {}), x[:, :, 0], rtol=0, atol=0)


def test_the_seed_decides():
    x, options = torch.rand(2, 30, 20), {"time_masks": 2, "time_mask": 0.3, "frequency_masks": 2, "frequency_mask": 0.3}
    drawn = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append(augment.masked(x, options))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
