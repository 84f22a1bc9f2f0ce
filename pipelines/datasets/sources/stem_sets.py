"""Shared by published multitracks: write the stems and clips of their tracks, and the table of clips."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pipelines.core import splits, stem_files, stems
from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError
from pipelines.harness import executor
from pipelines.harness.progress import progress

Files = tuple[tuple[str, tuple[Path, ...]], ...]
"""(stem, its files), as `stem_files.Track` has them."""
OPTIONS = ("gain_db", "lengths", "local", "sample_rate")
"""Of every module here. `sample_rate`: of the clips, in Hz. `gain_db`: of all stems, where sums would clip. `lengths`: `equal`
(default), or `pad`, where stems of one track differ in length and the shorter ones are to be followed by silence."""


def track(raw_dir: Path, entry: dict, path: str, files: Files) -> stem_files.Track:
    """A track by the options of an entry that `checked` returned."""
    return stem_files.Track(
        raw_dir,
        path,
        files,
        entry["sample_rate"],
        entry["gain_db"],
        leave_out_silent=True,
        pad=entry["lengths"] == "pad",
    )


def checked(entry: dict, sample_rate: int) -> dict:
    """`entry` with `sample_rate`, `gain_db` and `lengths`; `sample_rate`: the published one. Raises `DatasetError`."""
    rate, gain = entry.get("sample_rate", sample_rate), entry.get("gain_db", 0.0)
    if not isinstance(rate, int) or not 2000 <= rate <= sample_rate:
        raise DatasetError(f"sample_rate: {rate} in params.yaml; there is 2000 to {sample_rate} Hz, the published rate")
    if not isinstance(gain, int | float) or gain > 0:
        raise DatasetError(f"gain_db: {gain} in params.yaml; a number of dB is needed, 0 or less")
    lengths = published.option(entry, "lengths", "equal", ("equal", "pad"))
    return entry | {"sample_rate": rate, "gain_db": float(gain), "lengths": lengths}


def divide(groups: list[str], entry: dict) -> list[str]:
    """The side of each track by `entry`'s shares and seed. Raises `DatasetError`."""
    if not isinstance(entry.get("split"), dict) or "seed" not in entry:
        raise DatasetError(
            f"split: {entry.get('split')} in params.yaml; {entry['module']} has no published split of these tracks: write "
            "split: {train: 0.6, validation: 0.15, test: 0.25} and seed: 2026"
        )
    return splits.assign(groups, [""] * len(groups), entry["split"], entry["seed"])


def write(
    rows: list[dict], tracks: Mapping[str, stem_files.Track], raw_dir: Path
) -> tuple[dict[str, stem_files.Written], dict]:
    """Write the stems and clips of `tracks` (path of a clip -> its track), with progress.

    A problem of a track is written into its row of `rows` (`published.row`). Returns what was written, by path, and figures.
    """
    sound_s = stem_files.seconds(tracks.values())
    results = executor.run(stem_files.write, list(tracks.values()), sound_s=sound_s)
    written = dict(zip(tracks, progress(results, "read stems", len(tracks), unit="track"), strict=True))
    for row in rows:
        row["problem"] = row["problem"] or written[row["path"]].problem
    stems.write_index(raw_dir, [row for each in written.values() for row in each.rows])
    silent = Counter(name for each in written.values() for name in each.silent)
    figures = {"stems": sum(len(each.rows) for each in written.values()), "silent stems left out": dict(silent)}
    return written, figures


def by_name(folder: str | Path, names: set[str]) -> dict[Path, dict[str, Path]]:
    """Folder -> name -> file, of the audio files below `folder` whose name without suffix is in `names`."""
    found: dict[Path, dict[str, Path]] = {}
    for path in published.audio_below(folder):
        if path.stem in names:
            found.setdefault(path.parent, {}).setdefault(path.stem, path)
    return found
