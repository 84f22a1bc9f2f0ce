"""Your own multitracks: a folder `<track>/<stem>.wav`, all stems of a track alike. A clip is the sum of its stems.

    mine:
      module: multitrack_folder
      imports: pipelines/datasets/listing.py
      path: /music/multitracks
      fingerprint: ""                 # `conservatory run` writes it
      sample_rate: 44100              # of the files
      split: {train: 0.6, validation: 0.15, test: 0.25}
      seed: 2026
      # stems: [bass, drums, other, vocals]    # those to use; without it, all that any track has

A file `mixture` (or `mix`) of a track is not read: the clip is the sum. Tracks named `Artist - Title`, as those of MUSDB18, are
of one group by artist, so that no artist is on two sides of the split; other tracks are groups of their own.

A track is quarantined, with the reason, where a stem is missing or silent throughout, where its files differ in length, rate or
channels, where their rate is not `sample_rate`, where one cannot be read, and where the sum would clip. Channels are averaged.
The files are read in place and never changed; the stems are copied as 16-bit samples (core/stems.py).
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import soundfile

from pipelines.core import splits, stems
from pipelines.core.files import atomic, place
from pipelines.core.tables import column, read_table, write_table
from pipelines.datasets import listing

BIBTEX = ""
LICENSE_INFO = "the user's own"
MIXTURES = ("mixture", "mix")
CLIPS = pa.schema(
    [
        column("path", pa.string(), "audio file, relative to raw_dir", unique=True),
        column("title", pa.string(), "the track"),
        column("tags", pa.list_(pa.string()), "none"),
        column("split", pa.string(), "train, validation, test"),
        column("group", pa.string(), "the artist, or the track"),
        column("source", pa.string(), "the folder"),
        column("licence", pa.string(), "licence of the files"),
        column("problem", pa.string(), "why the track cannot be used; empty where it can"),
    ]
)


class Unusable(Exception):
    """A track that is quarantined; the message says why and what to do."""


def build(raw_dir: Path, entry: dict) -> dict:
    """Read every track, and write audio/*.flac, stems/ and clips.parquet. Raises `SourceError` where the folder is not as
    `entry["fingerprint"]` says, or has no tracks."""
    root = place(entry["path"])
    files = listing.scan(root)
    if listing.fingerprint(files) != entry["fingerprint"]:
        raise listing.SourceError(
            f"{entry['path']} does not match params.yaml: files were added, changed or removed. `conservatory run` records the "
            "present files and continues."
        )
    tracks = _tracks(files)
    if not tracks:
        raise listing.SourceError(f"{entry['path']} has no folder <track>/ with a file for each stem in it")
    wanted = entry.get("stems") or sorted({name for found in tracks.values() for name in found})
    groups = [name.partition(" - ")[0] if " - " in name else name for name in tracks]
    sides = splits.assign(groups, [""] * len(tracks), entry["split"], entry["seed"])
    rows, index = [], []
    for (track, found), group, side in zip(tracks.items(), groups, sides, strict=True):
        path, problem = f"audio/{track}.flac", ""
        try:
            sounds = read(root, found, wanted, entry["sample_rate"])
            index += stems.write_clip(raw_dir, path, wanted, sounds, entry["sample_rate"])
            with atomic(raw_dir / path) as temporary:
                mixture = sounds.sum(axis=0, dtype=np.int32).astype(np.int16)
                soundfile.write(temporary, mixture, entry["sample_rate"], format="FLAC", subtype="PCM_16")
        except (Unusable, ValueError) as error:
            problem = str(error).removeprefix(f"{path}: ")
        row = {"path": path, "title": track, "tags": [], "split": side, "group": group, "problem": problem}
        rows.append(row | {"source": str(Path(entry["path"])), "licence": LICENSE_INFO})
    stems.write_index(raw_dir, index)
    write_table(pd.DataFrame(rows)[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    unusable = sum(bool(row["problem"]) for row in rows)
    return {"tracks": len(rows), "stems": len(wanted), "groups": len(set(groups)), "unusable": unusable}


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """A row a track; `problem` tells the manifest stage why it is quarantined."""
    return read_table(raw_dir / "clips.parquet", CLIPS)


def read(root: Path, found: dict[str, list[str]], wanted: list[str], rate: int) -> np.ndarray:
    """`(stems, samples)` int16 of a track's files, in the order of `wanted`. Raises `Unusable`."""
    for name in wanted:
        if name not in found:
            raise Unusable(
                f"the stem {name} is missing: add {name}.wav, or name under `stems` in params.yaml those that every track has"
            )
        if len(found[name]) > 1:
            raise Unusable(f"two files are the stem {name}: {', '.join(found[name])}; keep one")
    sounds, first = [], None
    for name in wanted:
        (path,) = found[name]
        try:
            sound, own = soundfile.read(root / path, dtype="float64", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise Unusable(f"{path} cannot be read: {error}") from error
        if own != rate:
            raise Unusable(f"{path} has {own} Hz, not {rate}: convert it, or write sample_rate: {own} into params.yaml")
        first = first or (path, sound.shape)
        if len(sound) != first[1][0]:
            raise Unusable(
                f"{path} has {len(sound)} samples and {first[0]} {first[1][0]}: export all stems from one start to one end"
            )
        if sound.shape[1] != first[1][1]:
            raise Unusable(f"{path} has {sound.shape[1]} channels and {first[0]} {first[1][1]}: export all stems alike")
        if not np.isfinite(sound).all():
            raise Unusable(f"{path} has NaN or infinite samples: export it again")
        mono = np.rint(sound.mean(axis=1) * stems.FULL_SCALE)
        if len(mono) and not np.abs(mono).max() <= stems.FULL_SCALE:
            raise Unusable(f"{path} is louder than full scale: export it at a lower level")
        if not mono.any():
            raise Unusable(
                f"{path} is silent throughout: leave the track out, or the stem under `stems` in params.yaml"
            )
        sounds.append(np.clip(mono, -stems.FULL_SCALE, stems.FULL_SCALE - 1).astype(np.int16))
    return np.stack(sounds)


def _tracks(files: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Track -> stem -> its files, of the files of a folder `<track>/<stem>.<ext>`."""
    tracks: dict[str, dict[str, list[str]]] = {}
    for path in files.loc[files["problem"] != listing.OF_EVENTS, "path"]:
        track, _, name = path.rpartition("/")
        stem = Path(name).stem
        if track and "/" not in track and stem.lower() not in MIXTURES:
            tracks.setdefault(track, {}).setdefault(stem, []).append(path)
    return dict(sorted(tracks.items()))
