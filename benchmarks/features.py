"""How fast is the feature engine? Ratios to the peer in the same run; medians over rounds taken in turn.

    python benchmarks/features.py [--json FILE] [--only KEY...] [--clips 24] [--rounds 5] [--collection 1000]

| key | ours | the peer |
| --- | --- | --- |
| file_to_log_mel | compressed file to log-mel on disk, two processes | librosa.load, melspectrogram, power_to_db, np.save, one |
| file_to_log_mel_serial | the same in one process | the same |
| file_over_decoding | the same in one process; time over that of decoding and resampling alone (less is better) | |
| cache_to_log_mel | int16 PCM shard to log-mel, one process | librosa.load, ... as above |
| ten_features | `features.compute_all` of ten, n_fft 2048 | ten calls of librosa |
| pooled | the pooled features | the same ten calls |
| cqt | the feature | librosa.cqt |
| mfcc | 20 coefficients from the log-mel at hand | librosa.feature.mfcc(y) |
| crop | 3 s of log-mel from shards of 2,000 clips | one .npy a clip, memory-mapped |
| crop_over_decoding | the same | 3 s decoded from the FLAC, and its log-mel |
| increment | time for 1% new clips in a computed collection, over the time for all of it (less is better) | |
| scaling | two workers | one |

One thread a process; clips of 30 s at 44.1 kHz stereo, half MP3 and half FLAC, are made here. Absolute times are of one machine
and are not kept.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figures import announce, show

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]


def main(n_clips: int, rounds: int, n_collection: int, only: list[str]) -> Iterator[tuple[str, float]]:
    def wanted(key: str) -> bool:
        return not only or key in only

    # here, because a worker imports this file again, and waits for what stands at its top
    from engine.collection import collection
    from engine.crops import crops
    from engine.front_end import front_end

    for part in (
        lambda folder: front_end(folder, n_clips, rounds, wanted),
        lambda folder: crops(folder, rounds) if wanted("crop") or wanted("crop_over_decoding") else (),
        lambda folder: collection(folder, n_collection, wanted) if wanted("scaling") or wanted("increment") else (),
    ):
        with tempfile.TemporaryDirectory() as name:
            yield from part(Path(name))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the ratios to this file")
    parser.add_argument("--only", nargs="+", default=[], help="these keys alone")
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--collection", type=int, default=1000, help="clips for scaling and increment")
    arguments = parser.parse_args()
    keys = [line.split("|")[1].strip() for line in __doc__.splitlines() if line.startswith("| ")][1:]
    if unknown := sorted(set(arguments.only) - set(keys)):
        parser.error(f"no key {', '.join(unknown)}: there is {', '.join(key for key in keys if key != '---')}")
    announce("features.py: speed of the feature engine beside librosa", "15 minutes")
    show(main(arguments.clips, arguments.rounds, arguments.collection, arguments.only), arguments.json)
