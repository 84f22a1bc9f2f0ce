"""Choose the pieces that become clips: the requested number per style, from as many works as possible, in a seeded order."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from pipelines.harness import executor
from pipelines.harness.progress import progress
from pipelines.symbolic import corpus, excerpt
from pipelines.symbolic.score import Music


@dataclass(frozen=True)
class Chosen:
    """The `part`-th of `n_parts` excerpts of a piece."""

    piece: corpus.Piece
    music: Music
    part: int
    n_parts: int


def choose(entry: dict, rejected: dict[str, Counter]) -> dict[str, list[Chosen]]:
    """Read as many pieces of each style as its clips need, in a seeded order; `rejected` counts skipped pieces.

    The styles advance together, a round of reading at a time, so that all workers have work.
    """
    searches = {style: Search(style, entry) for style in entry.get("styles", corpus.STYLES)}
    while tasks := [piece for search in searches.values() for piece in search.wanted()]:
        found = progress(executor.run(read_or_reason, tasks), "read scores", total=len(tasks), unit="piece")
        for piece, music in zip(tasks, found, strict=True):
            searches[piece.style].receive(piece, music)
    rejected |= {style: search.rejected for style, search in searches.items()}
    return {style: search.chosen() for style, search in searches.items()}


class Search:
    """One style's pieces on their way to being clips: a piece of each work first, then second ones, then excerpts."""

    def __init__(self, style: str, entry: dict):
        rng = np.random.default_rng([entry["seed"], corpus.STYLES.index(style)])
        works: dict[str, list[corpus.Piece]] = {}
        for piece in corpus.catalogue(style):
            works.setdefault(piece.work, []).append(piece)
        names = [str(name) for name in rng.permutation(sorted(works))]
        self.unread = {name: [works[name][i] for i in rng.permutation(len(works[name]))] for name in names}
        self.style, self.n_clips, self.duration_s = style, entry["clips_per_style"], entry["duration_s"]
        self.share = -(-self.n_clips // len(names))  # clips a work; more than one where there are few works
        self.music: dict[corpus.Piece, Music] = {}
        self.room: dict[corpus.Piece, int] = {}
        self.rejected: Counter = Counter()

    def wanted(self) -> list[corpus.Piece]:
        """The next pieces to read, first ones before second ones; none when there are as many as clips, or no more."""
        usable = Counter(piece.work for piece in self.music)
        turns = [
            (turn, work)
            for work, pieces in self.unread.items()
            for turn in range(usable[work], min(self.share, usable[work] + len(pieces)))
        ]
        turns.sort(key=lambda pair: pair[0])
        return [self.unread[work].pop(0) for _, work in turns[: max(0, self.n_clips - len(self.music))]]

    def receive(self, piece: corpus.Piece, music: Music | str) -> None:
        if not isinstance(music, str):
            room = 1 if self.style in corpus.STROPHIC else excerpt.capacity(music, self.duration_s)
            if room:
                self.music[piece], self.room[piece] = music, room
                return
            music = "shorter than the clip"
        self.rejected[music] += 1

    def chosen(self) -> list[Chosen]:
        """Raises `ValueError` where the style has too little music."""
        parts: Counter = Counter()
        pieces = list(self.music)
        while sum(parts.values()) < self.n_clips:
            by_work = Counter()
            for piece, n in parts.items():
                by_work[piece.work] += n
            free = [piece for piece in pieces if parts[piece] < self.room[piece]]
            if not free:
                raise ValueError(
                    f"{self.style}: music for {sum(parts.values())} clips, not {self.n_clips}; ask for fewer"
                )
            # the work with the fewest clips, then its piece with the fewest, then the seeded order
            parts[min(free, key=lambda piece: (by_work[piece.work], parts[piece]))] += 1
        return [Chosen(p, self.music[p], part, n) for p, n in parts.items() for part in range(n)]


def read_or_reason(piece: corpus.Piece) -> Music | str:
    try:
        return corpus.read(piece)
    except ValueError as error:  # the next work takes its place
        return str(error)
