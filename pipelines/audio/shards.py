"""Decode the clips of a dataset into PCM shards; unusable clips are moved to the quarantine table."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.audio import decode, headers, level, probe
from pipelines.core import cache, files, shards
from pipelines.core.code import code_version
from pipelines.core.pcm import INDEX
from pipelines.harness import executor
from pipelines.harness.progress import progress

KIND, SHARDS = "pcm", "pcm_shards"
"""Of the cache: decoded clips, by the file's hash, the rate, the channels and the decoder's version; and whole shards."""

MIN_PARTS = 8  # so that workers share a small dataset


@dataclass(frozen=True)
class Clip:
    """A file of the manifest, and the hash of its bytes."""

    clip_id: str
    path: str
    sha256: str


@dataclass(frozen=True)
class Task:
    """One shard to write. settings: as `build` takes them."""

    number: int
    folder: str
    clips: tuple[Clip, ...]
    settings: dict


def build(manifest: pd.DataFrame, folder: str | os.PathLike, settings: dict, executor_settings=None, describe="audio"):
    """Write `folder/shard-*.npy` of int16 and return (index, quarantine) tables, in the manifest's order.

    manifest: `clip_id`, `path`, `sha256`, `duration_s`. settings: `sample_rate`, `channels` (1 or 2), `min_duration_s`,
    `max_duration_s` (any length without it), `silence_dbfs`, `shard_mb`, and `cache` (true: keep what is decoded, and take
    from there what is kept). Every clip of
    the manifest is in exactly one of the two tables.

    A clip's content says which shard it is in, and the bytes of a shard depend on its clips alone: with a new clip one
    shard of many is another, and no number of workers or state of the cache changes anything.
    """
    tasks = [
        Task(number, str(folder), tuple(map(Clip, part["clip_id"], part["path"], part["sha256"])), settings)
        for number, part in enumerate(_parts(manifest, settings))
    ]
    lacking = [task for task in tasks if not settings["cache"] or _linked(task) is None]
    length_s = dict(zip(manifest["sha256"], manifest["duration_s"], strict=True))
    new = [clip.sha256 for task in lacking for clip in task.clips if not _is_kept(clip.sha256, settings)]
    results = executor.run(_write_shard, lacking, executor_settings, sum(length_s[sha256] for sha256 in new))
    total = sum(len(task.clips) for task in lacking)
    done = {}
    for task, result in zip(lacking, progress(results, describe, total, size=lambda r: sum(map(len, r))), strict=True):
        done[task.number] = result
    index, quarantine = [], []
    for task in tasks:
        rows, bad = done.get(task.number) or (_linked(task), [])
        index += rows
        quarantine += bad
    order = {clip_id: place for place, clip_id in enumerate(manifest["clip_id"])}
    index.sort(key=lambda row: order[row["clip_id"]])
    columns = ["path", "stage", "reason", "exception"]
    return pd.DataFrame(index, columns=INDEX.names), pd.DataFrame(quarantine, columns=columns)


def _parts(manifest: pd.DataFrame, settings: dict) -> list[pd.DataFrame]:
    """The manifest cut by the clips' hashes into a power of two of parts, at least `MIN_PARTS`, of about `shard_mb` each."""
    size = float(manifest["duration_s"].sum()) * settings["sample_rate"] * settings["channels"] * 2
    n_parts = MIN_PARTS
    while n_parts * settings["shard_mb"] * 1e6 < size and n_parts < len(manifest):
        n_parts *= 2
    part = np.array([int(sha256[:8], 16) % n_parts for sha256 in manifest["sha256"]], dtype=int)
    # by content, or a renamed file would change its shard
    return [manifest[part == number].sort_values("clip_id") for number in range(n_parts)]


