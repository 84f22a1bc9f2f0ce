"""One pass computes once, blocks equal the whole, and long clips need little memory."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import some

from pipelines import features
from pipelines.features.kernels import cqt, sharing, signal, stft

TEN = {
    **dict.fromkeys(("rms", "zero_crossing_rate", "log_mel_slaney", "mfcc", "chroma_stft", "spectral_centroid")),
    **dict.fromkeys(("spectral_bandwidth", "spectral_rolloff", "spectral_flatness", "spectral_contrast")),
}
MORE = dict.fromkeys(("onset_strength", "tempogram", "tempo", "cqt", "chroma_cqt", "chroma_cens", "tonnetz", "pooled"))


@pytest.fixture
def transforms(monkeypatch):
    """What was transformed: a list of (samples, n_fft, precision), a call each."""
    calls, real = [], stft._spectra

    def counting(y, n_fft, hop_length, pad, pad_mode, precision):
        calls.append((len(y), n_fft, precision))
        return real(y, n_fft, hop_length, pad, pad_mode, precision)

    monkeypatch.setattr(stft, "_spectra", counting)
    return calls


def test_features_that_share_a_spectrum_compute_it_once(clips, transforms):
    y, rate = clips["music"]
    together = features.compute_all(y, rate, TEN | MORE)
    assert len(transforms) == 1
    for name, found in together.items():
        np.testing.assert_equal(found, features.load(name).compute(y, rate))


def test_a_constant_q_transform_is_shared(clips, monkeypatch):
    calls, real = [], cqt._segment
    monkeypatch.setattr(cqt, "_segment", lambda *arguments: calls.append(1) or real(*arguments))
    features.compute_all(*clips["music"], dict.fromkeys(("chroma_cqt", "chroma_cens", "tonnetz")))
    assert len(calls) == 1


def test_nothing_is_remembered_outside_of_a_pass(clips, transforms):
    y, rate = clips["chord"]
    first = features.compute_all(y, rate, TEN)
    assert len(transforms) == 1
    y *= 0.5  # the same array, other sound
    second = features.compute_all(y, rate, TEN)
    assert len(transforms) == 2
    np.testing.assert_allclose(second["rms"], 0.5 * first["rms"], rtol=1e-6)
    features.load("spectral_rolloff").compute(y, rate)
    features.load("spectral_rolloff").compute(y, rate)
    assert len(transforms) == 4
    y *= 2


def test_results_are_the_callers_own(clips):
    for found in features.compute_all(*clips["chord"], TEN | MORE).values():
        assert isinstance(found, dict) or found.flags.writeable


def test_what_does_not_fit_is_computed_again(clips, transforms, monkeypatch):
    y, rate = clips["music"]
    expected = features.compute_all(y, rate, TEN)
    monkeypatch.setattr(sharing, "LIMIT", 1000)
    transforms.clear()
    again = features.compute_all(y, rate, TEN)
    assert len(transforms) > 2
    for name, found in again.items():
        np.testing.assert_array_equal(found, expected[name])


def test_threads_do_not_see_each_other(clips):
    from concurrent.futures import ThreadPoolExecutor

    signals = [clips[name] for name in ("music", "chord", "noise", "clicks")] * 3
    expected = [features.compute_all(y, rate, TEN) for y, rate in signals]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda clip: features.compute_all(*clip, TEN), signals))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_equal(ours, theirs)


@pytest.mark.parametrize("pad_mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("length", [5, 17, 64, 301])
def test_samples_pad_as_numpy_does(length, pad_mode):
    y = np.random.default_rng(0).standard_normal(length).astype(np.float32)
    for pad in (0, 3, 40):
        mode = signal.pad_mode_for(y, pad, pad_mode)
        whole = np.pad(y, pad, mode=mode)
        for start, stop in ((0, length), (-pad, length + pad), (-pad, 2), (length - 2, length + pad), (-pad, 1 - pad)):
            np.testing.assert_array_equal(signal.samples(y, start, stop, mode), whole[start + pad : stop + pad])


@pytest.mark.parametrize("name", ["cqt", "chroma_cqt", "hpss", "log_mel", "spectral_contrast", "tempogram", "rms"])
@pytest.mark.parametrize("hop_length", [512, 300])
def test_segments_and_blocks_equal_the_whole(name, hop_length, clips, monkeypatch):
    """Cut much finer than usual: context at the seams is what makes them equal."""
    from pipelines.features import hpss
    from pipelines.features.kernels import energy, rhythm

    y, rate = clips["music"]
    y = np.concatenate([y, y[::-1], y])
    compute = features.load(name).compute
    whole = compute(y, rate, hop_length=hop_length)
    for module, constant, value in (
        *((stft, "BLOCK_BYTES", 1 << 16), (cqt, "SEGMENT", 40_000), (cqt, "BLOCK", 50), (hpss, "SEGMENT", 64)),
        *((energy, "BLOCK", 10), (rhythm, "BLOCK", 20)),
    ):
        monkeypatch.setattr(module, constant, value)
    np.testing.assert_allclose(compute(y, rate, hop_length=hop_length), whole, rtol=0, atol=2e-6 * np.abs(whole).max())


MEASURE = """
import resource, sys
import numpy as np
from pipelines import features

y = np.load(sys.argv[1], mmap_mode="r")
names = sys.argv[2:]
warm = y[:16_000 * 5]
features.compute_all(warm, 16_000, dict.fromkeys(names))  # imports, filters, compiled code
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = features.compute_all(y, 16_000, dict.fromkeys(names))
kept = sum(v.nbytes for v in found.values() if not isinstance(v, dict))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, kept / 2**20)
"""


@pytest.mark.parametrize(
    "names",
    some([["log_mel"], ["cqt"], [*TEN, "onset_strength", "tempo", "beats"]], ["log_mel"]),
    ids=["log_mel", "cqt", "ten and rhythm"],
)
def test_twenty_minutes_of_int16_in_bounded_memory(names, tmp_path):
    """The whole spectrum is 154 MB (each time it is needed), the signal in float32 77 MB. What may be held: the results,
    64 MB that features share, the mapped file's 38 MB, and a few blocks."""
    rng = np.random.default_rng(0)
    minute = (3000 * rng.standard_normal(960_000)).astype(np.int16)
    np.save(tmp_path / "long.npy", np.tile(minute, 20))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "long.npy"), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, kept = map(float, done.stdout.split())
    shared = 64 if len(names) > 1 else 0
    assert grown < 1.25 * kept + shared + 38 + 40, f"{grown:.0f} MB for results of {kept:.0f} MB"
