"""Scores of separated sources in dB: SDR, SI-SDR, and BSS Eval in the versions that published figures use.

One name, SDR, stands for several definitions whose values differ by some dB; a figure always goes with its definition:

| function | definition |
| --- | --- |
| `sdr` | 10 log10(|s|^2 / |s - e|^2) over the whole signal: depends on scale, allows no filter (as in the MDX challenges) |
| `si_sdr` | the same after the best single gain (Le Roux et al. 2019, arXiv 1811.02508): does not depend on scale |
| `museval_sdr` | `sdr` of each second, the median over seconds: SDR of BSS Eval v4, as museval reports it (Stöter et al. 2018) |
| `bss_eval` | SDR, ISR, SIR, SAR with distortion filters of 512 taps (Vincent, Gribonval, Fevotte 2006; Vincent et al. 2012) |

Signals are `(samples,)` or `(samples, channels)`, and sources `(sources, samples)` or `(sources, samples, channels)`, as float.
A silent reference has no score: its value is NaN and never an error. A silent estimate of a sounding reference scores 0 dB
in `sdr` and -inf in `si_sdr`, and a perfect one inf.
"""

from itertools import permutations, product
from typing import NamedTuple

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import toeplitz

TAPS = 512
"""Length of the allowed distortion filters."""


class BssEval(NamedTuple):
    """`(sources, frames)` in dB each: to distortion, image to spatial distortion, to interference, to artifacts. order:
    `(sources, frames)`, the estimate that is compared with each source."""

    sdr: np.ndarray
    isr: np.ndarray
    sir: np.ndarray
    sar: np.ndarray
    order: np.ndarray


def sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Signal to distortion ratio of a whole signal in dB, with no filter and no gain allowed; NaN for a silent reference."""
    reference, estimate = _pair(reference, estimate)
    return float(_db(np.sum(reference**2), np.sum((reference - estimate) ** 2))) if reference.any() else float("nan")


def si_sdr(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Scale-invariant SDR in dB (Le Roux et al. 2019, equation 5), without removing means; NaN for a silent reference."""
    reference, estimate = _pair(reference, estimate)
    if not reference.any():
        return float("nan")
    if not estimate.any():
        return -float("inf")
    target = np.sum(reference * estimate) / np.sum(reference**2) * reference
    return float(_db(np.sum(target**2), np.sum((target - estimate) ** 2)))


def museval_sdr(references: np.ndarray, estimates: np.ndarray, sample_rate: int) -> np.ndarray:
    """`(sources,)`: median over frames of 1 s of the SDR of BSS Eval v4, which museval reports for a track.

    A frame in which any reference or estimate is silent is left out for all sources, as museval does; NaN where no frame is left.
    Over tracks the median is taken of these medians.
    """
    references, estimates = _sources(references, estimates)
    values = []
    for frame in frames(references.shape[1], sample_rate, sample_rate):
        s, e = references[:, frame], estimates[:, frame]
        if not _any_silent(s) and not _any_silent(e):
            values.append(_db(np.sum(s**2, axis=(1, 2)), np.sum((s - e) ** 2, axis=(1, 2))))
    return np.median(values, axis=0) if values else np.full(len(references), np.nan)


def bss_eval(
    references: np.ndarray,
    estimates: np.ndarray,
    window: int | None = None,
    hop: int | None = None,
    images: bool = True,
    filters_by_frame: bool = True,
    permute: bool = True,
    taps: int = TAPS,
) -> BssEval:
    """BSS Eval of sources, each compared with the estimate that gives the best mean SIR, or with its own (`permute=False`).

    images: a source's filtered version counts as distortion (`bss_eval_images`); False: it does not (`bss_eval_sources`).
    window, hop: frames in samples; None is one frame. filters_by_frame: filters are fitted in each frame (v3) or once on the
    whole signal (v4: `images`, frames of 1 s, no permutation). Values are NaN in frames in which any source is silent.
    """
    references, estimates = _sources(references, estimates)
    n, n_samples, _ = references.shape
    parts = frames(n_samples, window or n_samples, hop or window or n_samples)
    orders = list(permutations(range(n))) if permute else [tuple(range(n))]
    pairs = sorted({(j, order[j]) for order in orders for j in range(n)})
    found = np.full((4, n, n, len(parts)), np.nan)
    whole = None if filters_by_frame or _any_silent(references) else _filters(references, estimates, pairs, taps)
    for t, part in enumerate(parts):
        s, e = references[:, part], estimates[:, part]
        if _any_silent(s) or _any_silent(e):
            continue
        fitted = _filters(s, e, pairs, taps) if filters_by_frame else whole
        for j, k in pairs:
            found[:, j, k, t] = _ratios(s, e[k], j, fitted[0][k], fitted[1][j, k], images)
    mean_sir = np.array([found[2, range(n), order].mean(axis=0) for order in orders])  # (orders, frames)
    if filters_by_frame:
        best = np.argmax(np.nan_to_num(mean_sir, nan=-np.inf), axis=0)
    else:
        counted = np.where(np.isnan(mean_sir), 0.0, mean_sir).sum(axis=1)
        best = np.full(len(parts), np.argmax(counted))
    order = np.array([orders[index] for index in best]).T
    chosen = found[:, np.arange(n)[:, None], order, np.arange(len(parts))]
    return BssEval(*chosen, order)


