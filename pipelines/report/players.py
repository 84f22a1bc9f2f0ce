"""Players: choose the clips that get one, and encode their excerpts as MP3 in base64."""

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import numpy as np
import pandas as pd
import soundfile
from markupsafe import Markup

from pipelines.core import paths, shards
from pipelines.core.pcm import mix
from pipelines.report.context import Context
from pipelines.report.state import Dataset

FADE_S = 0.015  # in and out: a cut wave clicks
NEAREST = 5  # of one clip, at most
MP3_LEVEL = 0.85  # libsndfile's constant bit rate from this: 32 kbit/s at 16 kHz, 24 kB for 6 s


def examples(dataset: Dataset, n: int) -> list[int]:
    """Rows of `dataset.clips` to show with pictures: `n` scored clips, spread over the classes of the first target.

    Class after class gives one clip, the middle one of those not yet taken; evenly spread over all scored clips where
    there is no clustering.
    """
    rows = np.flatnonzero(dataset.scored)
    column = f"target_{next(iter(dataset.scores), '')}"
    if column not in dataset.clips:
        return spread(rows.tolist(), n)
    labels = dataset.clips.loc[rows, column].dropna()
    left = {label: part.index.tolist() for label, part in labels.groupby(labels, sort=True)}
    chosen: list[int] = []
    while len(chosen) < n and left:
        # where there are more classes than clips to show, classes from all over the alphabet
        for label in spread(list(left), min(len(left), n - len(chosen))):
            chosen.append(left[label].pop(len(left[label]) // 2))
        left = {label: part for label, part in left.items() if part}
    return chosen


def queries(dataset: Dataset, n: int) -> list[int]:
    """Rows of `dataset.clips` whose neighbours are shown: `n` scored clips, class after class; none before the study ran."""
    return examples(dataset, n) if len(dataset.neighbours) else []


def near(dataset: Dataset, rows: list[int]) -> list[int]:
    """The rows a listener needs for these queries: themselves, then every embedding's nearest, then the second nearest, ..."""
    row_of = pd.Series(dataset.clips.index, index=dataset.clips["clip_id"])
    ids = set(dataset.clips.loc[rows, "clip_id"])
    table = dataset.neighbours[dataset.neighbours["clip_id"].isin(ids) & (dataset.neighbours["rank"] <= NEAREST)]
    found = row_of.loc[table.sort_values("rank", kind="stable")["neighbour"]].tolist()
    return list(dict.fromkeys([*rows, *found]))


def playable(dataset: Dataset, max_players: int, first: list[int]) -> list[int]:
    """Rows of `dataset.clips` that get a player: `first`, then scored clips evenly spread, `max_players` in all, sorted."""
    others = [row for row in np.flatnonzero(dataset.scored).tolist() if row not in set(first)]
    return sorted(first[:max_players] + spread(others, max_players - len(first)))


def spread(items: list, n: int) -> list:
    """`n` of the items (all, if there are fewer) at even distances."""
    if n >= len(items):
        return items
    places = np.linspace(0, len(items) - 1, max(0, n)).round().astype(int)
    return [items[i] for i in places]


def window(clip: pd.Series, sample_rate: int, excerpt_s: float) -> tuple[float, float]:
    """(start, length) in seconds of a clip's excerpt: its middle, or all of it where it is shorter."""
    length = min(int(clip["length"]), int(excerpt_s * sample_rate))
    return (int(clip["length"]) - length) // 2 / sample_rate, length / sample_rate


def excerpt_bytes(sample_rate: int, excerpt_s: float) -> float:
    """Bytes of an excerpt in a page: an MP3 of this length, in base64."""
    return len(mp3(np.zeros(int(excerpt_s * sample_rate), np.int16), sample_rate))


def excerpts(dataset: Dataset, rows: list[int], sample_rate: int, excerpt_s: float) -> dict[int, str]:
    """Row -> base64 of an MP3 (mono) of its excerpt. Encoding leaves Python's lock: a thread a core."""
    if not rows:
        return {}
    pcm = shards.open_shards(paths.audio(dataset.name))

    def encode(row: int) -> str:
        clip = dataset.clips.loc[row]
        start, length = window(clip, sample_rate, excerpt_s)
        first = int(clip["offset"]) + round(start * sample_rate)
        return mp3(faded(pcm[clip["shard"]][first : first + round(length * sample_rate)], sample_rate), sample_rate)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(zip(rows, threads.map(encode, rows), strict=True))


def faded(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """int16 `(samples,)`, or `(samples, channels)` which are averaged, with a short fade in and out."""
    if samples.ndim == 2:
        samples = mix(samples.astype(np.float32), 1)
    n = min(len(samples) // 2, round(FADE_S * sample_rate))
    gain = np.ones(len(samples), np.float32)
    gain[:n] = np.linspace(0, 1, n)
    gain[len(gain) - n :] = np.linspace(1, 0, n)
    return (samples * gain).astype(np.int16)


def mp3(samples: np.ndarray, sample_rate: int) -> str:
    """int16 `(samples,)` as base64 of a constant-rate MP3; the bytes depend on the samples and the encoder alone."""
    buffer = io.BytesIO()
    soundfile.write(
        buffer, samples, sample_rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=MP3_LEVEL,
        bitrate_mode="CONSTANT",
    )  # fmt: skip
    return base64.b64encode(buffer.getvalue()).decode()


def hear(context: Context, title: str, samples: np.ndarray, sample_rate: int) -> int:
    """Let a family's page play int16 samples; returns their number, for the macro `hear` of macros.html.j2."""
    context.played.append((title, mp3(faded(samples, sample_rate), sample_rate)))
    return len(context.played) - 1


def link(path: str, base: str, outside: bool = False) -> Markup:
    """The address of a clip's own file, seen from a page whose way to the project's folder is `base`. "" for one outside the
    project (its path is private, and means nothing where the page is sent), unless `outside` asks for those too. `Markup`:
    `private.hider` is not to change it."""
    if os.path.isabs(path):
        return Markup("file://" + quote(path) if outside else "")
    return Markup(base + quote(path))
