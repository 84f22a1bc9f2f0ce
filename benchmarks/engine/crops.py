"""Crops for training from shards, beside one file a clip and beside decoding on the fly."""

from collections.abc import Iterator
from pathlib import Path

import librosa
import numpy as np
import soundfile

from engine.peers import RATE, SECONDS, compare, make_clips
from pipelines.core import shards
from pipelines.features import log_mel

CROP, N_CROP_CLIPS = 188, 2000  # frames of 16 ms: 3 s


def crops(folder: Path, rounds: int) -> Iterator[tuple[str, float]]:
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

    yield "crop", compare(from_shards, from_files, [None], rounds)
    yield "crop_over_decoding", compare(from_shards, from_sound, [None], rounds) * len(places) / 40
