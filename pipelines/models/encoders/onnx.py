"""An ONNX model as an encoder, by ONNX Runtime on the CPU, with a small card: what it is fed, and what its embedding is called.

    openl3: {kind: onnx, path: /models/openl3.onnx, fingerprint: "", sample_rate: 48000, chunk_s: 1.0, input: audio,
             output: embedding, pooling: mean}

The model takes samples in [-1, 1] as float32 `(batch, samples)`, or with axes of one beside. Where its number of samples is
fixed, chunks have that length, and `chunk_s` is not used; a shorter clip is repeated. `output` is `(batch, d)`, or
`(batch, frames, d)`, which is pooled. `input` and `output` may be left out where the model has one.
"""

import numpy as np
import onnxruntime

from pipelines.core.files import place
from pipelines.models.encoders import CHUNK_S, Encoder, pool


def open_encoder(entry: dict) -> Encoder:
    """Raises `ValueError` where the file is no such model, has no such input or output, or its weights lie in other files."""
    path, options = entry["path"], onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a clip is one thread's
    options.log_severity_level = 3  # errors
    if not place(path).is_file():
        raise ValueError(f"{path} is no file: name the .onnx file of the model")
    try:
        session = onnxruntime.InferenceSession(place(path).read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds of errors share no base but this
        raise ValueError(
            f"{path} is damaged, keeps its weights in other files, or is not a model ONNX Runtime {onnxruntime.__version__} "
            f"can run: {str(error).strip().splitlines()[0]}"
        ) from error
    source = _named(path, "input", entry.get("input"), session.get_inputs())
    if len(session.get_inputs()) > 1:
        names = ", ".join(value.name for value in session.get_inputs())
        raise ValueError(f"{path} has several inputs ({names}): an encoder is fed one, the samples")
    if source.type != "tensor(float)":
        raise ValueError(f"{path}: input {source.name} is {source.type}, and samples are float32")
    shape, axis = _shape(path, source)
    output = _named(path, "output", entry.get("output"), session.get_outputs()).name
    rate, fixed = entry["sample_rate"], shape[axis] or 0
    chunk = fixed or max(1, round(entry.get("chunk_s", CHUNK_S) * rate))
    how = entry.get("pooling", "mean")

    def hear(samples: np.ndarray) -> np.ndarray:
        if fixed and len(samples) < fixed:
            samples = np.resize(samples, fixed)
        fed = samples.reshape([len(samples) if place == axis else 1 for place in range(len(shape))])
        (found,) = session.run([output], {source.name: fed})
        found = np.asarray(found, np.float32)
        while found.ndim > 1 and len(found) == 1:
            found = found[0]
        if found.ndim == 2:
            return pool(found, how)
        if found.ndim != 1:
            raise ValueError(
                f"{path}: output {output} has shape {found.shape}; it must be (d,) or (frames, d) for one chunk"
            )
        return found

    return Encoder(hear, rate, chunk, {"model": source.name + " -> " + output, "sample rate": rate})


def _named(path: str, what: str, name: str | None, values: list) -> onnxruntime.NodeArg:
    """The input or output `name`; without a name the only one."""
    names = [value.name for value in values]
    if name is None and len(values) > 1:
        raise ValueError(
            f"{path} has several {what}s: write `{what}`, one of {', '.join(names)}, in the encoder's entry"
        )
    if name is not None and name not in names:
        raise ValueError(f"{path} has no {what} {name!r}; it has {', '.join(names)}")
    return values[0] if name is None else values[names.index(name)]


def _shape(path: str, source: onnxruntime.NodeArg) -> tuple[list[int | None], int]:
    """(length of each axis, None where it is free; the axis of samples): the last that need not be one."""
    shape = [size if isinstance(size, int) and size > 0 else None for size in source.shape]
    axes = [axis for axis, size in enumerate(shape) if size != 1]
    if not axes or any(shape[axis] is not None for axis in axes[:-1]):
        raise ValueError(
            f"{path}: input {source.name} has shape {source.shape}; an encoder is fed samples, as (batch, samples)"
        )
    return shape, axes[-1]