def _write_shard(task: Task) -> tuple[list[dict], list[dict]]:
    """(rows of the index, rows of the quarantine) of one shard."""
    settings, path = task.settings, shards.shard_path(task.folder, task.number)
    row_shape = () if settings["channels"] == 1 else (settings["channels"],)
    index, quarantine = [], []
    with shards.writer(path, "int16", row_shape) as write_clip:
        for clip in task.clips:
            try:
                (offset, length), measured = _write(write_clip, clip.path, clip.sha256, settings, row_shape)
                place = {"shard": task.number, "offset": offset, "length": length}
                index.append({"clip_id": clip.clip_id, **place, **measured})
            except probe.Unreadable as error:
                cause = repr(error.__cause__) if error.__cause__ else ""
                quarantine.append({"path": clip.path, "stage": "audio", "reason": str(error), "exception": cause})
    if settings["cache"] and index and not quarantine:  # what is wrong with a file is looked at every time
        cache.save_shard(SHARDS, _shard_key(task), path, {"rows": index})
    return index, quarantine


def _linked(task: Task) -> list[dict] | None:
    """The index rows of a shard that was kept whole, which is then in its place."""
    settings, path = task.settings, shards.shard_path(task.folder, task.number)
    record = cache.load_shard(SHARDS, _shard_key(task), path)
    if record is None:
        return None
    try:
        for row in record["rows"]:
            level.refuse({**row, "n_samples": row["length"]}, settings["sample_rate"], settings)
    except probe.Unreadable:
        return None
    return [row | {"shard": task.number} for row in record["rows"]]


def _shard_key(task: Task) -> str:
    return cache.key([clip.clip_id for clip in task.clips], [_key(clip.sha256, task.settings) for clip in task.clips])


def _is_kept(sha256: str, settings: dict) -> bool:
    return settings["cache"] and cache.has_array(KIND, _key(sha256, settings))


def _key(sha256: str, settings: dict) -> str:
    return cache.key(sha256, settings["sample_rate"], settings["channels"], code_version("pipelines.audio.decode"))


def _write(write_clip, path: str, sha256: str, settings: dict, row_shape: tuple) -> tuple[tuple[int, int], dict]:
    """One clip's samples to the shard, from the cache if they are there. Returns (place, what was measured)."""
    name = _key(sha256, settings)
    measured, samples = cache.load_record(KIND, name), cache.load_array(KIND, name)
    if settings["cache"] and (measured is None or samples is None):
        measured = {}
        cache.save_array(KIND, name, _checked(path, sha256, settings, measured), "int16", row_shape)
        cache.save_record(KIND, name, measured)
        samples = cache.load_array(KIND, name)
    if samples is None:  # nothing is kept, or the disk is full
        measured = {}
        return write_clip(_checked(path, sha256, settings, measured)), measured
    level.refuse({**measured, "n_samples": len(samples)}, settings["sample_rate"], settings)
    return write_clip([samples]), measured


def _checked(path: str, sha256: str, settings: dict, measured: dict) -> Iterator[np.ndarray]:
    """The decoded blocks; fills `measured`, and raises `Unreadable` at the end if the clip is too short or silent, or
    the file is no longer the one that the manifest lists."""
    rate, found, digest = settings["sample_rate"], {}, hashlib.sha256()
    header = headers.known(sha256) if settings["cache"] else None
    try:
        for block in level.measure(decode.blocks(path, rate, settings["channels"], header), rate, found):
            digest.update(block.data)
            level.refuse_longer(found["n_samples"], rate, settings)
            yield block
        level.refuse(found, rate, settings)
    except probe.Unreadable as error:
        _refuse_changed(path, sha256, error)
        raise
    _refuse_changed(path, sha256)
    measured |= {name: found[name] for name in ("peak", "clipped", "level")} | {"sha256": digest.hexdigest()}


def _refuse_changed(path: str, sha256: str, found: Exception | None = None) -> None:
    """Raise `Unreadable` where the file is no longer the one that the manifest lists, which explains what was `found` wrong."""
    if os.path.exists(path) and files.sha256(path) != sha256:
        raise probe.Unreadable(
            "it changed while it was read, or after it was listed: run again when nothing writes to it"
        ) from found
