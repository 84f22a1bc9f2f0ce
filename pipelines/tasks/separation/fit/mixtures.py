"""The clips of a run and their stems, and remixes drawn from them for training."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import paths, stems
from pipelines.core.manifest import LABELLED
from pipelines.core.shards import SPOILT
from pipelines.core.tables import read_table
from pipelines.tasks import Run


@dataclass(frozen=True)
class Mixtures:
    """clips: rows of the manifest that have stems, with their `stems_path`. names: the run's stems. rate: Hz."""

    folder: Path
    clips: pd.DataFrame
    table: pd.DataFrame
    names: list[str]
    rate: int

    def of(self, side: str) -> pd.DataFrame:
        """The clips of a side of the split."""
        return self.clips[self.clips["split"] == side].reset_index(drop=True)

    def held_out(self) -> pd.DataFrame:
        """The clips of validation in which at least two stems sound: as in the scores, others have nothing to separate."""
        sounding = self.table[self.table["stem"].isin(self.names) & np.isfinite(self.table["rms_dbfs"])]
        n_stems = sounding.groupby("path").size()
        clips = self.of("validation")
        return clips[clips["stems_path"].map(n_stems).fillna(0) >= 2].reset_index(drop=True)

    def signals(self, stems_path: str) -> np.ndarray:
        """`(stems, samples)` float32 of a clip; zeros for a stem that it has not."""
        return stems.signals(self.folder, self.table, stems_path, self.names)

    def stored(self, stems_path: str) -> list[np.ndarray]:
        """Of each stem int16 `(samples,)`, left on the disk until it is read; zeros for one that the clip has not."""
        rows = self.table[self.table["path"] == stems_path].set_index("stem")
        file = self.folder / rows["shard"].iloc[0]
        try:
            sounds = np.load(file, mmap_mode="r", allow_pickle=False)
        except SPOILT as error:
            raise ValueError(f"{file} is damaged ({error}): run the stage that makes it again") from error
        silence = np.broadcast_to(np.int16(0), sounds.shape[1])
        return [sounds[rows.at[name, "place"]] if name in rows.index else silence for name in self.names]


def read(run: Run) -> Mixtures:
    """Raises `ValueError` where there are no stems, a side has no clips, or no training clip has a stem that the run names."""
    if not (run.input / "stems.parquet").exists():
        raise ValueError(
            f"{run.input} has no stems: separation reads a dataset with stems (module multitracks), as `from: raw, reads: stems`"
        )
    table = stems.read(run.input)
    manifest = read_table(paths.manifest(run.dataset), LABELLED)
    raw = paths.raw(run.dataset).as_posix() + "/"
    clips = manifest.assign(stems_path=[path.removeprefix(raw) for path in manifest["path"]])
    clips = clips[clips["stems_path"].isin(table["path"])].reset_index(drop=True)
    missing = [side for side in ("train", "test") if not (clips["split"] == side).any()]
    if missing:
        raise ValueError(f"dataset {run.dataset!r} has no {' and no '.join(missing)} clips with stems")
    trained = table[table["path"].isin(clips.loc[clips["split"] == "train", "stems_path"])]
    there = sorted(set(trained["stem"]))
    names = list(run.options["stems"]) or there
    if unknown := [name for name in names if name not in there]:
        raise ValueError(
            f"no training clip of {run.dataset!r} has the stem {unknown[0]!r}; its stems are {', '.join(there)}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"`stems` names {', '.join(names)}: name each stem once")
    if len(names) < 2:
        raise ValueError(f"dataset {run.dataset!r} has the stem {', '.join(names)} only: nothing is to be separated")
    # what the run does not separate is no part of its mixture
    return Mixtures(run.input, clips, table, names, int(table["sample_rate"].iloc[0]))


def places(sounds: list[list[np.ndarray]], n: int, length: int, kind: str, rng: np.random.Generator) -> np.ndarray:
    """`(n, stems, 2)`: the clip of `sounds`, a `Mixtures.stored` each, and the sample at which a stem's excerpt begins.

    coherent: all stems of an excerpt at one place of one clip. incoherent: each at another. both: the first half is coherent.
    """
    found = np.empty((n, len(sounds[0]), 2), int)
    for row in range(n):
        apart = kind == "incoherent" or (kind == "both" and row >= n / 2)
        for stem in range(found.shape[1]):
            if apart or stem == 0:
                clip = rng.integers(len(sounds))
                first = rng.integers(max(len(sounds[clip][0]) - length, 0) + 1)
            found[row, stem] = clip, first
    return found


def remixes(
    sounds: list[list[np.ndarray]], places: np.ndarray, length: int, gain_db: float, rng: np.random.Generator
) -> np.ndarray:
    """`(n, stems, length)` float32: the excerpts at `places`, with random gains. A shorter clip is followed by silence."""
    found = np.zeros((*places.shape[:2], length), np.float32)
    for row, stem in np.ndindex(*places.shape[:2]):
        clip, first = places[row, stem]
        part = sounds[clip][stem][first : first + length]
        found[row, stem, : len(part)] = part / np.float32(stems.FULL_SCALE)
    gains = 10 ** (rng.uniform(-gain_db, gain_db, (*places.shape[:2], 1)) / 20)
    return found * gains.astype(np.float32)
