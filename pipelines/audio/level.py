"""Level of a decoded clip, to find silence: its peak, and the level that 40 ms of it reach."""

from collections.abc import Iterator

import numpy as np

from pipelines.audio.probe import Unreadable

FRAME_S, N_FRAMES = 0.01, 4
"""Length of a frame, and how many must be loud: a click fills one or two, the shortest hit of a drum more than four."""


def measure(blocks: Iterator[np.ndarray], sample_rate: int, found: dict) -> Iterator[np.ndarray]:
    """Pass int16 blocks on and put into `found`, up to date with each of them:

    `n_samples`; `peak`, at full scale 1; `clipped`: samples at full scale; `level`, at full scale 1: half the distance from the
    lowest to the highest sample of the fourth-loudest 10 ms (in a shorter clip of the least loud), next to nothing for a
    constant and for a single click.
    """
    frame = max(1, round(FRAME_S * sample_rate))
    loudest, rest, lowest = np.zeros(0, np.int32), None, 0
    found |= {"n_samples": 0, "peak": 0.0, "clipped": 0, "level": 0.0}
    for block in blocks:
        if len(block):
            found["n_samples"] += len(block)
            # int16's lowest has no positive counterpart
            lowest = max(int(block.max()), -int(block.min()), lowest)
            found["peak"] = lowest / 32768
            found["clipped"] += int(np.count_nonzero((block == 32767) | (block == -32768)))
            rest = block if rest is None else np.concatenate([rest, block])
            whole = len(rest) // frame * frame
            frames = rest[:whole].reshape(-1, frame, *block.shape[1:])
            rest = rest[whole:]
            span = frames.max(axis=1).astype(np.int32) - frames.min(axis=1)
            span = span if span.ndim == 1 else span.max(axis=1, initial=0)
            loudest = np.sort(np.concatenate([loudest, span]))[-N_FRAMES:]
            found["level"] = float(loudest[0] if len(loudest) else np.ptp(rest.astype(np.int32))) / 65536
        yield block


def refuse(found: dict, sample_rate: int, settings: dict) -> None:
    """Raise `Unreadable` for a clip that is too short, too long, or silent (`measure`).

    settings: `min_duration_s`, `max_duration_s` (any length without it), `silence_dbfs`.
    """
    duration_s, limit = found["n_samples"] / sample_rate, 10 ** (settings["silence_dbfs"] / 20)
    refuse_longer(found["n_samples"], sample_rate, settings)
    if duration_s < settings["min_duration_s"]:
        raise Unreadable(f"too short: {duration_s:.3f} s, and audio.min_duration_s is {settings['min_duration_s']}")
    if found["peak"] < limit:
        raise Unreadable(
            f"silent: its peak, channels averaged, is below audio.silence_dbfs ({settings['silence_dbfs']} dBFS)"
        )
    if found["level"] < limit:
        raise Unreadable(
            f"silent: a constant offset, or clicks that fill less than {FRAME_S * N_FRAMES:g} s; the rest is below "
            f"audio.silence_dbfs ({settings['silence_dbfs']} dBFS)"
        )


def refuse_longer(n_samples: int, sample_rate: int, settings: dict) -> None:
    """While a clip is decoded, not after it: a megabyte of FLAC can hold days of one note, and would fill the disk."""
    limit_s = settings.get("max_duration_s", float("inf"))
    if n_samples > limit_s * sample_rate:
        raise Unreadable(f"too long: more than audio.max_duration_s ({limit_s:g} s): cut it, or raise the limit")