def frames(n_samples: int, window: int, hop: int) -> list[slice]:
    """The frames of a signal, without a last one that would be shorter; the whole signal where it is shorter than `window`."""
    if window >= n_samples:
        return [slice(0, n_samples)]
    return [slice(first, first + window) for first in range(0, n_samples - window + 1, hop)]


def _ratios(references, estimate, j, all_filters, own_filters, images) -> tuple[float, float, float, float]:
    """SDR, ISR, SIR and SAR of an estimate `(samples, channels)` compared with reference `j`."""
    n_samples, taps = len(estimate), all_filters.shape[1]
    true = np.pad(references[j], ((0, taps - 1), (0, 0)))
    projected = _project(references[j : j + 1], own_filters)
    spatial = projected - true
    interference = _project(references, all_filters) - projected
    artifacts = -projected - interference
    artifacts[:n_samples] += estimate
    target, distortion = (true, spatial + interference + artifacts) if images else (projected, interference + artifacts)
    return tuple(
        _db(np.sum(a**2), np.sum(b**2))
        for a, b in (
            (target, distortion),
            (true, spatial),
            (projected, interference),
            (projected + interference, artifacts),
        )
    )


def _filters(references, estimates, pairs, taps):
    """(estimate -> filters from all references, (source, estimate) -> filters from that source): least squares, of shape
    `(sources * channels, taps, channels)`."""
    n, n_samples, n_channels = references.shape
    size = next_fast_len(n_samples + taps - 1, real=True)
    spectra = rfft(np.moveaxis(references, 1, 2).reshape(n * n_channels, n_samples), size)
    of_estimates = rfft(np.moveaxis(estimates, 1, 2), size)  # (sources, channels, bins)
    rows = len(spectra)
    gram = np.empty((rows, taps, rows, taps))
    for a, b in product(range(rows), repeat=2):
        if a <= b:
            lags = irfft(spectra[a] * spectra[b].conj(), size)
            block = toeplitz(np.r_[lags[0], lags[-1:-taps:-1]], lags[:taps])
            gram[a, :, b, :], gram[b, :, a, :] = block, block.T
    cross = np.empty((rows, taps, len(estimates), n_channels))
    for a, k, c in product(range(rows), range(len(estimates)), range(n_channels)):
        lags = irfft(spectra[a].conj() * of_estimates[k, c], size)
        cross[a, :, k, c] = lags[:taps]
    fitted = _solve(gram.reshape(rows * taps, -1), cross.reshape(rows * taps, -1)).reshape(cross.shape)
    own = {}
    for j in range(n):
        mine = slice(j * n_channels, (j + 1) * n_channels)
        solved = _solve(gram[mine, :, mine].reshape(n_channels * taps, -1), cross[mine].reshape(n_channels * taps, -1))
        solved = solved.reshape(n_channels, taps, len(estimates), n_channels)
        own |= {(j, k): solved[:, :, k] for _, k in pairs}
    return [fitted[:, :, k] for k in range(len(estimates))], own


def _solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:  # sources that are filtered versions of each other
        return np.linalg.lstsq(matrix, right, rcond=None)[0]


def _project(references: np.ndarray, filters: np.ndarray) -> np.ndarray:
    """`(samples + taps - 1, channels)`: the references through `filters`, summed."""
    n, n_samples, n_channels = references.shape
    length = n_samples + filters.shape[1] - 1
    size = next_fast_len(length, real=True)
    spectra = rfft(np.moveaxis(references, 1, 2).reshape(n * n_channels, n_samples), size)
    return irfft(np.einsum("rf,rfc->fc", spectra, rfft(filters, size, axis=1)), size, axis=0)[:length]


def _pair(reference, estimate):
    reference, estimate = np.asarray(reference, np.float64), np.asarray(estimate, np.float64)
    if reference.shape != estimate.shape or not reference.size:
        raise ValueError(f"reference {reference.shape} and estimate {estimate.shape} must have one shape, not empty")
    return reference, estimate


def _sources(references, estimates):
    references, estimates = _pair(references, estimates)
    if references.ndim not in (2, 3):
        raise ValueError(f"sources {references.shape} must be (sources, samples) or (sources, samples, channels)")
    return tuple(each if each.ndim == 3 else each[..., None] for each in (references, estimates))


def _any_silent(sources: np.ndarray) -> bool:
    """Is the sum of the channels zero throughout in any source? So museval and mir_eval define it."""
    return bool((sources.sum(axis=2) == 0).all(axis=1).any())


def _db(signal, noise):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(noise == 0, np.inf, 10 * np.log10(signal / np.where(noise == 0, 1, noise)))
