"""Decode a dataset's clips into PCM shards; what cannot be used goes to quarantine, and the rest goes on."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines import executor
from pipelines.audio import decode, probe
from pipelines.progress import progress
from pipelines.store import shards
from pipelines.store.tables import column

INDEX = pa.schema(
    [
        *shards.INDEX,
        column("peak", pa.float64(), "largest absolute sample", unit="full scale"),
        column("clipped", pa.int64(), "samples at full scale", unit="sample"),
    ]
)


def build(manifest: pd.DataFrame, folder: str | os.PathLike, settings: dict, workers: int = 0, describe: str = "audio"):
    """Write `folder/shard-*.npy` of int16 at `settings["sample_rate"]`; return (index, quarantine) tables.

    A shard is about `settings["shard_mb"]`, and its clips depend on the manifest alone, so the bytes are the same for any
    number of workers. Every clip of the manifest is in exactly one of the two tables.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    tasks = [
        (number, str(folder), list(zip(part["clip_id"], part["path"], strict=True)), settings)
        for number, part in enumerate(_parts(manifest, settings))
    ]
    index, quarantine = [], []
    for rows, bad in progress(executor.run(_write_shard, tasks, workers), describe, total=len(tasks), unit="shard"):
        index += rows
        quarantine += bad
    columns = ["path", "stage", "reason", "exception"]
    return pd.DataFrame(index, columns=INDEX.names), pd.DataFrame(quarantine, columns=columns)


def _parts(manifest: pd.DataFrame, settings: dict) -> Iterator[pd.DataFrame]:
    """Cut the manifest where a shard is full; at least eight parts, so that workers share a small dataset."""
    size = manifest["duration_s"] * settings["sample_rate"] * 2
    limit = min(settings["shard_mb"] * 1e6, max(size.sum() / 8, 1e6))
    yield from (part for _, part in manifest.groupby((size.cumsum() - size) // limit, sort=True))


def _write_shard(task: tuple) -> tuple[list[dict], list[dict]]:
    number, folder, clips, settings = task
    index, quarantine = [], []
    with shards.writer(shards.shard_path(folder, number), "int16") as write_clip:
        for clip_id, path in clips:
            heard = {"peak": 0, "clipped": 0}
            try:
                offset, length = write_clip(_checked(path, settings, heard))
                index.append(
                    {
                        "clip_id": clip_id,
                        "shard": number,
                        "offset": offset,
                        "length": length,
                        "peak": heard["peak"] / 32768,
                        "clipped": heard["clipped"],
                    }
                )
            except probe.Unreadable as error:
                cause = repr(error.__cause__) if error.__cause__ else ""
                quarantine.append({"path": path, "stage": "audio", "reason": str(error), "exception": cause})
    return index, quarantine


def _checked(path: str, settings: dict, heard: dict) -> Iterator[np.ndarray]:
    """The decoded blocks; raises `Unreadable` at the end if the clip is too short or silent."""
    n_samples = 0
    for block in decode.blocks(path, settings["sample_rate"]):
        if len(block):
            loud = np.abs(block.astype(np.int32))
            heard["peak"] = max(heard["peak"], int(loud.max()))
            heard["clipped"] += int((loud >= 32767).sum())
            n_samples += len(block)
        yield block
    duration_s = n_samples / settings["sample_rate"]
    if duration_s < settings["min_duration_s"]:
        raise probe.Unreadable(
            f"too short: {duration_s:.3f} s, and audio.min_duration_s is {settings['min_duration_s']}"
        )
    if heard["peak"] < 32768 * 10 ** (settings["silence_dbfs"] / 20):
        raise probe.Unreadable(f"silent: its peak is below audio.silence_dbfs ({settings['silence_dbfs']} dBFS)")


def open_pcm(folder: str | os.PathLike):
    """(index, memory-mapped shards) of an audio folder; `read(index_row, shards)` gives a clip."""
    from pipelines.store.tables import read_table

    return read_table(Path(folder) / "index.parquet", INDEX), shards.open_shards(folder)
