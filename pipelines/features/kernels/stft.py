"""The short-time Fourier transform of all spectral features, a block of frames at a time.

Centred frames, periodic Hann window. Blocks fit into a core's cache, which is faster than one large transform, and a
clip of any length needs the memory of one block. In one pass (`kernels.sharing`) the blocks of a clip are kept.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import numba
import numpy as np
import scipy.fft

from pipelines.features.kernels import sharing, signal

PENDING_BYTES = 16 << 20
BLOCK_BYTES = 1 << 20  # of windowed frames; with their spectra they fit into a core's cache


def power_blocks(y: np.ndarray, n_fft: int, hop_length: int, pad_mode: str = "reflect") -> Iterable[np.ndarray]:
    """|STFT|^2 of `y` `(samples,)` in blocks `(n, 1 + n_fft // 2)` float32, `1 + samples // hop_length` frames in all.

    Transformed in float32: the fastest, and what the published taggers are trained on. Bins 140 dB below a frame's
    loudest are rounding. pad_mode: "reflect" (torch's default) or "constant" (librosa's), for the half window at both
    ends.
    """

    def make():
        for spectrum in _spectra(y, n_fft, hop_length, n_fft // 2, pad_mode, "float32"):
            yield _squares(spectrum, np.empty(spectrum.shape, dtype=np.float32))

    return _kept("power", y, n_fft, hop_length, n_fft // 2, pad_mode, make)


def magnitude_blocks(
    y: np.ndarray, n_fft: int, hop_length: int, pad_mode: str = "constant", pad: int | None = None
) -> Iterable[np.ndarray]:
    """|STFT| of `y` `(samples,)` in blocks `(n, 1 + n_fft // 2)` float32.

    Transformed in float64 and rounded at the end, as librosa does: a feature that takes the logarithm of quiet bins
    (flatness, contrast) is then equal to librosa's beside loud tones too, for 1.6 times the time of a float32
    transform. `pad`: samples of padding at both ends, half a window if None.
    """
    pad = n_fft // 2 if pad is None else pad

    def make():
        for spectrum in _spectra(y, n_fft, hop_length, pad, pad_mode, "float64"):
            yield _magnitudes(spectrum, np.empty(spectrum.shape, dtype=np.float32))

    return _kept("magnitude", y, n_fft, hop_length, pad, pad_mode, make)


def each_block(function: Callable[[np.ndarray], np.ndarray], blocks: Iterable[np.ndarray]) -> np.ndarray:
    """`function` of every block, one after the other along time."""
    return joined(function(block) for block in blocks)


def joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    """The parts one after the other, as `np.concatenate`; of a long clip without holding all of them twice."""
    whole, pending, n_bytes = None, [], 0
    for part in parts:
        pending.append(part)
        n_bytes += part.nbytes
        if n_bytes > PENDING_BYTES + (0 if whole is None else whole.nbytes // 4):
            whole, pending, n_bytes = _appended(whole, pending), [], 0
    return np.concatenate(pending) if whole is None else _appended(whole, pending)


def _appended(whole: np.ndarray | None, parts: list[np.ndarray]) -> np.ndarray:
    if whole is None:
        return np.concatenate(parts)
    place = len(whole)
    # grown in place: the system moves pages, not bytes
    whole.resize((place + sum(map(len, parts)), *whole.shape[1:]), refcheck=False)
    for part in parts:
        whole[place : place + len(part)] = part
        place += len(part)
    return whole


@lru_cache
def frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """Hz of each bin, `(1 + n_fft // 2,)` float64."""
    return np.fft.rfftfreq(n_fft, 1 / sample_rate)


@lru_cache
def window(n_fft: int, dtype: str = "float32") -> np.ndarray:
    """The periodic Hann window."""
    return signal.hann(n_fft).astype(dtype)


def _kept(kind: str, y: np.ndarray, n_fft: int, hop_length: int, pad: int, pad_mode: str, make) -> Iterable[np.ndarray]:
    n_frames, n_bins = signal.count_frames(y, n_fft, hop_length, pad), 1 + n_fft // 2
    if not n_frames:
        return [np.zeros((0, n_bins), dtype=np.float32)]
    return sharing.blocks((kind, n_fft, hop_length, pad, pad_mode), y, n_frames * n_bins * 4, make)


def _spectra(
    y: np.ndarray, n_fft: int, hop_length: int, pad: int, pad_mode: str, precision: str
) -> Iterator[np.ndarray]:
    taper = window(n_fft, precision) * np.dtype(precision).type(signal.scale(y))
    block = max(8, BLOCK_BYTES // (n_fft * taper.itemsize))
    windowed = np.empty((block, n_fft), dtype=precision)
    for n, piece in signal.pieces(y, n_fft, hop_length, pad, pad_mode, block):
        yield scipy.fft.rfft(_windowed(piece, hop_length, taper, windowed[:n]), axis=1)


# All its types are named, so that every process compiles them in one order. Two that met different types first would
# both write theirs as the first into numba's cache, and every later process would fail on code for other types.
_TYPES = [
    (
        numba.types.Array(sample, 1, "C", readonly=True),
        numba.int64,
        numba.types.Array(precision, 1, "C"),
        numba.types.Array(precision, 2, "C"),
    )
    for sample in (numba.int16, numba.float32)
    for precision in (numba.float32, numba.float64)
]


@numba.njit(_TYPES, nogil=True, cache=True)
def _windowed(piece, hop_length, taper, out):
    """Frames times the window, read from int16 or float32 as they are."""
    for frame in range(out.shape[0]):
        row = piece[frame * hop_length : frame * hop_length + out.shape[1]]
        for place in range(out.shape[1]):
            out[frame, place] = row[place] * taper[place]
    return out


# numpy writes three arrays on the way; one loop takes a third of the time
@numba.njit(nogil=True, cache=True)
def _squares(spectrum, out):
    for frame in range(spectrum.shape[0]):
        for place in range(spectrum.shape[1]):
            value = spectrum[frame, place]
            out[frame, place] = value.real * value.real + value.imag * value.imag
    return out


@numba.njit(nogil=True, cache=True)
def _magnitudes(spectrum, out):
    for frame in range(spectrum.shape[0]):
        for place in range(spectrum.shape[1]):
            value = spectrum[frame, place]
            out[frame, place] = np.sqrt(value.real * value.real + value.imag * value.imag)
    return out
