"""features: one representation of every clip of a dataset, frame-level (NPY shards) or pooled (Parquet)."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import executor, features, params
from pipelines.audio.decode import to_float
from pipelines.audio.shards import open_pcm
from pipelines.progress import progress
from pipelines.stages.record import start, write_record
from pipelines.store import shards
from pipelines.store.tables import write_table

BATCH = 32


def compute_frames(task: tuple) -> tuple[list[dict], int]:
    """One PCM shard's clips to one feature shard. Returns (index rows, number of bands)."""
    number, audio_dir, out_dir, rows, name, sample_rate, parameters = task
    module = features.load(name)
    pcm = np.load(shards.shard_path(audio_dir, number), mmap_mode="r")
    index, n_bands = [], module.compute(np.zeros(sample_rate, np.float32), sample_rate, **parameters).shape[1]
    with shards.writer(shards.shard_path(out_dir, number), module.DTYPE, (n_bands,)) as write_clip:
        for clip_id, offset, length in rows:
            frames = module.compute(to_float(pcm[offset : offset + length]), sample_rate, **parameters)
            place, n_frames = write_clip([frames])
            index.append({"clip_id": clip_id, "shard": number, "offset": place, "length": n_frames})
    return index, n_bands


def compute_pooled(task: tuple) -> tuple[list[dict], int]:
    """A batch of clips to rows of statistics. Returns (rows, number of statistics)."""
    number, audio_dir, _, rows, name, sample_rate, parameters = task
    module = features.load(name)
    pcm = np.load(shards.shard_path(audio_dir, number), mmap_mode="r")
    table = []
    for clip_id, offset, length in rows:
        y = to_float(pcm[offset : offset + length])
        table.append({"clip_id": clip_id, **module.compute(y, sample_rate, **parameters)})
    return table, len(table[0]) - 1 if table else 0


def main(dataset: str, name: str) -> None:
    log = start(f"features {dataset} {name}")
    settings = params.load()
    module, parameters = features.load(name), settings["features"][name]
    rate = settings["audio"]["sample_rate"]
    audio_dir, out_dir = Path("data/audio") / dataset, Path("data/features") / dataset / name
    out_dir.mkdir(parents=True, exist_ok=True)
    index, _ = open_pcm(audio_dir)
    tasks = []
    for number, part in index.groupby("shard", sort=True):
        rows = list(zip(part["clip_id"], part["offset"], part["length"], strict=True))
        # a shard of frames is written by one task; pooled rows may be cut finer
        step = len(rows) if module.KIND == "frames" else BATCH
        for first in range(0, len(rows), step):
            tasks.append((number, str(audio_dir), str(out_dir), rows[first : first + step], name, rate, parameters))
    function = compute_frames if module.KIND == "frames" else compute_pooled
    rows, n_columns = [], 0
    for part, width in progress(
        executor.run(function, tasks, settings["executor"]["workers"]), f"{name} {dataset}", len(tasks), "batch"
    ):
        rows += part
        n_columns = width
    table = pd.DataFrame(rows)
    if module.KIND == "frames":
        path, schema = out_dir / "index.parquet", shards.INDEX
        finite = all(bool(np.isfinite(np.asarray(shard)).all()) for shard in shards.open_shards(out_dir))
    else:
        path, schema = out_dir / "pooled.parquet", features.POOLED
        values = table.drop(columns="clip_id").astype("float32")
        table = pd.concat([table[["clip_id"]], values], axis=1)
        finite = bool(np.isfinite(values.to_numpy()).all())
    write_table(table, path, schema)
    write_record(
        "features",
        f"{dataset}-{name}",
        figures={"clips": len(table), "values a frame" if module.KIND == "frames" else "values a clip": n_columns}
        | ({"frames": int(table["length"].sum())} if module.KIND == "frames" else {}),
        table=path,
        checks={
            "finite": (finite, "no NaN and no infinity" if finite else "NaN or infinite values: see the clip's audio"),
            "every clip": (len(table) == len(index), f"{len(table)} of {len(index)} clips"),
        },
    )
    log.info("%d clips, %d values", len(table), n_columns)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("feature")
    main(**{"dataset": parser.parse_args().dataset, "name": parser.parse_args().feature})
