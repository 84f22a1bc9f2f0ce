"""How fast do the taggers embed and train on a CPU? Ratios to a plain PyTorch loop of the same network in the same run.

    python benchmarks/taggers.py [--json FILE] [--only KEY...] [--clips 4] [--rounds 3] [--batch 8] [--threads 0]

For each of the nine taggers, at the published width:

| key | ours | the peer |
| --- | --- | --- |
| <tagger>_embed | 30 s clips from shards to embeddings, the exported model | PyTorch without gradients, a clip's chunks a batch |
| <tagger>_train_float32 | a training step, as the train stage does it | PyTorch: forward, loss, backward, AdamW in float32 |
| <tagger>_train_bf16 | the same in bf16, where the CPU has it | the same |

The peer is the same network in a process with the system's allocator, images laid out as PyTorch does of itself; both sides read
the same shards, start from the same features (log-mel taggers) or the same sound, and have the same number of threads (0: one
a core). Medians over rounds taken in turn, and the lowest and the highest ratio. Outputs that differ by more than 1e-4 end it.
A clip costs what the one before it cost, so a few stand for 1,000; starting a process and loading a model are left out on both
sides.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figures import announce, show

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

NAMES = ("fcn", "musicnn", "crnn", "sample", "se", "attention", "hcnn", "short", "short_res")
TOLERANCE = 1e-4


def main(n_clips: int, rounds: int, batch: int, threads: int, only: list[str]) -> Iterator[tuple[str, tuple]]:
    """(key, (ratio, lowest, highest, remark))."""
    from networks import turns

    from pipelines.harness.executor import n_workers
    from pipelines.training.fit import precision

    parts = ["train_float32", "train_bf16"] if precision("auto") == "bf16-mixed" else ["train_float32"]
    threads = n_workers(threads)
    for name in NAMES:
        training = [part for part in parts if wanted(f"{name}_{part}", only)]
        embedding = wanted(f"{name}_embed", only)
        if not training and not embedding:
            continue
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            turns.lay_out(folder, name, max(2, n_clips))
            if embedding:
                ratios = turns.compare(["embed_ours"], "embed_plain", name, folder, threads, batch, rounds)
                if max(apart := turns.differences(folder)) > TOLERANCE:
                    raise SystemExit(f"{name}: outputs differ by {apart[0]:.2g} and {apart[1]:.2g}")
                yield f"{name}_embed", (*ratios["embed_ours"], f"differences {apart[0]:.1g}, {apart[1]:.1g}")
            if training:
                ratios = turns.compare(training, "train_plain", name, folder, threads, batch, rounds)
                for part, ratio in ratios.items():
                    yield f"{name}_{part}", (*ratio, "")


def wanted(key: str, only: list[str]) -> bool:
    return not only or key in only


def line(key: str, figure: tuple[float, float, float, str]) -> str:
    ratio, lowest, highest, remark = figure
    return f"{key:28s} {ratio:8.3g}  [{lowest:.3g}, {highest:.3g}]  {remark}".rstrip()


def as_json(found: dict[str, tuple]) -> dict[str, dict[str, float]]:
    return {key: dict(zip(("ratio", "lowest", "highest"), figure[:3], strict=True)) for key, figure in found.items()}


def positive(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--only", nargs="+", default=[], help="these keys alone")
    parser.add_argument("--clips", type=positive, default=4)
    parser.add_argument("--rounds", type=positive, default=3)
    parser.add_argument("--batch", type=positive, default=8, help="chunks a training step")
    parser.add_argument("--threads", type=int, default=0)
    arguments = parser.parse_args()
    keys = [f"{name}_{part}" for name in NAMES for part in ("embed", "train_float32", "train_bf16")]
    if unknown := sorted(set(arguments.only) - set(keys)):
        parser.error(f"no key {', '.join(unknown)}: there is {', '.join(keys)}")
    announce("taggers.py: speed of the nine taggers beside plain PyTorch", "25 minutes")
    figures = main(arguments.clips, arguments.rounds, arguments.batch, arguments.threads, arguments.only)
    show(figures, arguments.json, line, as_json)
