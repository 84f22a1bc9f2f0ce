"""How fast is the feature engine? Ratios to the peer in the same run; medians over rounds taken in turn.

    python benchmarks/features.py [--json FILE] [--only KEY...] [--clips 24] [--rounds 5] [--collection 1000]

| key | ours | the peer |
| --- | --- | --- |
| file_to_log_mel | compressed file to log-mel on disk, two processes | librosa.load, melspectrogram, power_to_db, np.save, one |
| file_to_log_mel_serial | the same in one process | the same |
| file_over_decoding | the same in one process; time over that of decoding and resampling alone (less is better) | |
| cache_to_log_mel | int16 PCM shard to log-mel, one process | librosa.load, ... as above |
| ten_features | `features.compute_all` of ten, n_fft 2048 | ten calls of librosa |
| pooled | the pooled features | the same ten calls |
| cqt | the feature | librosa.cqt |
| mfcc | 20 coefficients from the log-mel at hand | librosa.feature.mfcc(y) |
| crop | 3 s of log-mel from shards of 2,000 clips | one .npy a clip, memory-mapped |
| crop_over_decoding | the same | 3 s decoded from the FLAC, and its log-mel |
| increment | time for 1% new clips in a computed collection, over the time for all of it (less is better) | |
| scaling | two workers | one |

One thread a process; clips of 30 s at 44.1 kHz stereo, half MP3 and half FLAC, are made here. Absolute times are of one machine
and are not kept.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path.insert(0, str(Path(__file__).parents[1]))

import librosa
import numpy as np
import pandas as pd
import soundfile

from pipelines import features
from pipelines.audio import decode
from pipelines.audio import shards as pcm_shards
from pipelines.audio.pcm import to_float
from pipelines.datasets import listing
from pipelines.features import cqt, log_mel, log_mel_slaney, pooled
from pipelines.features.kernels import cepstrum
from pipelines.stages import features as features_stage
from pipelines.stages import manifest as manifest_stage
from pipelines.store import shards

RATE, SECONDS = 16_000, 30
CROP, N_CROP_CLIPS = 188, 2000  # frames of 16 ms: 3 s
AUDIO = {
    "sample_rate": RATE,
    "channels": 1,
    "min_duration_s": 1.0,
    "silence_dbfs": -80.0,
    "shard_mb": 16,
    "cache": True,
}
TEN = (
    *("rms", "zero_crossing_rate", "log_mel_slaney", "mfcc", "chroma_stft", "spectral_centroid", "spectral_bandwidth"),
    *("spectral_rolloff", "spectral_flatness", "spectral_contrast"),
)


def make_clips(folder: Path, n_clips: int, formats: tuple[str, ...] = ("mp3", "flac")) -> list[Path]:
    """Files of seeded music-like sound: a few decaying partials over noise, each its own loudness."""
    folder.mkdir(exist_ok=True)
    t = np.arange(SECONDS * 44_100) / 44_100
    paths, sounds = [], {}
    for number in range(n_clips):
        if number % 24 not in sounds:
            rng = np.random.default_rng(number)
            y = sum(np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(80, 4000, 6)) / 12
            noise = 0.01 * rng.standard_normal((len(t), 2))
            sounds[number % 24] = (np.stack([y, y * 0.8], axis=1) + noise).astype("float32")
        paths.append(folder / f"{number}.{formats[number % len(formats)]}")
        # the quickest FLAC: encoding a thousand clips is what takes longest here
        quick = {"compression_level": 0.0} if paths[-1].suffix == ".flac" else {}
        soundfile.write(paths[-1], sounds[number % 24] * np.float32(1 - number / (2 * n_clips)), 44_100, **quick)
    return paths


def librosa_log_mel(path: Path) -> None:
    y, _ = librosa.load(path, sr=RATE)
    mel = librosa.feature.melspectrogram(y=y, sr=RATE, n_fft=512, hop_length=256, n_mels=128, htk=True, norm=None)
    np.save(path.with_suffix(".mel.npy"), librosa.power_to_db(mel))


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(decode.blocks(path, RATE)))


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


def seconds(function: Callable, *arguments) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def compare(ours: Callable, theirs: Callable, items: list, rounds: int, whole: bool = False) -> float:
    """Their time over ours: the median over rounds, the two taking turns. whole: `ours` takes all items at once."""
    ours(items if whole else items[0]), theirs(items[0])  # first calls compile
    ratios = []
    for _ in range(rounds):
        mine = seconds(ours, items) if whole else sum(seconds(ours, item) for item in items)
        ratios.append(sum(seconds(theirs, item) for item in items) / mine)
    return median(ratios)


def front_end(folder: Path, n_clips: int, rounds: int, wanted: Callable[[str], bool]) -> dict[str, float]:
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
    found = {}
    if wanted("file_to_log_mel"):
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            pool.map(file_log_mel, paths, chunksize=1)  # workers start, and load what is compiled
            two = compare(lambda all_: pool.map(file_log_mel, all_, chunksize=2), librosa_log_mel, paths, rounds, True)
        found["file_to_log_mel"] = two
    if wanted("file_over_decoding"):
        found["file_over_decoding"] = 1 / compare(file_log_mel, decoded, paths, rounds)
    return found | {name: compare(*pair, paths, rounds) for name, pair in pairs.items() if wanted(name)}


def crops(folder: Path, rounds: int) -> dict[str, float]:
    """Crops of 3 s at random places of 2,000 clips of log-mel, float16."""
    rng, n_frames = np.random.default_rng(0), 1 + SECONDS * RATE // 256
    clip = rng.integers(-80, 20, (n_frames, 128)).astype("float16")
    (folder / "npy").mkdir()
    per_shard = 250
    for first in range(0, N_CROP_CLIPS, per_shard):
        with shards.writer(shards.shard_path(folder / "shards", first // per_shard), "float16", (128,)) as write_clip:
            for number in range(first, first + per_shard):
                write_clip([clip])
                np.save(folder / "npy" / f"{number}.npy", clip)
    read = shards.Crops(folder / "shards")
    places = list(zip(rng.integers(0, N_CROP_CLIPS, 4000), rng.integers(0, n_frames - CROP, 4000), strict=True))

    def from_shards(_):
        for number, start in places:
            shard, place = divmod(int(number), per_shard)
            read(shard, place * n_frames + int(start), CROP)

    def from_files(_):
        for number, start in places:
            np.array(np.load(folder / "npy" / f"{number}.npy", mmap_mode="r")[start : start + CROP])

    (path,) = make_clips(folder / "one", 1, ("flac",))

    def from_sound(_):
        """The same number of crops would take minutes: 40 of them."""
        for _, start in places[:40]:
            with soundfile.SoundFile(path) as file:
                file.seek(int(start) * 256 * 44_100 // RATE)
                y = file.read(3 * 44_100, dtype="float32").mean(axis=1)
            log_mel.compute(librosa.resample(y, orig_sr=44_100, target_sr=RATE), RATE)

    return {
        "crop": compare(from_shards, from_files, [None], rounds),
        "crop_over_decoding": compare(from_shards, from_sound, [None], rounds) * len(places) / 40,
    }


def extract(source: Path, out: Path, workers: int, cached: bool) -> None:
    """A folder <label>/<file> to PCM shards and the two features of the demo, as the stages do it."""
    settings = {
        "audio": AUDIO | {"cache": cached},
        "features": {"log_mel": {"n_mels": 128}, "pooled": {}},
        "executor": {"kind": "processes", "workers": workers},
        "cache": {"limit_gb": 100 if cached else 0},
    }
    shutil.rmtree(out, ignore_errors=True)
    files = listing.scan(source)  # hashes new files; knows those it has seen
    clips = pd.DataFrame({"path": [str(source / path) for path in files["path"]], "sha256": files["sha256"]})
    manifest, _ = manifest_stage.build(clips, out, settings["executor"])
    index, _ = pcm_shards.build(manifest, out / "pcm", settings["audio"], settings["executor"])
    for name in settings["features"]:
        features_stage.build(index, out / "pcm", out / name, name, settings)


def collection(folder: Path, n_clips: int, wanted: Callable[[str], bool]) -> dict[str, float]:
    os.environ["CONSERVATORY_CACHE"] = str(folder / "cache")
    os.chdir(folder)  # where the hashes of files are remembered
    paths = make_clips(folder / "made", n_clips + n_clips // 100, ("flac",))
    source, few = folder / "source" / "label", folder / "few" / "label"
    for place, some in ((source, paths[:n_clips]), (few, paths[: max(100, n_clips // 4)])):
        place.mkdir(parents=True)
        for path in some:
            os.link(path, place / path.name)
    found = {}
    extract(few.parent, folder / "out", 2, False)  # what is compiled is compiled, and all files have been read once
    if wanted("scaling"):
        times = [[seconds(extract, few.parent, folder / "out", workers, False) for workers in (1, 2)] for _ in range(3)]
        found["scaling"] = median(one / two for one, two in times)
    if wanted("increment"):
        all_of_it = seconds(extract, source.parent, folder / "out", 2, True)
        for path in paths[n_clips:]:
            os.link(path, source / path.name)
        found["increment"] = seconds(extract, source.parent, folder / "out", 2, True) / all_of_it
    os.chdir("/")
    return found


def main(n_clips: int, rounds: int, n_collection: int, only: list[str]) -> dict[str, float]:
    def wanted(key: str) -> bool:
        return not only or key in only

    found = {}
    for part in (
        lambda folder: front_end(folder, n_clips, rounds, wanted),
        lambda folder: crops(folder, rounds) if wanted("crop") else {},
        lambda folder: collection(folder, n_collection, wanted) if wanted("scaling") or wanted("increment") else {},
    ):
        with tempfile.TemporaryDirectory() as name:
            found |= part(Path(name))
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--only", nargs="+", default=[], help="these keys alone")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collection", type=int, default=1000, help="clips for scaling and increment")
    arguments = parser.parse_args()
    ratios = main(arguments.clips, arguments.rounds, arguments.collection, arguments.only)
    for key, ratio in ratios.items():
        print(f"{key:24s} {ratio:8.3g}")
    if arguments.json:
        arguments.json.write_text(json.dumps(ratios, indent=2) + "\n")
