"""features: one representation of every clip of a dataset, frame-level (NPY shards) or pooled (Parquet).

What is in the cache is taken from there. Of a clip that lacks the wanted feature, all features of params.yaml that it lacks are
computed in one pass, because they share their transforms; their own stages then find them.
"""

import argparse
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from pipelines import features
from pipelines.core import cache, params, shards
from pipelines.core.code import code_version, reached
from pipelines.core.pcm import INDEX, to_float
from pipelines.core.record import loaded_code, write_record
from pipelines.core.tables import read_table, write_table
from pipelines.harness import executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress


def compute(task: tuple) -> tuple[list[dict], int]:
    """Some clips of one PCM shard. Returns (rows, how many of them were computed and not found in the cache).

    A row is a clip's place in the feature shard that this task writes, or the clip's statistics.
    """
    number, audio_dir, out_dir, clips, name, sample_rate, entries, keep, device = task
    module = features.load(name)
    pcm = np.load(shards.shard_path(audio_dir, number), mmap_mode="r")
    results = (
        (clip_id, *_one(_mono(pcm[offset : offset + length]), sha256, name, sample_rate, entries, keep, device))
        for clip_id, offset, length, sha256 in clips
    )
    if module.KIND == "pooled":
        found = [(clip_id, statistics, new) for clip_id, statistics, new in results]
        return [{"clip_id": clip_id, **statistics} for clip_id, statistics, _ in found], sum(new for *_, new in found)
    rows, computed, path = [], 0, shards.shard_path(out_dir, number)
    bands = module.compute(np.zeros(sample_rate, np.float32), sample_rate, **(entries[name] or {})).shape[1:]
    with shards.writer(path, module.DTYPE, bands) as write_clip:
        for clip_id, frames, new in results:
            place, n_frames = write_clip([frames])
            rows.append({"clip_id": clip_id, "shard": number, "offset": place, "length": n_frames})
            computed += new
    if keep and rows:
        cache.save_shard(
            f"{name}_shards", _shard_key(task), path, {"places": [(r["offset"], r["length"]) for r in rows]}
        )
    return rows, computed


def _mono(samples: np.ndarray) -> np.ndarray:
    """Stereo rows averaged; mono ones as they are, int16."""
    return samples if samples.ndim == 1 else to_float(samples)


def _linked(task: tuple) -> list[dict] | None:
    """The rows of a feature shard that was kept whole, which is then in its place."""
    number, _, out_dir, clips, name, *_ = task
    record = cache.load_shard(f"{name}_shards", _shard_key(task), shards.shard_path(out_dir, number))
    if record is None:
        return None
    return [
        {"clip_id": clip_id, "shard": number, "offset": offset, "length": length}
        for (clip_id, *_), (offset, length) in zip(clips, record["places"], strict=True)
    ]


def _shard_key(task: tuple) -> str:
    *_, clips, name, sample_rate, entries, _, device = task
    return cache.key([_key(name, sha256, sample_rate, entries[name], device) for *_, sha256 in clips])


def _one(samples: np.ndarray, sha256: str, name: str, sample_rate: int, entries: dict, keep: bool, device: str):
    """(the feature of one clip, was it computed)."""
    found = _kept(name, sha256, sample_rate, entries[name], device)
    if found is not None:
        return found, False
    missing = {name: entries[name]}
    if keep:
        others = {other: entry for other, entry in entries.items() if other != name}
        missing |= {n: entry for n, entry in others.items() if _kept(n, sha256, sample_rate, entry, device) is None}
    try:
        results = features.compute_all(samples, sample_rate, missing)
    except (TypeError, ValueError):
        if len(missing) == 1:
            raise
        # another feature's entry is wrong, which its own stage says; this one does not wait for it
        results = features.compute_all(samples, sample_rate, {name: entries[name]})
    for other, result in results.items():
        module = features.load(other)
        values = list(result.values()) if module.KIND == "pooled" else result
        if not np.isfinite(values).all():
            raise ValueError(f"{other}: NaN or infinite values for the sound {sha256}: a defect of this feature")
        if not keep:
            continue
        key = _key(other, sha256, sample_rate, entries[other], device)
        if module.KIND == "pooled":
            cache.save_record(other, key, result)
        else:
            cache.save_array(other, key, [result], module.DTYPE, result.shape[1:])
    return results[name], True


def _kept(name: str, sha256: str, sample_rate: int, entry: dict | None, device: str):
    load = cache.load_record if features.load(name).KIND == "pooled" else cache.load_array
    return load(name, _key(name, sha256, sample_rate, entry, device))


