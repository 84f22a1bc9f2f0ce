"""A dataset of frames in which each of two classes is a band, written as stages leave it: what the tests fit and score on."""

from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import events, paths, shards
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.tasks import Run, family

HOP_S, N_FRAMES, BANDS = 0.05, 101, 6
SIDES = ("train",) * 5 + ("validation",) * 2 + ("test",) * 4
CLASSES = ("flute", "horn")


def write(noise: float = 0.3) -> pd.DataFrame:
    """Clips of 5 s: `flute` raises band 1, `horn`, which is rare, band 4. Returns the events."""
    rng, n = np.random.default_rng(5), len(SIDES)
    ids = [f"{number:016x}" for number in range(n)]
    rows = []
    for clip_id in ids:
        for label, share in zip(CLASSES, (0.6, 0.3), strict=True):
            first = 0.0
            while first < 4.5:
                if rng.random() < share:
                    rows.append((clip_id, "instrument", label, first, first + 0.6, np.nan))
                first += 0.8
    aligned = pd.DataFrame(rows, columns=events.EVENTS.names)
    write_table(aligned, paths.events("tones"), events.EVENTS)
    index = []
    folder = paths.features("tones", "log_mel")
    folder.mkdir(parents=True)
    with shards.writer(shards.shard_path(folder, 0), "float32", (BANDS,)) as write_clip:
        for clip_id in ids:
            active = events.grid(aligned[aligned["clip_id"] == clip_id], CLASSES, N_FRAMES, HOP_S)
            values = rng.normal(0, noise, (N_FRAMES, BANDS)).astype(np.float32)
            values[:, 1] += 2 * active[:, 0]
            values[:, 4] += 2 * active[:, 1]
            index.append((clip_id, 0, *write_clip([values])))
    table = pd.DataFrame(index, columns=shards.INDEX.names).astype({"shard": "int32"})
    write_table(table, folder / "index.parquet", shards.INDEX)
    clips = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(n)).assign(
        clip_id=ids, path=[f"{one}.flac" for one in ids], sha256=ids, split=list(SIDES), group=ids, tags=[[]] * n
    )
    clips = clips.assign(duplicate_of=None, duration_s=5.0, sample_rate=16_000, channels=1, n_bytes=9)
    write_table(clips.astype({"sample_rate": "int32", "channels": "int32"}), paths.manifest("tones"), MANIFEST)
    return aligned


def run(model: str = "mlp", **options) -> Run:
    """A run of the family on that dataset, with one training in models/."""
    defaults = {key: default for key, (default, _) in family("activity").OPTIONS.items()}
    folder = Path("models/runs") / f"{model}_{options.get('level', 'frame')}" / "2026"
    folder.mkdir(parents=True, exist_ok=True)
    small = {
        "hop_s": HOP_S,
        "context": 1,
        "hidden": 16,
        "epochs": 60,
        "learning_rate": 0.01,
        "smooth_s": 0.15,
        "clip_s": 1.0,
    }
    return Run(
        name=model,
        task="activity",
        dataset="tones",
        model=model,
        input=paths.features("tones", "log_mel"),
        trainings=((2026, folder),),
        options=defaults | small | options,
        shared={"seed": 2026, "n_bootstrap": 20},
    )
