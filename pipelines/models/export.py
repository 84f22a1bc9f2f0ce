"""Export the trained part of a tagger (`classify`) to ONNX. The same weights give the same file.

PyTorch's exporter writes stack traces with paths of this machine into every node; they are removed.
"""

import logging
import os
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from pipelines.core.files import atomic
from pipelines.inference.onnx import INPUT, OUTPUTS

OPSET = 20  # the first with Gelu; ONNX Runtime 1.17 and later run it


class _Outputs(nn.Module):
    """`classify` with probabilities for logits: what users of a tagger want."""

    def __init__(self, tagger: nn.Module):
        super().__init__()
        self.tagger = tagger

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self.tagger.classify(features)
        return torch.sigmoid(logits), embedding


def export(tagger: nn.Module, features: Tensor, path: str | os.PathLike) -> None:
    """Write `tagger`, in eval mode, to `path`: "features" to "probabilities" `(batch, tags)` and "embedding" `(batch, d)`.

    features: an example `(batch, ...)` as `tagger.front` makes it; two or more rows, so that no size is taken for one. The batch
    may be of any size in the file, the rest is fixed. Raises `ValueError` where `classify` cannot be exported so, for
    instance because it turns the batch's size into a plain number (`len(x)` for `x.shape[0]`).
    """
    if tagger.training:
        raise ValueError("a tagger is exported in eval mode: in training mode dropout and batch norm would be exported")
    if len(features) < 2:
        raise ValueError("two rows of example features are required: with one, the batch would be exported as 1")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's own parts to each other
        for name in ("torch.onnx", "onnxscript", "onnx_ir"):
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            program = torch.export.export(
                _Outputs(tagger).eval(), (features,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
        except Exception as error:  # torch.export's errors share no base but this
            name = type(tagger).__name__
            raise ValueError(f"{name}.classify cannot be exported for any batch: {error}") from error
        written = torch.onnx.export(
            program,
            (features,),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    model = written.model_proto
    _scrub(model)
    onnx.checker.check_model(model, full_check=True)
    with atomic(path) as temporary:
        Path(temporary).write_bytes(model.SerializeToString(deterministic=True))


def _scrub(model: onnx.ModelProto) -> None:
    """Take out what is of the machine and of the moment: stack traces, and other notes."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    model.producer_version = model.producer_version.partition("+")[0]  # the same of a CPU and a CUDA build
    del model.metadata_props[:], graph.metadata_props[:]
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
        del part.metadata_props[:]
    # shapes of what lies between are found again when a session is made
    del graph.value_info[:]
