"""Every feature against librosa, on real and on awkward sound."""

import librosa
import numpy as np
import pytest

from pipelines import features, params
from pipelines.features import log_mel, pooled, stft

RATE = 16_000


def clips(chord):
    rng = np.random.default_rng(1)
    return {
        "chord": chord(seconds=3.0),
        "odd length": chord(seconds=1.0)[:15_331],
        "noise": 0.1 * rng.standard_normal(20_000).astype(np.float32),
        "full scale": np.sign(chord((110,), 1.0)).astype(np.float32),
        "shorter than a window": chord(seconds=0.1)[:700],
    }


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize(("n_fft", "hop_length"), [(512, 256), (2048, 512), (1024, 300)])
def test_power_equals_librosa(chord, n_fft, hop_length, pad_mode):
    for name, y in clips(chord).items():
        if pad_mode == "reflect" and len(y) <= n_fft // 2:
            continue
        expected = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode)).T ** 2
        got = stft.power(y, n_fft, hop_length, pad_mode)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * expected.max(), err_msg=name)


def test_log_mel_equals_librosa(chord):
    for name, y in clips(chord).items():
        mel = librosa.feature.melspectrogram(
            y=y,
            sr=RATE,
            n_fft=512,
            hop_length=256,
            n_mels=128,
            fmin=0,
            fmax=8000,
            htk=True,
            norm=None,
            pad_mode="reflect",
        )
        expected = 10 * np.log10(np.maximum(mel.T, 1e-10))
        got = log_mel.compute(y, RATE)
        assert got.shape == (1 + len(y) // 256, 128)
        loud = expected > expected.max() - 80  # below that both are rounding
        np.testing.assert_allclose(got[loud], expected[loud], atol=0.01, err_msg=name)


def reference_pooled(y):
    options = {"n_fft": 2048, "hop_length": 512}
    magnitude = np.abs(librosa.stft(y, **options))
    mel = librosa.feature.melspectrogram(S=magnitude**2, sr=RATE, n_mels=128, fmax=8000)
    db = librosa.power_to_db(mel)
    return {
        "log_mel": db,
        "mfcc": librosa.feature.mfcc(S=db, n_mfcc=20),
        "chroma": librosa.feature.chroma_stft(S=magnitude**2, sr=RATE, n_fft=2048, tuning=0),
        "centroid": librosa.feature.spectral_centroid(S=magnitude, sr=RATE),
        "bandwidth": librosa.feature.spectral_bandwidth(S=magnitude, sr=RATE),
        "rolloff": librosa.feature.spectral_rolloff(S=magnitude, sr=RATE),
        "flatness": librosa.feature.spectral_flatness(S=magnitude),
        "contrast": librosa.feature.spectral_contrast(S=magnitude, sr=RATE),
        "rms": librosa.feature.rms(y=y, frame_length=2048, hop_length=512),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y, frame_length=2048, hop_length=512),
    }


@pytest.mark.parametrize("name", ["chord", "odd length", "noise", "full scale", "shorter than a window"])
def test_pooled_equals_librosa(chord, name):
    y = clips(chord)[name]
    got = pooled.compute(y, RATE)
    expected = reference_pooled(y)
    for descriptor, frames in expected.items():
        for statistic, values in (("mean", frames.mean(axis=1)), ("std", frames.std(axis=1))):
            names = [f"{descriptor}_{n:03d}_{statistic}" for n in range(len(frames))]
            names = names if names[0] in got else [f"{descriptor}_{statistic}"]
            scale = np.abs(frames).max() + 1e-6
            np.testing.assert_allclose(
                [got[n] for n in names], values, rtol=1e-3, atol=1e-3 * scale, err_msg=f"{descriptor} {statistic}"
            )
    assert len(got) == 2 * sum(len(frames) for frames in expected.values())


@pytest.mark.parametrize("name", sorted(params.load()["features"]))
def test_contract(name, chord):
    """Every feature of the recipe: shapes, finite values, also for silence, and the same twice."""
    module, parameters = features.load(name), params.load()["features"][name]
    assert module.__doc__ and module.KIND in ("frames", "pooled")
    for y in [*clips(chord).values(), np.zeros(RATE, np.float32)]:
        found = module.compute(y, RATE, **parameters)
        again = module.compute(y, RATE, **parameters)
        if module.KIND == "frames":
            assert found.ndim == 2 and len(found) == 1 + len(y) // parameters["hop_length"]
            values, repeated = found.astype(module.DTYPE), again.astype(module.DTYPE)
        else:
            values, repeated = np.array(list(found.values())), np.array(list(again.values()))
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, repeated)


def test_a_missing_feature_names_the_file_to_write():
    with pytest.raises(ValueError, match=r"write pipelines/features/wavelet\.py"):
        features.load("wavelet")
