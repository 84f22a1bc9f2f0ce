"""Batches of random chunks, each drawn from (seed, epoch, item), so that a resumed training gets the same batches as an
uninterrupted one."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from pipelines.core.chunks import Clips


class RandomChunks(Dataset):
    """Of place (epoch, item): a random chunk of the item's clip, and its tags."""

    def __init__(self, clips: Clips, clip_ids: list[str], tags: np.ndarray, seed: int):
        self.clips, self.clip_ids, self.tags, self.seed = clips, clip_ids, tags, seed

    def __getitem__(self, place: tuple[int, int]):
        epoch, item = place
        row = item % len(self.clip_ids)
        clip_id = self.clip_ids[row]
        start = self.clips.random_start(clip_id, np.random.default_rng((self.seed, epoch, item)))
        return torch.from_numpy(self.clips.crop(clip_id, start)), torch.from_numpy(self.tags[row])


class EpochBatches(Sampler):
    """Batches of (epoch, item) in an order drawn from (seed, epoch); the last, smaller batch is left out.

    `steps_done()` tells the epoch: Lightning asks for a resumed run's first batch before it has restored its own count of
    epochs. `first_epoch` is the number of epochs before this phase. `share()` is (this process, of how many): each takes its part
    of every batch, so that several devices together see the batches of one.
    """

    def __init__(
        self,
        n_items: int,
        batch_size: int,
        seed: int,
        steps_done: Callable[[], int],
        first_epoch: int = 0,
        share: Callable[[], tuple[int, int]] = lambda: (0, 1),
    ):
        self.n_items, self.batch_size, self.seed = n_items, min(batch_size, n_items), seed
        self.steps_done, self.first_epoch, self.share = steps_done, first_epoch, share

    def __len__(self) -> int:
        return self.n_items // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.first_epoch + self.steps_done() // len(self)
        order = np.random.default_rng((self.seed, epoch)).permutation(self.n_items)
        rank, n_ranks = self.share()
        for first in range(0, len(self) * self.batch_size, self.batch_size):
            yield [(epoch, int(item)) for item in order[first : first + self.batch_size][rank::n_ranks]]
