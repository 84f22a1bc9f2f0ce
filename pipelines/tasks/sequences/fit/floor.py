"""The unigram: each voice's pitches by how often training has them, whatever came before, mixed with the uniform distribution.

The trivial answer of every run, and the model `unigram`. It is no model's file, because the stage `score` of every run reads it.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.tasks.sequences.fit.cells import PITCHES

UNIFORM = 1e-4
"""Share of the uniform distribution."""


def counted(pieces: Sequence[np.ndarray]) -> np.ndarray:
    """`(voices, 128)`: how often each voice has each pitch in pieces `(steps, voices)`."""
    cells = np.concatenate(pieces)
    return np.stack([np.bincount(cells[:, voice], minlength=PITCHES) for voice in range(cells.shape[1])])


def log_probabilities(counts: np.ndarray) -> np.ndarray:
    """`(voices, 128)`, all finite."""
    return np.log((1 - UNIFORM) * counts / counts.sum(axis=1, keepdims=True) + UNIFORM / PITCHES)


def cell_nats(logs: np.ndarray, pieces: Sequence[np.ndarray]) -> list[np.ndarray]:
    """`(steps, voices)` of each piece: minus the log-probability of each cell."""
    return [-logs[np.arange(len(logs)), piece] for piece in pieces]


def sample(logs: np.ndarray, n_pieces: int, steps: int, seed: int) -> list[np.ndarray]:
    """`n_pieces` random pieces `(steps, voices)` uint8: every cell by itself."""
    rng = np.random.default_rng(seed)
    cells = [rng.choice(PITCHES, (n_pieces, steps), p=np.exp(voice) / np.exp(voice).sum()) for voice in logs]
    return list(np.stack(cells, axis=-1).astype(np.uint8))
