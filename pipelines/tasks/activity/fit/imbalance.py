"""What the option `imbalance` does: weights of classes in the loss, and how often clips are drawn."""

import numpy as np

MOST = 20.0
"""Of a class's weight."""


def weights(shares: np.ndarray, kind: str) -> np.ndarray:
    """float32 weight of each class's positive units in the loss: negative over positive units, where `kind` weighs classes.

    shares: of training units in which each class plays."""
    if kind not in ("class_weights", "both"):
        return np.ones(len(shares), np.float32)
    return np.clip((1 - shares) / np.maximum(shares, 1e-3), None, MOST).astype(np.float32)


def repeats(plays: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """The rows of `plays` `(clips, classes)` bool, each as often as it is drawn in an epoch.

    Repeat factor sampling (Gupta, Dollár and Girshick 2019, arXiv 1908.03195, section 3): a clip is repeated
    sqrt(t / f) times, f the share of clips that have its rarest class, and t here that of the most frequent class; the fraction
    is rounded up with its own probability.
    """
    if kind not in ("repeats", "both"):
        return np.arange(len(plays))
    shares = plays.mean(axis=0)
    factors = np.where(plays, np.sqrt(shares.max() / np.maximum(shares, 1e-9)), 1.0).max(axis=1)
    times = np.floor(factors + rng.random(len(plays))).astype(int)
    return np.repeat(np.arange(len(plays)), times)
