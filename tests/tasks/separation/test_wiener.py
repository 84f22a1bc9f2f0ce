"""The Wiener filter against closed forms: ratios of powers in mono, and the formula written bin by bin in stereo."""

import numpy as np
import pytest
import torch

from pipelines.metrics.separation import sdr
from pipelines.tasks.separation.fit import wiener


def spectra(*shape, seed=0):
    real, imaginary = np.random.default_rng(seed).normal(size=(2, *shape))
    return torch.from_numpy(real + 1j * imaginary)


@pytest.mark.parametrize("iterations", [0, 1, 2])
def test_one_channel_has_masks_of_ratios_of_powers(iterations):
    masks = torch.rand(3, 1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    mixture = spectra(1, 4, 5)
    power = masks ** (2**iterations)
    found = wiener.filtered(masks * mixture, mixture, iterations)
    torch.testing.assert_close(found, power / power.sum(dim=0) * mixture)


def test_two_channels_equal_the_formula_bin_by_bin():
    estimates = spectra(3, 2, 4, 5)
    mixture = estimates.sum(dim=0) + 0.1 * spectra(2, 4, 5, seed=1)
    y, x = estimates.numpy(), mixture.numpy()
    expected = np.zeros_like(y)
    for f in range(5):
        v = (np.abs(y[..., f]) ** 2).mean(axis=1)  # (stems, frames)
        r = [sum(np.outer(y[j, :, t, f], y[j, :, t, f].conj()) for t in range(4)) / v[j].sum() for j in range(3)]
        for t in range(4):
            inverse = np.linalg.inv(sum(v[j, t] * r[j] for j in range(3)) + wiener.EPSILON * np.eye(2))
            for j in range(3):
                expected[j, :, t, f] = v[j, t] * r[j] @ inverse @ x[:, t, f]
    np.testing.assert_allclose(wiener.filtered(estimates, mixture, 1).numpy(), expected, rtol=1e-6)


def test_places_in_the_stereo_image_are_used():
    """Two sources of noise from two directions and equal masks: the covariances alone separate what the masks cannot."""
    left, right = spectra(2, 40, 30).numpy()
    sources = np.stack([[left, 0.2 * left], [0.2 * right, right]])
    mixture = sources.sum(axis=0)
    guess = np.stack([mixture * [[[0.8]], [[0.3]]], mixture * [[[0.2]], [[0.7]]]])
    found = wiener.filtered(torch.from_numpy(guess), torch.from_numpy(mixture), 3).numpy()
    before, after = (sdr(np.abs(sources[0]), np.abs(each[0])) for each in (guess, found))
    assert after > before + 3


def test_silence_stays_silent():
    silent = torch.zeros(2, 2, 3, 4, dtype=torch.complex64)
    assert not wiener.filtered(silent, silent.sum(dim=0), 2).abs().any()


@pytest.mark.parametrize("right", [1.0, 0.5, 0.0])
def test_channels_that_are_alike_are_filtered_as_one(right):
    """A mono file as stereo: the covariances have no inverse, and the estimates are those of its one channel."""
    mono = spectra(1, 6, 5).to(torch.complex64)
    masks = torch.rand(3, 1, 6, 5, generator=torch.Generator().manual_seed(0)).softmax(dim=0)
    gains = torch.tensor([1.0, right])[:, None, None]
    found = wiener.filtered(masks * (mono * gains), mono * gains, 2)
    torch.testing.assert_close(found, wiener.filtered(masks * mono, mono, 2) * gains, rtol=1e-3, atol=1e-4)
