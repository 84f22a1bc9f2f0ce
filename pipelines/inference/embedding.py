"""Tag scores and embeddings of clips by an exported tagger, on all cores."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime

from pipelines.core.chunks import Clips
from pipelines.inference import onnx


def embed(
    tagger: onnxruntime.InferenceSession, config: dict, clips: Clips, clip_ids: list[str], n_threads: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (probabilities `(tags,)`, embedding `(d,)`) float32 of each clip, in order: means over its non-overlapping chunks.

    A clip is one thread's, chunk after chunk, so that memory is that of a chunk a thread, and the numbers do not depend on
    `n_threads`.
    """

    def one(clip_id: str) -> tuple[np.ndarray, np.ndarray]:
        sums, starts = None, clips.starts(clip_id)
        for start in starts:
            outputs = onnx.hear(tagger, config, clips.crop(clip_id, int(start)))
            outputs = [values.astype(np.float64) for values in outputs]
            sums = [total + values for total, values in zip(sums, outputs, strict=True)] if sums else outputs
        return tuple((total / len(starts)).astype(np.float32) for total in sums)

    yield from in_threads(one, clip_ids, n_threads)


def modules(config: dict) -> set[str]:
    """The modules that make what a model reads: its representation, and the front end that the waveform goes through."""
    kinds = {config["reads"], config["front"]} if config["reads"] == "waveform" else {config["reads"]}
    return {f"pipelines.features.{'kernels.stft' if kind == 'power' else kind}" for kind in kinds}


def in_threads(function, items, n_threads: int) -> Iterator:
    """Yield `function(item)` in order; what has not begun is dropped when one fails or the caller stops."""
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)
