"""features: one representation of every clip of a dataset, frame-level (NPY shards) or pooled (Parquet).

The representation `waveform` is the PCM shards themselves, by hard links.
"""

from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd

from pipelines import features
from pipelines.core import cache, params, paths, shards
from pipelines.core.code import reached
from pipelines.core.pcm import INDEX
from pipelines.core.record import loaded_code, write_record
from pipelines.core.tables import read_table, write_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.representations.build import build, link_samples


def main(dataset: str, feature: str) -> None:
    log = start(f"features {dataset} {feature}")
    settings = params.read()
    audio_dir, out_dir = paths.audio(dataset), paths.features(dataset, feature)
    out_dir.mkdir(parents=True, exist_ok=True)
    index = read_table(audio_dir / "index.parquet", INDEX)
    module = _checked(feature, settings)
    # now, because workers, and one pass over other features, load more or less
    code = loaded_code(reached(module.__name__)[0].values())
    if module.KIND == "samples":
        link_samples(audio_dir, out_dir)
        table, path, finite = index, out_dir / "index.parquet", "samples are whole numbers"
        figures = {"samples": int(index["length"].sum())}
        log.info("%d clips, linked to %s", len(index), audio_dir)
    else:
        table, computed = build(index, audio_dir, out_dir, feature, settings, f"{feature} {dataset}")
        finite = "no NaN and no infinity: each clip was checked when it was computed"
        path, n_values, figures = write(table, out_dir, module)
        log.info("%d clips, %d values; %d clips computed, the others were in the cache", len(table), n_values, computed)
    write_record(
        "features",
        f"{dataset}-{feature}",
        figures={"clips": len(table), **figures},
        table=path,
        checks={
            "finite": (True, finite),
            "every clip": (len(table) == len(index), f"{len(table)} of {len(index)} clips"),
        },
        code=code,
    )
    cache.prune(settings["cache"]["limit_gb"] * 1e9)


def write(table: pd.DataFrame, folder: Path, module: ModuleType) -> tuple[Path, int, dict]:
    """Write the rows that `build` returned; (the file, values per clip or frame, figures of the record)."""
    if module.KIND == "pooled":
        path = folder / "pooled.parquet"
        table = pd.concat([table[["clip_id"]], table.drop(columns="clip_id").astype("float32")], axis=1)
        write_table(table, path, features.POOLED)
        return path, table.shape[1] - 1, {"values a clip": table.shape[1] - 1}
    path = folder / "index.parquet"
    write_table(table, path, shards.INDEX)
    n_values = shards.open_shards(folder)[0].shape[1]
    return path, n_values, {"values a frame": n_values, "frames": int(table["length"].sum())}


def _checked(name: str, settings: dict) -> ModuleType:
    """The module of feature `name`, once it is sure that its entry of params.yaml can be computed."""
    rate, entry = settings["audio"]["sample_rate"], settings["features"][name] or {}
    try:
        module = features.load(name)
        module.compute(np.zeros(rate, np.float32), rate, **entry)
    except (TypeError, ValueError) as error:
        raise SystemExit(f"features.{name} in params.yaml, at {rate} Hz: {error}") from error
    return module


if __name__ == "__main__":
    command.run(main, __doc__)
