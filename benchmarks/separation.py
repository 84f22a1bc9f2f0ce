"""How fast is separation with the network in ONNX Runtime? Ratios to PyTorch in the same run.

    python benchmarks/separation.py [--json FILE] [--rounds 5]

| key | what is compared |
| --- | --- |
| onnx_mask_lstm, onnx_conv_masks | a minute separated with the network as an ONNX model; the same in PyTorch |
| real_time_mask_lstm, real_time_conv_masks | seconds of sound in a second of processor time, in PyTorch (no ratio) |

Fresh weights of the default sizes, four stems at 16 kHz, one thread, processor time, medians over the rounds. The STFT and its
inverse are PyTorch's in both, outside the model. Estimates must be the same to 1e-4, or the benchmark stops.
"""

import argparse
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from figures import announce, show  # noqa: E402

RATE, SECONDS, STEMS = 16_000, 60, 4
MODELS = ("mask_lstm", "conv_masks")


def main(rounds: int) -> Iterator[tuple[str, float]]:
    import numpy as np
    import torch

    from pipelines import tasks
    from pipelines.tasks.separation.fit import masks, network

    torch.set_num_threads(1)
    options = {key: default for key, (default, _) in tasks.family("separation").OPTIONS.items()}
    n_fft, hop, segment = options["n_fft"], options["hop"], round(options["segment_s"] * RATE)
    signal = np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * RATE)).astype(np.float32)
    for model in MODELS:
        torch.manual_seed(0)
        module = network.create("separation", model, options, STEMS, RATE).eval()
        example = torch.rand(1, masks.spectrogram(torch.zeros(1, segment), n_fft, hop).shape[1], n_fft // 2 + 1)
        session = exported(module, example)
        maskers = {
            "torch": lambda magnitude, first, module=module: module(magnitude),
            "onnx": lambda magnitude, first, session=session: torch.from_numpy(
                session.run(None, {"magnitude": magnitude.numpy()})[0]
            ),
        }
        seconds, found = {name: [] for name in maskers}, {}
        for _ in range(rounds):
            for name, masker in maskers.items():
                began = time.process_time()
                found[name] = np.concatenate(list(masks.stream([signal], masker, n_fft, hop, segment)), axis=2)
                seconds[name].append(time.process_time() - began)
        if (difference := np.abs(found["onnx"] - found["torch"]).max()) > 1e-4:
            raise SystemExit(f"{model}: the ONNX model's estimates differ by {difference:.1e}")
        yield f"onnx_{model}", median(a / b for a, b in zip(seconds["torch"], seconds["onnx"], strict=True))
        yield f"real_time_{model}", SECONDS / median(seconds["torch"])


def exported(module, example):
    """A session of the network as an ONNX model of one segment's length."""
    import onnxruntime
    import torch

    for name in ("torch.onnx", "onnxscript", "onnx_ir"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(
            module, (example,), input_names=["magnitude"], output_names=["masks"], dynamo=True, verbose=False
        )
        program.save(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    announce("separation.py: speed of separation in ONNX Runtime and PyTorch", "2 minutes")
    show(main(arguments.rounds), arguments.json)