def _key(name: str, sha256: str, sample_rate: int, entry: dict | None, device: str) -> str:
    versions = [code_version(features.load(name).__name__)]
    if device != "cpu":
        versions += [device, code_version("pipelines.features.kernels.batched")]
    return cache.key(sha256, sample_rate, entry, *versions)


def main(dataset: str, name: str) -> None:
    log = start(f"features {dataset} {name}")
    settings = params.read()
    audio_dir, out_dir = Path("data/audio") / dataset, Path("data/features") / dataset / name
    out_dir.mkdir(parents=True, exist_ok=True)
    index = read_table(audio_dir / "index.parquet", INDEX)
    module = _checked(name, settings)
    # now, because workers, and one pass over other features, load more or less
    code = loaded_code(reached(module.__name__)[0].values())
    table, computed = build(index, audio_dir, out_dir, name, settings, f"{name} {dataset}")
    if module.KIND == "pooled":
        path, schema = out_dir / "pooled.parquet", features.POOLED
        table = pd.concat([table[["clip_id"]], table.drop(columns="clip_id").astype("float32")], axis=1)
        n_values = table.shape[1] - 1
    else:
        path, schema = out_dir / "index.parquet", shards.INDEX
        n_values = shards.open_shards(out_dir)[0].shape[1]
    write_table(table, path, schema)
    write_record(
        "features",
        f"{dataset}-{name}",
        figures={"clips": len(table), "values a clip" if module.KIND == "pooled" else "values a frame": n_values}
        | ({} if module.KIND == "pooled" else {"frames": int(table["length"].sum())}),
        table=path,
        checks={
            "finite": (True, "no NaN and no infinity: each clip was looked at when it was computed"),
            "every clip": (len(table) == len(index), f"{len(table)} of {len(index)} clips"),
        },
        code=code,
    )
    log.info("%d clips, %d values; %d clips computed, the others were in the cache", len(table), n_values, computed)
    cache.prune(settings["cache"]["limit_gb"] * 1e9)


def _checked(name: str, settings: dict) -> ModuleType:
    """The module of feature `name`, once it is sure that its entry of params.yaml can be computed."""
    rate, entry = settings["audio"]["sample_rate"], settings["features"][name] or {}
    try:
        module = features.load(name)
        module.compute(np.zeros(rate, np.float32), rate, **entry)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"features.{name} in params.yaml, at {rate} Hz: {error}") from error
    return module


def build(index: pd.DataFrame, audio_dir: Path, out_dir: Path, name: str, settings: dict, describe: str = "features"):
    """(rows of all clips, how many clips were computed); writes the shards of a frame-level feature to `out_dir`."""
    rate, keep = settings["audio"]["sample_rate"], settings["cache"]["limit_gb"] > 0
    entries, device = settings["features"], settings["executor"].get("device", "cpu")
    pooled, tasks = features.load(name).KIND == "pooled", []
    filled = 0
    if device != "cpu":
        from pipelines.stages import batches  # torch is imported only for a GPU

        if not keep:
            raise SystemExit(
                "executor.device needs a cache (cache.limit_gb in params.yaml): what the GPU makes goes there"
            )
        filled = batches.fill(
            index, audio_dir, name, entries[name], rate, device, lambda s: _key(name, s, rate, entries[name], device)
        )
    for number in range(len(list(Path(audio_dir).glob("shard-*.npy")))):
        # in the shard's order, whatever the table's is
        part = index[index["shard"] == number].sort_values("offset")
        clips = list(zip(part["clip_id"], part["offset"], part["length"], part["sha256"], strict=True))
        tasks.append((number, str(audio_dir), str(out_dir), clips, name, rate, entries, keep, device))
    done = {task[0]: (_linked(task), 0) for task in tasks if keep and not pooled}
    lacking = [task for task in tasks if done.get(task[0], (None,))[0] is None]
    new = sum(length for task in lacking for _, _, length, sha256 in task[3] if not (keep and _is_kept(task, sha256)))
    results = executor.run(compute, lacking, settings["executor"], new / rate)
    n_clips = sum(len(task[3]) for task in lacking)
    for task, result in zip(lacking, progress(results, describe, n_clips, size=lambda r: len(r[0])), strict=True):
        done[task[0]] = result
    found = {row["clip_id"]: row for rows, _ in done.values() for row in rows}
    computed = filled + sum(n for _, n in done.values())
    return pd.DataFrame([found[clip_id] for clip_id in index["clip_id"]]), computed


def _is_kept(task: tuple, sha256: str) -> bool:
    name, sample_rate, entries, device = task[4], task[5], task[6], task[8]
    kept = cache.has_record if features.load(name).KIND == "pooled" else cache.has_array
    return kept(name, _key(name, sha256, sample_rate, entries[name], device))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("feature")
    main(**{"dataset": parser.parse_args().dataset, "name": parser.parse_args().feature})
