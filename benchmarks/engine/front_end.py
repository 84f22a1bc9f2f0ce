"""From files and from shards to features, beside librosa."""

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path

import librosa
import numpy as np

from engine.peers import RATE, compare, decoded, make_clips
from pipelines import features
from pipelines.core.pcm import to_float
from pipelines.features import cqt, log_mel, log_mel_slaney, pooled
from pipelines.features.kernels import cepstrum

TEN = (
    *("rms", "zero_crossing_rate", "log_mel_slaney", "mfcc", "chroma_stft", "spectral_centroid", "spectral_bandwidth"),
    *("spectral_rolloff", "spectral_flatness", "spectral_contrast"),
)


def librosa_log_mel(path: Path) -> None:
    y, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=128, htk=True, norm=None)
    np.save(path.with_suffix(".mel.npy"), librosa.power_to_db(mel))


def file_log_mel(path: Path) -> None:
    np.save(path.with_suffix(".our.npy"), log_mel.compute(decoded(path), RATE).astype(log_mel.DTYPE))


def librosa_ten(y: np.ndarray) -> None:
    options = {"y": y, "sr": RATE, "n_fft": 2048, "hop_length": 512}
    librosa.power_to_db(librosa.feature.melspectrogram(**options))
    librosa.feature.mfcc(**options)
    librosa.feature.chroma_stft(**options, tuning=0)
    librosa.feature.spectral_centroid(**options)
    librosa.feature.spectral_bandwidth(**options)
    librosa.feature.spectral_rolloff(**options)
    librosa.feature.spectral_contrast(**options)
    librosa.feature.spectral_flatness(y=y, n_fft=2048, hop_length=512)
    librosa.feature.zero_crossing_rate(y, frame_length=2048, hop_length=512)
    librosa.feature.rms(y=y, frame_length=2048, hop_length=512)


def front_end(folder: Path, n_clips: int, rounds: int, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    paths = make_clips(folder / "clips", n_clips)
    samples = {path: decoded(path) for path in paths}
    at_hand = {path: log_mel_slaney.compute(samples[path], RATE) for path in paths}
    floats, entries = {path: to_float(samples[path]) for path in paths}, dict.fromkeys(TEN)
    pairs = {
        "file_to_log_mel_serial": (file_log_mel, librosa_log_mel),
        "cache_to_log_mel": (lambda p: log_mel.compute(samples[p], RATE), librosa_log_mel),
        "ten_features": (lambda p: features.compute_all(samples[p], RATE, entries), lambda p: librosa_ten(floats[p])),
        "pooled": (lambda p: pooled.compute(samples[p], RATE), lambda p: librosa_ten(floats[p])),
        "cqt": (lambda p: cqt.compute(samples[p], RATE), lambda p: np.abs(librosa.cqt(floats[p], sr=RATE))),
        "mfcc": (lambda p: cepstrum.mfcc(at_hand[p], 20), lambda p: librosa.feature.mfcc(y=floats[p], sr=RATE)),
    }
    if wanted("file_to_log_mel"):
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(file_log_mel, paths, chunksize=1)  # workers start, and load what is compiled
            two = compare(lambda all_: pool.map(file_log_mel, all_, chunksize=2), librosa_log_mel, paths, rounds, True)
        yield "file_to_log_mel", two
    if wanted("file_over_decoding"):
        yield "file_over_decoding", 1 / compare(file_log_mel, decoded, paths, rounds)
    for name, pair in pairs.items():
        if wanted(name):
            yield name, compare(*pair, paths, rounds)
