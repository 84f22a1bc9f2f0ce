"""Compute one representation of every clip of a dataset: shards of frames, or rows of pooled statistics.

What is in the cache of clips is taken from there. Of a clip that lacks the wanted feature, all features of `entries` that it
lacks are computed in one pass, because they share their transforms; their own stages then find them in the cache.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import features
from pipelines.core import cache, chunks, shards
from pipelines.core.code import code_version
from pipelines.core.files import link
from pipelines.core.pcm import INDEX, to_float
from pipelines.core.tables import read_table, write_table
from pipelines.harness import executor
from pipelines.harness.progress import progress

SCRATCH = Path(".cache/frames")  # beside the cache of clips, so that its shards can be linked


@dataclass(frozen=True)
class Clip:
    """A clip of a PCM shard: its rows, and the hash of its samples."""

    clip_id: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class Task:
    """What one worker computes: feature `name` of the clips of PCM shard `number`.

    entries: name -> parameters, of `name` and of the features to compute beside it. keep: use the cache of clips.
    """

    number: int
    audio_dir: str
    out_dir: str
    clips: tuple[Clip, ...]
    name: str
    sample_rate: int
    entries: dict[str, dict | None]
    keep: bool
    device: str

    def key(self, clip: Clip, name: str = "") -> str:
        """The key in the cache of a clip's feature `name` (the task's own by default)."""
        name = name or self.name
        return _key(name, self.sample_rate, self.entries[name], self.device, clip.sha256)

    def shard_key(self) -> str:
        return cache.key([self.key(clip) for clip in self.clips])


def build(
    index: pd.DataFrame, audio_dir: Path, out_dir: Path, name: str, settings: dict, describe: str = "features"
) -> tuple[pd.DataFrame, int]:
    """(rows of all clips, how many clips were computed); writes the shards of a frame-level feature to `out_dir`.

    index: of the PCM shards in `audio_dir`. settings: `audio.sample_rate`, `cache.limit_gb`, `features` and `executor` of
    params.yaml. A row is a clip's place in the feature shards, or its statistics.
    """
    rate, keep = settings["audio"]["sample_rate"], settings["cache"]["limit_gb"] > 0
    device = settings["executor"].get("device", "cpu")
    entries = {other: entry for other, entry in settings["features"].items() if other != features.WAVEFORM}
    filled = _fill_on_gpu(index, audio_dir, name, entries[name], rate, device, keep) if device != "cpu" else 0
    tasks = []
    for number in range(len(list(Path(audio_dir).glob("shard-*.npy")))):
        # in the shard's order, whatever the table's is
        part = index[index["shard"] == number].sort_values("offset")
        clips = tuple(map(Clip, part["clip_id"], part["offset"], part["length"], part["sha256"]))
        tasks.append(Task(number, str(audio_dir), str(out_dir), clips, name, rate, entries, keep, device))
    whole = keep and features.load(name).KIND != "pooled"
    done = {task.number: (_linked(task), 0) for task in tasks if whole}
    lacking = [task for task in tasks if done.get(task.number, (None,))[0] is None]
    new = sum(clip.length for task in lacking for clip in task.clips if not (keep and _is_kept(task, clip)))
    results = executor.run(compute, lacking, settings["executor"], new / rate)
    n_clips = sum(len(task.clips) for task in lacking)
    for task, result in zip(lacking, progress(results, describe, n_clips, size=lambda r: len(r[0])), strict=True):
        done[task.number] = result
    found = {row["clip_id"]: row for rows, _ in done.values() for row in rows}
    computed = filled + sum(n for _, n in done.values())
    return pd.DataFrame([found[clip_id] for clip_id in index["clip_id"]]), computed


def link_samples(audio_dir: Path, out_dir: Path) -> None:
    """Make `out_dir` the shards of `audio_dir` and their index, by hard links."""
    for path in sorted([*audio_dir.glob("shard-*.npy"), audio_dir / "index.parquet"]):
        link(path, out_dir / path.name)


@contextmanager
def frames(dataset: str, name: str, entry: dict, settings: dict, reader: str) -> Iterator[Path]:
    """The folder with the shards of representation `name` of `dataset`, computed with parameters `entry` from its waveform.

    For "waveform" its own folder; else one of this `reader`, which is removed at the end. Its shards are links where the cache
    of clips has them, as it has after the features stage.
    """
    source = chunks.source(dataset, features.WAVEFORM)
    if name == features.WAVEFORM:
        yield source
        return
    folder = SCRATCH / f"{dataset}-{reader}"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed run
    folder.mkdir(parents=True)
    try:
        index = read_table(source / "index.parquet", INDEX)
        settings = {**settings, "features": {**settings["features"], name: entry}}
        rows, _ = build(index, source, folder, name, settings, f"{name} {dataset}")
        write_table(rows, folder / "index.parquet", shards.INDEX)
        yield folder
    finally:
        shutil.rmtree(folder)


def compute(task: Task) -> tuple[list[dict], int]:
    """(rows, how many of the clips were computed and not found in the cache)."""
    module = features.load(task.name)
    pcm = np.load(shards.shard_path(task.audio_dir, task.number), mmap_mode="r")
    results = ((clip.clip_id, *_one(pcm[clip.offset : clip.offset + clip.length], task, clip)) for clip in task.clips)
    if module.KIND == "pooled":
        found = list(results)
        return [{"clip_id": clip_id, **statistics} for clip_id, statistics, _ in found], sum(new for *_, new in found)
    rows, computed, path = [], 0, shards.shard_path(task.out_dir, task.number)
    silence = np.zeros(task.sample_rate, np.float32)
    bands = module.compute(silence, task.sample_rate, **(task.entries[task.name] or {})).shape[1:]
    with shards.writer(path, module.DTYPE, bands) as write_clip:
        for clip_id, frames, new in results:
            place, n_frames = write_clip([frames])
            rows.append({"clip_id": clip_id, "shard": task.number, "offset": place, "length": n_frames})
            computed += new
    if task.keep and rows:
        record = {"places": [(row["offset"], row["length"]) for row in rows]}
        cache.save_shard(f"{task.name}_shards", task.shard_key(), path, record)
    return rows, computed


def _linked(task: Task) -> list[dict] | None:
    """The rows of a feature shard that was kept whole, which is then in its place."""
    path = shards.shard_path(task.out_dir, task.number)
    record = cache.load_shard(f"{task.name}_shards", task.shard_key(), path)
    if record is None:
        return None
    return [
        {"clip_id": clip.clip_id, "shard": task.number, "offset": offset, "length": length}
        for clip, (offset, length) in zip(task.clips, record["places"], strict=True)
    ]


def _one(samples: np.ndarray, task: Task, clip: Clip) -> tuple[np.ndarray | dict, bool]:
    """(the feature of one clip, whether it was computed). samples: int16 `(samples,)`, or `(samples, 2)`, which is averaged."""
    name, entries = task.name, task.entries
    found = _kept(task, clip, name)
    if found is not None:
        return found, False
    wanted = [name]
    if task.keep:
        wanted += [other for other in entries if other != name and _kept(task, clip, other) is None]
    y = samples if samples.ndim == 1 else to_float(samples)
    try:
        results = features.compute_all(y, task.sample_rate, {other: entries[other] for other in wanted})
    except (TypeError, ValueError):
        if len(wanted) == 1:
            raise
        # another feature's entry is wrong, which its own stage says; this one does not wait for it
        results = features.compute_all(y, task.sample_rate, {name: entries[name]})
    for other, result in results.items():
        module = features.load(other)
        values = list(result.values()) if module.KIND == "pooled" else result
        if not np.isfinite(values).all():
            raise ValueError(f"{other}: NaN or infinite values for the sound {clip.sha256}: a defect of this feature")
        if task.keep and module.KIND == "pooled":
            cache.save_record(other, task.key(clip, other), result)
        elif task.keep:
            cache.save_array(other, task.key(clip, other), [result], module.DTYPE, result.shape[1:])
    return results[name], True


def _kept(task: Task, clip: Clip, name: str) -> np.ndarray | dict | None:
    load = cache.load_record if features.load(name).KIND == "pooled" else cache.load_array
    return load(name, task.key(clip, name))


def _is_kept(task: Task, clip: Clip) -> bool:
    has = cache.has_record if features.load(task.name).KIND == "pooled" else cache.has_array
    return has(task.name, task.key(clip))


def _key(name: str, sample_rate: int, entry: dict | None, device: str, sha256: str) -> str:
    versions = [code_version(features.load(name).__name__)]
    if device != "cpu":
        versions += [device, code_version("pipelines.features.kernels.batched")]
    return cache.key(sha256, sample_rate, entry, *versions)


def _fill_on_gpu(
    index: pd.DataFrame, audio_dir: Path, name: str, entry: dict | None, rate: int, device: str, keep: bool
) -> int:
    """How many clips' feature the GPU has put into the cache."""
    from pipelines.representations import gpu  # torch is imported only for a GPU

    if not keep:
        raise SystemExit("executor.device needs a cache (cache.limit_gb in params.yaml): what the GPU makes goes there")
    return gpu.fill(index, audio_dir, name, entry, rate, device, partial(_key, name, rate, entry, device))
