"""Exported taggers (ONNX), run by ONNX Runtime on the CPU: what embeds and tags. No torch, no pickle.

Only what is trained is exported (`classify`); the front end stays outside, because an STFT in ONNX Runtime is slow (`fronts` has
quick ones). A session runs one thread, a chunk at a time: larger batches are no faster on a CPU, and a chunk's outputs are then
the same to the bit whatever is heard beside it and on however many cores. For several cores, call one session from several
threads.
"""

import os
from pathlib import Path

import numpy as np
import onnxruntime

from pipelines.core.files import read_json
from pipelines.inference import fronts

INPUT, OUTPUTS = "features", ("probabilities", "embedding")


def session(path: str | os.PathLike) -> onnxruntime.InferenceSession:
    """A model ready to run: one thread, all graph optimisations. Raises `ValueError` where the file is no such model."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: `conservatory run` exports what is trained")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3  # errors
    try:
        found = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds of errors share no base but this
        raise ValueError(
            f"{path} is damaged, or not a model ONNX Runtime {onnxruntime.__version__} can run; export it again "
            f"(conservatory run --force, with its export stage): {str(error).strip().splitlines()[0]}"
        ) from error
    names = [value.name for value in found.get_inputs()], tuple(value.name for value in found.get_outputs())
    if names != ([INPUT], OUTPUTS):
        raise ValueError(f"{path} is no exported tagger: it has inputs {names[0]} and outputs {list(names[1])}")
    return found


def load(folder: str | os.PathLike) -> tuple[onnxruntime.InferenceSession, dict]:
    """(session, config) from a folder of models/onnx. Raises `FileNotFoundError` or `ValueError` that say what to do."""
    folder = Path(folder)
    if not (folder / "config.json").exists():
        raise FileNotFoundError(f"{folder} holds no exported tagger: `conservatory run` exports what is trained")
    found, config = session(folder / "model.onnx"), read_json(folder / "config.json")
    if "front_parameters" not in config:
        raise ValueError(f"{folder} was exported by an earlier version: `conservatory run` exports it again")
    return found, config


def hear(tagger: onnxruntime.InferenceSession, config: dict, chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(probabilities `(tags,)`, embedding `(d,)`), float32, of one chunk.

    chunk: sound `(samples,)`, int16 or float32, `config["chunk"]` long, which goes through the front end; or its features
    `(frames, bands)` as shards hold them.
    """
    features = chunk if chunk.ndim == 2 else fronts.compute(config["front"], chunk, config["front_parameters"])
    probabilities, embedding = tagger.run(None, {INPUT: features[np.newaxis].astype(np.float32, copy=False)})
    return probabilities[0], embedding[0]
