"""A dataset of two stems in bands of their own, written as stages leave it: what the family's tests fit and score on."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt

from pipelines.core import paths, stems
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import write_table
from pipelines.tasks import Run, family

RATE = 4000
SIDES = ("train", "train", "train", "validation", "test", "test", "test", "test")
SMALL = {"n_fft": 256, "hop": 128, "segment_s": 1.0, "excerpt_s": 0.5, "hidden": 16, "layers": 1}


def write(silent: bool = False, seconds: float = 1.5) -> None:
    """Eight clips: `low` is noise below 700 Hz, `high` above 900 Hz. silent: `high` is absent from the last clip."""
    rng, rows = np.random.default_rng(3), []
    for number in range(len(SIDES)):
        noise = rng.normal(0, 0.1, (2, round(seconds * RATE)))
        sounds = np.stack(
            [
                sosfilt(butter(8, cut, kind, fs=RATE, output="sos"), one)
                for one, cut, kind in zip(noise, (700, 900), ("low", "high"), strict=True)
            ]
        )
        written = np.rint(sounds * stems.FULL_SCALE).astype(np.int16)
        names = ["low", "high"] if not (silent and number == len(SIDES) - 1) else ["low"]
        rows += stems.write_clip(paths.raw("bands"), f"audio/{number}.flac", names, written[: len(names)], RATE)
    stems.write_index(paths.raw("bands"), rows)
    ids, n = [f"{number:016x}" for number in range(len(SIDES))], len(SIDES)
    table = pd.DataFrame({name: "x" for name in MANIFEST.names}, index=range(n)).assign(
        clip_id=ids, path=[f"data/raw/bands/audio/{number}.flac" for number in range(n)], sha256=ids, split=list(SIDES)
    )
    table = table.assign(group=ids, tags=[[]] * n, duplicate_of=None, duration_s=seconds, sample_rate=RATE, channels=1)
    write_table(
        table.assign(n_bytes=9).astype({"sample_rate": "int32", "channels": "int32"}), paths.manifest("bands"), MANIFEST
    )


def run(**options) -> Run:
    """A run of the family on that dataset, with one training in models/."""
    defaults = {key: default for key, (default, _) in family("separation").OPTIONS.items()}
    folder = Path("models/runs/bands_lstm/2026")
    folder.mkdir(parents=True, exist_ok=True)
    return Run(
        name="bands_lstm",
        task="separation",
        dataset="bands",
        model="mask_lstm",
        input=paths.raw("bands") / "stems",
        trainings=((2026, folder),),
        options=defaults | SMALL | options,
        shared={"seed": 2026, "n_bootstrap": 50},
    )
