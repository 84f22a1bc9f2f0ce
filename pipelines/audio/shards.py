"""Decode a dataset's clips into PCM shards, once; what cannot be used goes to quarantine, and the rest goes on."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import executor
from pipelines.audio import decode, probe
from pipelines.audio.pcm import INDEX
from pipelines.progress import progress
from pipelines.store import cache, files, shards
from pipelines.store.code import code_version

KIND = "pcm"
"""Of the cache: decoded clips, by the file's hash, the rate, the channels and the decoder's version."""


def build(manifest: pd.DataFrame, folder: str | os.PathLike, settings: dict, executor_settings=None, describe="audio"):
    """Write `folder/shard-*.npy` of int16 and return (index, quarantine) tables.

    manifest: `clip_id`, `path`, `sha256`, `duration_s`. settings: `sample_rate`, `channels` (1 or 2), `min_duration_s`,
    `silence_dbfs`, `shard_mb`, and `cache` (true: keep what is decoded, and take from there what is kept). A shard is
    about `shard_mb`, and its clips depend on the manifest alone, so the bytes are the same for any number of workers. Every
    clip of the manifest is in exactly one of the two tables.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    tasks = [
        (number, str(folder), list(zip(part["clip_id"], part["path"], part["sha256"], strict=True)), settings)
        for number, part in enumerate(_parts(manifest, settings))
    ]
    index, quarantine = [], []
    results = executor.run(_write_shard, tasks, executor_settings)
    for rows, bad in progress(results, describe, len(manifest), size=lambda result: sum(map(len, result))):
        index += rows
        quarantine += bad
    columns = ["path", "stage", "reason", "exception"]
    return pd.DataFrame(index, columns=INDEX.names), pd.DataFrame(quarantine, columns=columns)


def _parts(manifest: pd.DataFrame, settings: dict) -> Iterator[pd.DataFrame]:
    """Cut the manifest where a shard is full; at least eight parts, so that workers share a small dataset."""
    size = manifest["duration_s"] * settings["sample_rate"] * settings["channels"] * 2
    limit = min(settings["shard_mb"] * 1e6, max(size.sum() / 8, 1e6))
    yield from (part for _, part in manifest.groupby((size.cumsum() - size) // limit, sort=True))


def _write_shard(task: tuple) -> tuple[list[dict], list[dict]]:
    number, folder, clips, settings = task
    row_shape = () if settings["channels"] == 1 else (settings["channels"],)
    index, quarantine = [], []
    with shards.writer(shards.shard_path(folder, number), "int16", row_shape) as write_clip:
        for clip_id, path, sha256 in clips:
            try:
                (offset, length), heard = _write(write_clip, path, sha256, settings, row_shape)
                index.append({"clip_id": clip_id, "shard": number, "offset": offset, "length": length, **heard})
            except probe.Unreadable as error:
                cause = repr(error.__cause__) if error.__cause__ else ""
                quarantine.append({"path": path, "stage": "audio", "reason": str(error), "exception": cause})
    return index, quarantine


def _write(write_clip, path: str, sha256: str, settings: dict, row_shape: tuple) -> tuple[tuple[int, int], dict]:
    """One clip's samples to the shard, from the cache if they are there. Returns (place, what was heard)."""
    name = cache.key(sha256, settings["sample_rate"], settings["channels"], code_version("pipelines.audio.decode"))
    heard, samples = cache.load_record(KIND, name), cache.load_array(KIND, name)
    if settings["cache"] and (heard is None or samples is None):
        heard = {}
        cache.save_array(KIND, name, _checked(path, sha256, settings, heard), "int16", row_shape)
        cache.save_record(KIND, name, heard)
        samples = cache.load_array(KIND, name)
    if samples is None:  # nothing is kept, or the disk is full
        heard = {}
        return write_clip(_checked(path, sha256, settings, heard)), heard
    _refuse(len(samples), heard["peak"], settings)
    return write_clip([samples]), heard


def _checked(path: str, sha256: str, settings: dict, heard: dict) -> Iterator[np.ndarray]:
    """The decoded blocks; fills `heard`, and raises `Unreadable` at the end if the clip is too short or silent, or the file
    is no longer the one that the manifest lists."""
    n_samples, peak, clipped, digest = 0, 0, 0, hashlib.sha256()
    for block in decode.blocks(path, settings["sample_rate"], settings["channels"]):
        if len(block):
            # int16's lowest has no positive counterpart
            peak = max(peak, int(block.max()), -int(block.min()))
            clipped += int(np.count_nonzero((block == 32767) | (block == -32768)))
            digest.update(block.data)
            n_samples += len(block)
        yield block
    if files.sha256(path) != sha256:
        raise probe.Unreadable("it changed while it was read, or since it was listed: run again when it is at rest")
    _refuse(n_samples, peak / 32768, settings)
    heard |= {"peak": peak / 32768, "clipped": clipped, "sha256": digest.hexdigest()}


def _refuse(n_samples: int, peak: float, settings: dict) -> None:
    """Raise `Unreadable` for a clip that is too short or silent."""
    duration_s = n_samples / settings["sample_rate"]
    if duration_s < settings["min_duration_s"]:
        raise probe.Unreadable(
            f"too short: {duration_s:.3f} s, and audio.min_duration_s is {settings['min_duration_s']}"
        )
    if peak < 10 ** (settings["silence_dbfs"] / 20):
        raise probe.Unreadable(f"silent: its peak is below audio.silence_dbfs ({settings['silence_dbfs']} dBFS)")
