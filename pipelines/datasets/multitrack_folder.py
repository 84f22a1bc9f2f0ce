"""Your own multitracks: a folder `<track>/<stem>.wav`, all stems of a track alike. A clip is the sum of its stems.

    mine:
      module: multitrack_folder
      imports: pipelines/datasets/listing.py
      path: /music/multitracks
      fingerprint: ""                 # `conservatory run` writes it
      sample_rate: 44100              # of the clips; files of a higher rate are resampled
      split: {train: 0.6, validation: 0.15, test: 0.25}
      seed: 2026
      # lengths: pad          # shorter stems are followed by silence; without it, such tracks are quarantined
      # stems: [bass, drums, other, vocals]    # those to use; without it, all that any track has

A file `mixture` (or `mix`) of a track is not read: the clip is the sum. Tracks named `Artist - Title`, as those of MUSDB18, are
of one group by artist, so that no artist is on two sides of the split; other tracks are groups of their own.

A track is quarantined, with the reason, where a stem is missing or silent throughout, where its files differ in length, rate or
channels, where their rate is below `sample_rate`, where one cannot be read, and where the sum would clip. Channels are averaged.
The files are read in place and never changed; the stems are copied as 16-bit samples (core/stem_files.py).
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipelines.core import splits, stem_files, stems
from pipelines.core.files import place
from pipelines.core.tables import column, read_table, write_table
from pipelines.datasets import listing
from pipelines.harness import executor
from pipelines.harness.progress import progress

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
    rows, tasks = [], {}
    for (track, found), group, side in zip(tracks.items(), groups, sides, strict=True):
        row = {"path": f"audio/{track}.flac", "title": track, "tags": [], "split": side, "group": group, "problem": ""}
        rows.append(row | {"source": str(Path(entry["path"])), "licence": LICENSE_INFO})
        try:
            stems_of = _files(root, found, wanted)
            pad = entry.get("lengths") == "pad"
            tasks[track] = stem_files.Track(raw_dir, row["path"], stems_of, entry["sample_rate"], pad=pad)
        except stem_files.Unusable as error:
            rows[-1]["problem"] = str(error)
    results = executor.run(stem_files.write, list(tasks.values()), sound_s=stem_files.seconds(tasks.values()))
    written = dict(zip(tasks, progress(results, "read stems", len(tasks), unit="track"), strict=True))
    for row in rows:
        row["problem"] = row["problem"] or written[row["title"]].problem
    stems.write_index(raw_dir, [row for found in written.values() for row in found.rows])
    write_table(pd.DataFrame(rows)[CLIPS.names], raw_dir / "clips.parquet", CLIPS)
    unusable = sum(bool(row["problem"]) for row in rows)
    return {"tracks": len(rows), "stems": len(wanted), "groups": len(set(groups)), "unusable": unusable}


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    """A row a track; `problem` tells the manifest stage why it is quarantined."""
    return read_table(raw_dir / "clips.parquet", CLIPS)


def _files(root: Path, found: dict[str, list[str]], wanted: list[str]) -> tuple[tuple[str, tuple[Path]], ...]:
    """(stem, its file) of a track, in the order of `wanted`. Raises `Unusable`."""
    for name in wanted:
        if name not in found:
            raise stem_files.Unusable(
                f"the stem {name} is missing: add {name}.wav, or name under `stems` in params.yaml those that every track has"
            )
        if len(found[name]) > 1:
            raise stem_files.Unusable(f"two files are the stem {name}: {', '.join(found[name])}; keep one")
    return tuple((name, (root / found[name][0],)) for name in wanted)


def _tracks(files: pd.DataFrame) -> dict[str, dict[str, list[str]]]:
    """Track -> stem -> its files, of the files of a folder `<track>/<stem>.<ext>`."""
    tracks: dict[str, dict[str, list[str]]] = {}
    for path in files.loc[files["problem"] != listing.OF_EVENTS, "path"]:
        track, _, name = path.rpartition("/")
        stem = Path(name).stem
        if track and "/" not in track and stem.lower() not in MIXTURES:
            tracks.setdefault(track, {}).setdefault(stem, []).append(path)
    return dict(sorted(tracks.items()))
