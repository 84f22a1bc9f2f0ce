"""The embedding of each clip by an encoder: the mean over the clip's chunks, at the encoder's own sampling rate."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from pipelines.core import chunks
from pipelines.core.pcm import to_float
from pipelines.inference.embedding import in_threads
from pipelines.models.encoders import Encoder


def encode(encoder: Encoder, source: Path, clip_ids: list[str], rate: int, n_threads: int) -> Iterator[np.ndarray]:
    """Yield the embedding `(d,)` float32 of each clip of the waveform shards in `source` (`rate` Hz), in order.

    A clip is one thread's, chunk after chunk, so that the numbers do not depend on `n_threads`. Chunks do not overlap, and what
    is left at the end of a longer clip is not heard. Raises `ValueError` that names the clip for NaN or infinite values.
    """
    clips = chunks.Clips(source, max(1, encoder.chunk * rate // encoder.sample_rate))

    def one(clip_id: str) -> np.ndarray:
        shard, offset, length = clips.places[clip_id]
        heard = []
        for start in clips.starts(clip_id):
            samples = to_float(clips.read(shard, offset + int(start), min(clips.length, length - int(start))))
            # soxr HQ, as the audio stage resamples; rounding may give a sample more than the encoder takes
            samples = (
                soxr.resample(samples, rate, encoder.sample_rate, quality="HQ")
                if rate != encoder.sample_rate
                else samples
            )
            heard.append(encoder.hear(np.ascontiguousarray(samples[: encoder.chunk], np.float32)).astype(np.float64))
        found = np.mean(heard, axis=0).astype(np.float32)
        if found.ndim != 1 or not np.isfinite(found).all():
            raise ValueError(
                f"the encoder gives values of shape {found.shape}, or NaN or infinite ones, for clip {clip_id}"
            )
        return found

    yield from in_threads(one, clip_ids, n_threads)
