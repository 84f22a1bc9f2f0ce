"""Chunks of clips, straight from shards: what a tagger reads, for training and for embedding."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import paths, shards
from pipelines.core.pcm import to_float
from pipelines.core.tables import read_table

SAMPLE_RATE = 16_000


def source(dataset: str, representation: str) -> Path:
    """The folder of shards in which `representation` of `dataset` is read, "waveform" like any other.

    Raises `SystemExit` where it has not been made, or has no shards.
    """
    folder = paths.features(dataset, representation)
    if not (folder / "index.parquet").exists():
        raise SystemExit(f"{folder} has no shards of frames or samples: run features@{dataset}-{representation} first")
    return folder


def check_input(tagger: str, network: str, reads: str, can_read: dict[str, dict], settings: dict) -> None:
    """Raise `SystemExit` where a tagger cannot read what its entry of params.yaml says, or at another sample rate.

    can_read: representation -> the parameters it must have (`READS` of the network's file).
    """
    rate = settings["audio"]["sample_rate"]
    if rate != SAMPLE_RATE:
        raise SystemExit(f"taggers listen at {SAMPLE_RATE} Hz, and audio.sample_rate in params.yaml is {rate}")
    if reads not in can_read:
        raise SystemExit(
            f"taggers.{tagger}.reads in params.yaml is {reads!r}, and the network {network} reads {' or '.join(can_read)}"
        )
    entry = settings["features"].get(reads) or {}
    for key, value in can_read[reads].items():
        if entry.get(key) != value:
            raise SystemExit(
                f"{network} reads {reads} with {key} {value}, and features.{reads}.{key} in params.yaml is "
                f"{entry.get(key, 'not there')}: other features may have other parameters"
            )


class Clips:
    """The clips of one representation: `source` is a folder of int16 samples or of frames.

    chunk: a tagger's input length in samples. hop: samples from frame to frame; of frames a chunk has `1 + chunk // hop`,
    which is what a front end with centred frames makes of it.
    """

    def __init__(self, source: str | os.PathLike, chunk: int, hop: int = 1):
        index = read_table(Path(source) / "index.parquet", shards.INDEX)
        places = zip(index["shard"].tolist(), index["offset"].tolist(), index["length"].tolist(), strict=True)
        self.places = dict(zip(index["clip_id"], places, strict=True))
        self.read = shards.Crops(source)
        self.waveform = np.issubdtype(self.read.arrays[0].dtype, np.integer)
        self.length = chunk if self.waveform else 1 + chunk // hop
        self.step = chunk if self.waveform else chunk // hop

    def crop(self, clip_id: str, start: int) -> np.ndarray:
        """`(samples,)` or `(frames, bands)` float32 from row `start`; a clip that ends sooner is played again."""
        shard, offset, length = self.places[clip_id]
        part = self.read(shard, offset + start, min(self.length, length - start))
        if len(part) < self.length:
            rows = self.read(shard, offset, length)
            part = np.take(rows, np.arange(start, start + self.length), axis=0, mode="wrap")
        return to_float(part) if self.waveform else part.astype(np.float32)

    def starts(self, clip_id: str, at_most: int = 0) -> np.ndarray:
        """First rows of the non-overlapping whole chunks of a clip (one at least); evenly spread if `at_most` is less."""
        length = self.places[clip_id][2]
        n_chunks = max(1, (length - self.length) // self.step + 1)
        if at_most and n_chunks > at_most:
            return np.linspace(0, max(0, length - self.length), at_most).astype(int)
        return np.arange(n_chunks) * self.step

    def random_start(self, clip_id: str, generator: np.random.Generator) -> int:
        return int(generator.integers(0, max(1, self.places[clip_id][2] - self.length + 1)))


def batches(
    clips: Clips, clip_ids: list[str], batch_size: int, at_most: int = 0
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield (number of the clip of each chunk, chunks `(batch, ...)`) over the clips' evenly spaced chunks."""
    owners: list[int] = []
    parts: list[np.ndarray] = []
    for number, clip_id in enumerate(clip_ids):
        for start in clips.starts(clip_id, at_most):
            owners.append(number)
            parts.append(clips.crop(clip_id, int(start)))
            if len(parts) == batch_size:
                yield owners, np.stack(parts)
                owners, parts = [], []
    if parts:
        yield owners, np.stack(parts)


def tag_matrix(manifest: pd.DataFrame, tags: list[str]) -> np.ndarray:
    """`(clips, tags)` float32 of 0 and 1."""
    column = {tag: number for number, tag in enumerate(tags)}
    matrix = np.zeros((len(manifest), len(tags)), np.float32)
    for row, present in enumerate(manifest["tags"]):
        for tag in present:
            if tag in column:
                matrix[row, column[tag]] = 1
    return matrix
