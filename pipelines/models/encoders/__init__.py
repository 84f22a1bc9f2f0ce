"""Encoders: embeddings by models from elsewhere, or made elsewhere, which stand beside the taggers' (params.yaml, `encoders`).

    encoders:
      mert: {kind: huggingface, path: /models/mert, fingerprint: "", layer: 6, pooling: mean}
      openl3: {kind: onnx, path: /models/openl3.onnx, fingerprint: "", sample_rate: 48000, chunk_s: 1.0}
      clap: {kind: vectors, files: {scores: {path: /vectors/clap.parquet, fingerprint: ""}}}

`vectors` are read from files, one for each dataset that has any (vectors.py). The other kinds hear the clips: `open_encoder` of
their file gives an `Encoder`. `fingerprint` names the bytes that are meant; `conservatory run` updates it.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

VECTORS = "vectors"
CHUNK_S = 10.0
"""Default length of the chunks that an encoder hears, in seconds."""


@dataclass(frozen=True)
class Encoder:
    """hear: samples `(n,)` float32 in [-1, 1] at `sample_rate` Hz -> embedding `(d,)` float32. chunk: the most samples it hears
    at once; a shorter clip is heard as it is. facts: what the record says of the model."""

    hear: Callable[[np.ndarray], np.ndarray]
    sample_rate: int
    chunk: int
    facts: dict


def open_encoder(entry: dict) -> Encoder:
    """The encoder of an entry that hears clips. Raises `ValueError` or `FileNotFoundError` that say what to do."""
    return importlib.import_module(f"pipelines.models.encoders.{entry['kind']}").open_encoder(entry)


def pool(frames: np.ndarray, how: str) -> np.ndarray:
    """`(frames, d)` to `(d,)`: `mean`, `max` or `first` over the frames."""
    return {"mean": lambda: frames.mean(axis=0), "max": lambda: frames.max(axis=0), "first": lambda: frames[0]}[how]()
