"""How much faster than librosa is the front end? Ratios to the peer in the same run; medians over rounds taken in turn.

    python benchmarks/features.py [--json FILE] [--clips 24] [--rounds 5]

| entry | ours | the peer |
| --- | --- | --- |
| file_to_log_mel | compressed file to log-mel, two processes | librosa.load, melspectrogram, power_to_db, np.save, one |
| file_to_log_mel_serial | the same in one process | the same |
| cache_to_log_mel | int16 PCM shard to log-mel | the same |
| ten_features | `features.compute_all` of ten, n_fft 2048 | ten calls |
| pooled | the pooled features | the same ten calls |
| cqt | the feature | librosa.cqt |
| mfcc | 20 coefficients from the log-mel at hand | librosa.feature.mfcc(y) |
| crop | random crop from the shards | np.load of a file a clip |

One thread each; clips of 30 s at 44.1 kHz stereo, half MP3 and half FLAC, are made here. Absolute times are of one
machine and are not kept.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import librosa
import numpy as np
import pandas as pd
import soundfile

from pipelines import features
from pipelines.audio import decode, shards
from pipelines.audio.decode import to_float
from pipelines.features import cqt, log_mel, log_mel_slaney, pooled
from pipelines.features.kernels import cepstrum
from pipelines.store.tables import write_table
from pipelines.training.chunks import Clips

RATE, SECONDS, CHUNK = 16_000, 30, 48_000
TEN = (
    *("rms", "zero_crossing_rate", "log_mel_slaney", "mfcc", "chroma_stft", "spectral_centroid", "spectral_bandwidth"),
    *("spectral_rolloff", "spectral_flatness", "spectral_contrast"),
)


def make_clips(folder: Path, n_clips: int) -> list[Path]:
    """MP3 and FLAC files of seeded music-like sound: a few decaying partials over noise."""
    t = np.arange(SECONDS * 44_100) / 44_100
    paths = []
    for number in range(n_clips):
        rng = np.random.default_rng(number)
        y = sum(np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(80, 4000, 6)) / 12
        y = np.stack([y, y * 0.8], axis=1) + 0.01 * rng.standard_normal((len(t), 2))
        paths.append(folder / f"{number}.{('mp3', 'flac')[number % 2]}")
        soundfile.write(paths[-1], y, 44_100)
    return paths


def librosa_log_mel(path: Path) -> None:
    y, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=128, htk=True, norm=None)
    np.save(path.with_suffix(".mel.npy"), librosa.power_to_db(mel))


def file_log_mel(path: Path) -> None:
    log_mel.compute(np.concatenate(list(decode.blocks(path, RATE))), RATE)


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


def seconds(function, *arguments) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def compare(ours, theirs, items: list, rounds: int, whole: bool = False) -> float:
    """Their time over ours: the median over rounds, the two taking turns. whole: `ours` takes all items at once."""
    ours(items if whole else items[0]), theirs(items[0])  # first calls compile
    ratios = []
    for _ in range(rounds):
        mine = seconds(ours, items) if whole else sum(seconds(ours, item) for item in items)
        ratios.append(sum(seconds(theirs, item) for item in items) / mine)
    return median(ratios)


def main(n_clips: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make_clips(folder, n_clips)
        manifest = pd.DataFrame(
            {"clip_id": [p.stem for p in paths], "path": [str(p) for p in paths], "duration_s": SECONDS}
        )
        settings = {"sample_rate": RATE, "min_duration_s": 1.0, "silence_dbfs": -80.0, "shard_mb": 64}
        index, _ = shards.build(manifest, folder / "pcm", settings, workers=1)
        write_table(index, folder / "pcm" / "index.parquet", shards.INDEX)
        clips = Clips(folder / "pcm", CHUNK)
        whole = {row.clip_id: (clips.shards[row.shard], row.offset, row.length) for row in index.itertuples()}

        def clip(path: Path) -> np.ndarray:
            shard, offset, length = whole[path.stem]
            return to_float(shard[offset : offset + length])

        def samples(path: Path) -> np.ndarray:
            shard, offset, length = whole[path.stem]
            return shard[offset : offset + length]

        at_hand = {path: log_mel_slaney.compute(clip(path), RATE) for path in paths}
        for path in paths:
            np.save(folder / f"{path.stem}.npy", clip(path))
        rng = np.random.default_rng(0)
        entries = dict.fromkeys(TEN)
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(file_log_mel, paths, chunksize=1)  # workers start, and load what is compiled
            two = compare(lambda all_: pool.map(file_log_mel, all_, chunksize=2), librosa_log_mel, paths, rounds, True)
        one = {
            "file_to_log_mel_serial": (file_log_mel, librosa_log_mel),
            "cache_to_log_mel": (lambda p: log_mel.compute(samples(p), RATE), librosa_log_mel),
            "ten_features": (
                lambda p: features.compute_all(samples(p), RATE, entries),
                lambda p: librosa_ten(clip(p)),
            ),
            "pooled": (lambda p: pooled.compute(samples(p), RATE), lambda p: librosa_ten(clip(p))),
            "cqt": (lambda p: cqt.compute(samples(p), RATE), lambda p: np.abs(librosa.cqt(clip(p), sr=RATE))),
            "mfcc": (lambda p: cepstrum.mfcc(at_hand[p], 20), lambda p: librosa.feature.mfcc(y=clip(p), sr=RATE)),
            "crop": (
                lambda p: [clips.crop(p.stem, clips.random_start(p.stem, rng)) for _ in range(50)],
                lambda p: [np.load(folder / f"{p.stem}.npy")[1000 : 1000 + CHUNK] for _ in range(50)],
            ),
        }
        return {"file_to_log_mel": two} | {name: compare(*pair, paths, rounds) for name, pair in one.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ratios = main(arguments.clips, arguments.rounds)
    for key, ratio in ratios.items():
        print(f"{key:20s} {ratio:6.1f} x the peer's speed")
    if arguments.json:
        arguments.json.write_text(json.dumps(ratios, indent=2) + "\n")
