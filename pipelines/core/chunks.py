"""Chunks of clips, straight from shards: what a tagger reads, for training and for embedding."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from pipelines.core import shards
from pipelines.core.pcm import to_float
from pipelines.core.tables import read_table

SAMPLE_RATE = 16_000
HOP_LENGTH = 256  # of the log-mel the taggers read


def source(dataset: str, input_name: str) -> Path:
    """Where a tagger's input lies: PCM for "waveform", else the feature's shards."""
    return Path("data/audio") / dataset if input_name == "waveform" else Path("data/features") / dataset / input_name


def check_input(module: ModuleType, settings: dict) -> None:
    """Raise `SystemExit` where params.yaml gives a tagger another rate or another log-mel than it is made for."""
    check(module.__name__.split(".")[-1], module.INPUT, getattr(module, "N_MELS", None), settings)


def check(name: str, input_name: str, n_mels: int | None, settings: dict) -> None:
    """The same, of an exported tagger's config."""
    rate = settings["audio"]["sample_rate"]
    if rate != SAMPLE_RATE:
        raise SystemExit(f"taggers listen at {SAMPLE_RATE} Hz, and audio.sample_rate in params.yaml is {rate}")
    if input_name == "log_mel":
        wanted = {"n_fft": 512, "hop_length": HOP_LENGTH, "n_mels": n_mels}
        entry = settings["features"]["log_mel"]
        for key, value in wanted.items():
            if entry.get(key, value) != value:
                raise SystemExit(
                    f"{name} reads log-mel with {key} {value}, and features.log_mel.{key} in params.yaml is "
                    f"{entry[key]}: other features may have other parameters"
                )


class Clips:
    """The clips of one representation: `source` is data/audio/<dataset> (int16 PCM) or data/features/<dataset>/<frames>.

    `chunk` is a tagger's input length in samples; on frames it becomes `1 + chunk // 256` frames, which is what the tagger's
    own front end makes of it.
    """

    def __init__(self, source: str | os.PathLike, chunk: int):
        index = read_table(Path(source) / "index.parquet", shards.INDEX)
        places = zip(index["shard"].tolist(), index["offset"].tolist(), index["length"].tolist(), strict=True)
        self.places = dict(zip(index["clip_id"], places, strict=True))
        self.read = shards.Crops(source)
        self.waveform = np.issubdtype(self.read.arrays[0].dtype, np.integer)
        self.length = chunk if self.waveform else 1 + chunk // HOP_LENGTH
        self.step = chunk if self.waveform else chunk // HOP_LENGTH

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
