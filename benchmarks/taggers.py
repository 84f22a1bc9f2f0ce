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
import json
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

NAMES = ("fcn", "musicnn", "crnn", "sample", "se", "attention", "hcnn", "short", "short_res")
TOLERANCE = 1e-4


def main(n_clips: int, rounds: int, batch: int, threads: int, only: list[str]) -> dict[str, tuple]:
    from networks import turns

    from pipelines.executor import n_workers
    from pipelines.training.fit import precision

    parts = ["train_float32", "train_bf16"] if precision("auto") == "bf16-mixed" else ["train_float32"]
    found, threads = {}, n_workers(threads)
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
                found[f"{name}_embed"] = ratios["embed_ours"]
                if max(apart := turns.differences(folder)) > TOLERANCE:
                    raise SystemExit(f"{name}: outputs differ by {apart[0]:.2g} and {apart[1]:.2g}")
                show(f"{name}_embed", found[f"{name}_embed"], f"differences {apart[0]:.1g}, {apart[1]:.1g}")
            if training:
                ratios = turns.compare(training, "train_plain", name, folder, threads, batch, rounds)
                for part, ratio in ratios.items():
                    found[f"{name}_{part}"] = ratio
                    show(f"{name}_{part}", ratio)
    return found


def wanted(key: str, only: list[str]) -> bool:
    return not only or key in only


def show(key: str, ratio: tuple[float, float, float], remark: str = "") -> None:
    print(f"{key:24s} {ratio[0]:8.3g}  [{ratio[1]:.3g}, {ratio[2]:.3g}]  {remark}", flush=True)


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
    ratios = main(arguments.clips, arguments.rounds, arguments.batch, arguments.threads, arguments.only)
    if arguments.json:
        values = {key: dict(zip(("ratio", "lowest", "highest"), ratio, strict=True)) for key, ratio in ratios.items()}
        arguments.json.write_text(json.dumps(values, indent=2) + "\n")
