"""What a collection will take: processor time and bytes for a minute of sound on this machine, step by step, and their sum.

    python benchmarks/cost.py [--hours 3777] [--cores 2 64 160] [--json FILE]

Measured with one thread on 30 s clips at 44.1 kHz stereo (MP3 and FLAC); the sum is for the features of params.yaml. Absolute
times are of this machine: run it where the work will be done.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from pipelines.ops.settings import load_params

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from engine.peers import RATE, SECONDS, decoded, make_clips
from figures import announce, show

from pipelines import features
from pipelines.core.files import sha256


def milliseconds(function, items: list, rounds: int = 5) -> float:
    """Processor time of `function(item)` a minute of sound, the median over rounds."""
    function(items[0])  # the first call compiles
    times = []
    for _ in range(rounds):
        began = time.process_time()
        for item in items:
            function(item)
        times.append(time.process_time() - began)
    return median(times) / len(items) * 1000 * 60 / SECONDS


def stored(value, name: str) -> int:
    """Bytes of a feature of one clip."""
    if isinstance(value, dict):
        return 4 * len(value)
    return value.size * np.dtype(features.load(name).DTYPE).itemsize


def main() -> Iterator[tuple[tuple[str, str], float]]:
    """((unit, step), a minute of sound), the unit being `ms` or `bytes`."""
    entries = load_params()["features"]
    with tempfile.TemporaryDirectory() as name:
        paths = make_clips(Path(name), 8)
        for kind in ("mp3", "flac"):
            some = [path for path in paths if path.suffix == f".{kind}"]
            yield ("ms", f"decode {kind}"), milliseconds(decoded, some)
        yield ("ms", "hash the file"), milliseconds(sha256, paths)
        sounds = [decoded(path) for path in paths]
    yield ("bytes", "PCM shards"), RATE * 2 * 60
    for name, entry in entries.items():
        alone = {name: entry}
        yield ("ms", name), milliseconds(lambda y, alone=alone: features.compute_all(y, RATE, alone), sounds)
        value = features.compute_all(sounds[0], RATE, alone)[name]
        yield ("bytes", name), stored(value, name) * 60 / SECONDS
    yield ("ms", "all features, one pass"), milliseconds(lambda y: features.compute_all(y, RATE, entries), sounds)


def line(key: tuple[str, str], value: float) -> str:
    unit, step = key
    shown = f"{value:8.2f} ms" if unit == "ms" else f"{value / 1e6:8.3f} MB"
    return f"{step:28s} {shown} a minute of sound"


def by_unit(found: dict) -> dict[str, dict[str, float]]:
    """`{"ms": {step: a minute of sound}, "bytes": {step: a minute of sound}}`."""
    return {unit: {step: value for (one, step), value in found.items() if one == unit} for unit in ("ms", "bytes")}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=3777, help="of the collection (MTG-Jamendo has 3,777)")
    parser.add_argument("--cores", type=int, nargs="+", default=[2, 64, 160])
    parser.add_argument("--json", type=Path, help="also write the cost to this file")
    arguments = parser.parse_args()
    announce("cost.py: processor time and bytes of decoding and each feature", "a minute")
    found = by_unit(show(main(), arguments.json, line, by_unit))
    minutes = arguments.hours * 60
    total = (
        sum(found["ms"][step] for step in ("decode mp3", "hash the file", "all features, one pass")) / 1000 * minutes
    )
    written = sum(found["bytes"].values()) * minutes / 1e9
    print(f"{arguments.hours:g} h of MP3: {total / 3600:.2f} core-hours, {written:.0f} GB written")
    for cores in arguments.cores:
        print(f"  on {cores} cores, if they are kept busy and the disks keep up: {total / cores / 60:.1f} min")
