"""Sound to measure with, and taking turns with a peer."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

from pipelines.audio import decode

RATE, SECONDS = 16_000, 30


def make_clips(folder: Path, n_clips: int, formats: tuple[str, ...] = ("mp3", "flac")) -> list[Path]:
    """Files of seeded music-like sound: a few decaying partials over noise, each its own loudness."""
    folder.mkdir(exist_ok=True)
    t = np.arange(SECONDS * 44_100) / 44_100
    paths, sounds = [], {}
    for number in range(n_clips):
        if number % 24 not in sounds:
            rng = np.random.default_rng(number)
            y = sum(np.sin(2 * np.pi * f * t) * np.exp(-(t % 1)) for f in rng.uniform(80, 4000, 6)) / 12
            noise = 0.01 * rng.standard_normal((len(t), 2))
            sounds[number % 24] = (np.stack([y, y * 0.8], axis=1) + noise).astype("float32")
        paths.append(folder / f"{number}.{formats[number % len(formats)]}")
        # the quickest FLAC: encoding a thousand clips is what takes longest here
        quick = {"compression_level": 0.0} if paths[-1].suffix == ".flac" else {}
        soundfile.write(paths[-1], sounds[number % 24] * np.float32(1 - number / (2 * n_clips)), 44_100, **quick)
    return paths


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(decode.blocks(path, RATE)))


def seconds(function: Callable, *arguments) -> float:
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def compare(ours: Callable, theirs: Callable, items: list, rounds: int, whole: bool = False) -> float:
    """Their time over ours: the median over rounds, the two taking turns. whole: `ours` takes all items at once."""
    ours(items if whole else items[0]), theirs(items[0])  # first calls compile
    ratios = []
    for _ in range(rounds):
        mine = seconds(ours, items) if whole else sum(seconds(ours, item) for item in items)
        ratios.append(sum(seconds(theirs, item) for item in items) / mine)
    return median(ratios)
