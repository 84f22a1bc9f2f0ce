"""How much faster than librosa is the front end? Ratios to the peer in the same run; medians over rounds taken in turn.

    python benchmarks/features.py [--json FILE] [--clips 24] [--rounds 5]

One worker, one thread each; clips of 30 s at 44.1 kHz stereo are made here. Absolute times are of one machine and are not kept.
"""

import argparse
import json
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

from pipelines.audio import decode, shards
from pipelines.audio.pcm import to_float
from pipelines.features import log_mel, pooled
from pipelines.store.tables import write_table
from pipelines.training.chunks import Clips

RATE, SECONDS, CHUNK = 16_000, 30, 48_000


def make_clips(folder: Path, n_clips: int) -> list[Path]:
    """FLAC files of seeded music-like sound: a few decaying partials over noise."""
    t = np.arange(SECONDS * 44_100) / 44_100
    paths = []
    for number in range(n_clips):
        rng = np.random.default_rng(number)
        y = sum(np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(80, 4000, 6)) / 12
        y = np.stack([y, y * 0.8], axis=1) + 0.01 * rng.standard_normal((len(t), 2))
        paths.append(folder / f"{number}.flac")
        soundfile.write(paths[-1], y, 44_100)
    return paths


def librosa_log_mel(path: Path) -> np.ndarray:
    y, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=128, htk=True, norm=None)
    return librosa.power_to_db(mel)


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


def compare(ours, theirs, items: list, rounds: int) -> float:
    """Their time over ours: the median over rounds, the two taking turns."""
    ours(items[0]), theirs(items[0])  # first calls compile
    ratios = []
    for _ in range(rounds):
        mine = sum(seconds(ours, item) for item in items)
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
        index, _ = shards.build(manifest, folder / "pcm", settings, {"workers": 1})
        write_table(index, folder / "pcm" / "index.parquet", shards.INDEX)
        clips = Clips(folder / "pcm", CHUNK)
        whole = {row.clip_id: (clips.shards[row.shard], row.offset, row.length) for row in index.itertuples()}

        def clip(path: Path) -> np.ndarray:
            shard, offset, length = whole[path.stem]
            return to_float(shard[offset : offset + length])

        def decode_all(path: Path) -> np.ndarray:
            return to_float(np.concatenate(list(decode.blocks(path, RATE))))

        for path in paths:
            np.save(folder / f"{path.stem}.npy", clip(path))
        rng = np.random.default_rng(0)
        return {
            "file_to_log_mel": compare(lambda p: log_mel.compute(decode_all(p), RATE), librosa_log_mel, paths, rounds),
            "cache_to_log_mel": compare(lambda p: log_mel.compute(clip(p), RATE), librosa_log_mel, paths, rounds),
            "ten_features": compare(
                lambda p: pooled.compute(clip(p), RATE), lambda p: librosa_ten(clip(p)), paths, rounds
            ),
            "crop": compare(
                lambda p: [clips.crop(p.stem, clips.random_start(p.stem, rng)) for _ in range(50)],
                lambda p: [np.load(folder / f"{p.stem}.npy")[1000 : 1000 + CHUNK] for _ in range(50)],
                paths,
                rounds,
            ),
        }


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
