"""How fast are reading, generation and the search for copies of written music? Ratios to the peer in the same run.

    python benchmarks/sequences.py [--json FILE] [--only KEY...] [--rounds 3] [--pieces 160] [--training 16000]

| key | ours | the peer |
| --- | --- | --- |
| read_serial | scores of the corpus `composers` as note tables, one process | music21.converter.parse and a list of its notes |
| read_parallel | the same in two processes, their start included | the same |
| read_again | the note tables that the stage `notes` has stored | the same |
| generate_transformer | 4 pieces of 16 bars, keys and values kept (preset `cpu`) | all steps so far read again for each step |
| generate_lstm | the same with the state kept | the same |
| memorisation | what 64 pieces share with 1,600 training pieces | sets of tuples in Python, for three lengths of n-grams alone |
| memorisation_s | processor seconds for 64 pieces against 16,000 (no ratio) | |

Each in turn, medians over the rounds, in processor time; `read_parallel` is wall time. Generation with and without what is
kept must give the same pieces, and both ways of counting copies the same shares: a difference stops the benchmark. Training
pieces beyond those of music21's chorales are the same in other keys, and with their bars in other orders.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from figures import announce, show  # noqa: E402

KEYS = (
    "read_serial", "read_parallel", "read_again", "generate_transformer", "generate_lstm", "memorisation", "memorisation_s",
)  # fmt: skip
PEER_TRAINING = 1600
BAR = 16


def took(work: Callable, clock: Callable = time.process_time):
    """(seconds, what it gives)."""
    began = clock()
    found = work()
    return clock() - began, found


def main(rounds: int, n_pieces: int, n_training: int, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    if any(wanted(key) for key in KEYS[:3]):
        yield from reading(rounds, n_pieces, wanted)
    for name in ("transformer", "lstm"):
        if wanted(f"generate_{name}"):
            yield f"generate_{name}", generation(name, rounds)
    if wanted("memorisation") or wanted("memorisation_s"):
        yield from copies(rounds, n_training, wanted)


def reading(rounds: int, n_pieces: int, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    from music21 import converter

    from pipelines.core.tables import read_table, write_table
    from pipelines.corpora import composers
    from pipelines.notes.tables import NOTES, whole
    from pipelines.stages import notes

    listed = composers.pieces({})
    rows = listed.iloc[:: max(len(listed) // n_pieces, 1)].reset_index(drop=True)

    def plain():
        for path in rows["path"]:
            score = converter.parse(path, forceSource=True)  # not from its own cache
            _ = [(note.offset, note.quarterLength, note.pitches) for note in score.flatten().notes]

    def ours(workers: int):
        return notes.build(rows, {"module": "composers"}, {"kind": "processes", "workers": workers}, "")[2]

    ratios: dict[str, list[float]] = {key: [] for key in KEYS[:3]}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "notes.parquet"
        tables = {f"{number:016x}": piece.notes for number, piece in enumerate(ours(1))}
        write_table(whole(NOTES, tables), path, NOTES)
        for _ in range(rounds):
            began = time.perf_counter()
            cpu_s, _ = took(plain)
            wall_s = time.perf_counter() - began
            ratios["read_again"].append(cpu_s / took(lambda: read_table(path, NOTES))[0])
            if wanted("read_serial"):
                modules = [(Path(one), Path(one).read_bytes()) for one in rows["path"]]
                ratios["read_serial"].append(
                    cpu_s / took(lambda each=modules: [composers.read(*one) for one in each])[0]
                )
            if wanted("read_parallel"):
                ratios["read_parallel"].append(wall_s / took(lambda: ours(2), time.perf_counter)[0])
    for key, found in ratios.items():
        if wanted(key) and found:
            yield key, median(found)


def generation(name: str, rounds: int) -> float:
    import numpy as np
    import torch

    from pipelines import tasks
    from pipelines.tasks.sequences.fit import chords, sampling

    module = tasks.part("sequences", f"models.{name}")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = module.Network(**module.PRESETS["cpu"]).eval()
    advance = model.advance if name == "transformer" else model.lstm
    given = np.full((16 * BAR, 4), sampling.FREE)

    def again(step, before):
        """All steps so far read anew; what is kept is the steps alone."""
        steps = step if before is None else torch.cat([before, step], dim=1)
        return advance(steps, None)[0][:, -1:], steps

    ways = [
        lambda n, rng: module.begin(model, n, rng),
        lambda n, rng: chords.begin(model.chords, again, n),
    ]
    ratios = []
    for _ in range(rounds):
        (kept_s, kept), (plain_s, plain) = (took(lambda way=way: sampling.sample(way, given, 4, 1)) for way in ways)
        if (kept != plain).mean() > 0.01:  # a cell may differ, and those after it, where a draw falls on an edge
            raise SystemExit(f"{name} writes other pieces without what it keeps")
        ratios.append(plain_s / kept_s)
    return median(ratios)


def copies(rounds: int, n_training: int, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    import numpy as np

    from pipelines.corpora import chorales
    from pipelines.notes.representations import satb_grid
    from pipelines.tasks.sequences.fit import cells
    from pipelines.tasks.sequences.score import memorisation

    rng, known = np.random.default_rng(0), []
    for path in chorales.pieces({})["path"]:
        piece = chorales.read(Path(path), b"")
        grid = satb_grid.compute(piece.notes, piece.length)[:, : cells.VOICES]
        if grid.any(axis=0).all() and len(grid) > 4 * BAR:
            known.append(grid)
    held_out, known = [grid[: 16 * BAR] for grid in known[::5][:64]], [grid for n, grid in enumerate(known) if n % 5]

    def other(number: int):
        """A piece of the corpus; after the first round of them in another key, with its bars in another order."""
        grid = known[number % len(known)]
        if number < len(known):
            return grid
        bars = [grid[first : first + BAR] for first in range(0, len(grid), BAR)]
        return cells.shifted(np.concatenate([bars[n] for n in rng.permutation(len(bars))]), int(rng.integers(-6, 6)))

    training = [other(number) for number in range(n_training)]
    if wanted("memorisation"):
        some, ratios = training[:PEER_TRAINING], []
        for _ in range(rounds):
            ours_s, found = took(lambda: memorisation.compare(held_out, memorisation.events(some)))
            plain_s, absent = took(lambda: plain_absent(held_out, some, memorisation.LENGTHS))
            for n, share in absent.items():
                if not np.allclose(found[f"absent_{n}"], share, equal_nan=True):
                    raise SystemExit(f"shares of new {n}-grams differ")
            ratios.append(plain_s / ours_s)
        yield "memorisation", median(ratios)
    if wanted("memorisation_s"):
        yield "memorisation_s", took(lambda: memorisation.compare(held_out, memorisation.events(training)))[0]


def plain_absent(pieces, training, lengths) -> dict[int, list[float]]:
    """Share of each piece's n-grams that no training piece has, event by event."""
    import math
    from itertools import groupby

    def grams(piece, n):
        for voice in piece.T.tolist():
            line, last = [], None
            for pitch, cells in groupby(voice):
                length = len(list(cells))
                if not pitch:
                    line.append((None, length))
                elif last is not None:
                    line.append((pitch - last, length))
                last = pitch or last
            yield from (tuple(line[first : first + n]) for first in range(len(line) - n + 1))

    found = {}
    for n in lengths:
        known = {gram for piece in training for gram in grams(piece, n)}
        each = [[gram not in known for gram in grams(piece, n)] for piece in pieces]
        found[n] = [sum(new) / len(new) if new else math.nan for new in each]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--only", nargs="+", default=[], choices=KEYS, help="these keys alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pieces", type=int, default=160, help="scores that are read")
    parser.add_argument("--training", type=int, default=16_000, help="training pieces of memorisation_s")
    arguments = parser.parse_args()
    announce("sequences.py: speed of reading, generation and memorisation", "5 minutes")
    show(
        main(
            arguments.rounds,
            arguments.pieces,
            arguments.training,
            lambda key: not arguments.only or key in arguments.only,
        ),
        arguments.json,
    )
