"""Two sides taking turns, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from engine.peers import RATE, SECONDS

from pipelines.core import shards
from pipelines.core.tables import write_table
from pipelines.features import log_mel

# what dvc.yaml sets before the training commands
KEPT_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


class Side:
    """`side.py` in a process; `seconds()` lets it work once."""

    def __init__(self, side: str, name: str, folder: Path, threads: int, batch: int):
        environment = {key: value for key, value in os.environ.items() if key not in KEPT_MEMORY}
        environment |= KEPT_MEMORY if side in ("train_float32", "train_bf16") else {}
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        command = [sys.executable, str(Path(__file__).with_name("side.py")), side, name, folder, threads, batch]
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self._answer()

    def seconds(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        if not (line := self.process.stdout.readline()):
            raise SystemExit(f"{' '.join(self.process.args[1:4])} ended with {self.process.wait()}")
        return line

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def compare(ours: list[str], plain: str, name: str, folder: Path, threads: int, batch: int, rounds: int) -> dict:
    """Side -> (the plain one's time over its: median over rounds, lowest, highest)."""
    sides = {}
    try:
        for side in [plain, *ours]:  # one after the other, so that none starts while another works
            sides[side] = Side(side, name, folder, threads, batch)
        times = [{side: process.seconds() for side, process in sides.items()} for _ in range(rounds)]
    finally:
        for process in sides.values():
            process.end()
    ratios = {side: [time[plain] / time[side] for time in times] for side in ours}
    return {side: (median(found), min(found), max(found)) for side, found in ratios.items()}


def lay_out(folder: Path, name: str, n_clips: int) -> None:
    """Shards of clips as the tagger reads them, its weights, and its exported model."""
    import torch

    from pipelines.core.files import write_json
    from pipelines.models import export, taggers

    torch.manual_seed(0)
    module, tagger = taggers.load_module(name), taggers.create(name)
    clips = [sound(number) for number in range(n_clips)]
    mel = (
        module.READS.get("log_mel", {}).get("n_mels") == 128
    )  # what the project's own features are; the others read sound
    index, row_shape = [], (module.N_MELS,) if mel else ()
    with shards.writer(shards.shard_path(folder / "shards", 0), "float16" if mel else "int16", row_shape) as write_clip:
        for number, y in enumerate(clips):
            offset, length = write_clip([log_mel.compute(y, RATE, n_mels=module.N_MELS) if mel else y])
            index.append({"clip_id": f"clip{number}", "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(index).astype({"shard": "int32"}), folder / "shards" / "index.parquet", shards.INDEX)
    # untrained, batch norm would not be what it is after training: its statistics are those of the sound
    for layer in tagger.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.momentum = 1.0
    with torch.no_grad():
        heard = [y[start : start + module.CHUNK] for y in clips for start in (0, RATE)]
        features = tagger.front(torch.from_numpy(np.stack(heard) / np.float32(32768)))
        tagger.train().classify(features)
    torch.save(tagger.state_dict(), folder / "weights.pt")
    export.export(tagger.eval(), features, folder / "model.onnx")
    parameters = module.READS.get(module.FRONT, {})
    facts = {"reads": "log_mel" if mel else "waveform", "front": module.FRONT, "front_parameters": parameters}
    write_json(folder / "config.json", facts | {"chunk": module.CHUNK, "hop": 256 if mel else 1})


def sound(number: int) -> np.ndarray:
    """A clip `(samples,)` int16: a few decaying partials over noise."""
    rng, t = np.random.default_rng(number), np.arange(SECONDS * RATE) / RATE
    y = sum(np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(80, 4000, 6)) / 12
    return (8000 * (y + 0.01 * rng.standard_normal(len(t)))).astype("int16")


def differences(folder: Path) -> tuple[float, float]:
    """(largest difference of a probability, and of an embedding over its largest value) of the two sides' outputs."""
    ours, plain = (np.load(folder / f"embed_{side}.npz") for side in ("ours", "plain"))
    apart = {key: float(np.abs(ours[key] - plain[key]).max()) for key in ours.files}
    return apart["probabilities"], apart["embedding"] / float(np.abs(plain["embedding"]).max())
