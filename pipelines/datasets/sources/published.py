"""Shared by published datasets: download files or find them locally, and write the table of clips of `build`.

`local: <folder>` in a dataset's entry names a folder that already holds the dataset. Its audio is read where it is, as with
a folder of your own; a file of metadata that is not in it is downloaded where its checksum is known. Without `local`
everything is downloaded to `.cache/downloads` and kept there: making `data/raw/<dataset>` again needs no download, and two
entries with different splits of one dataset share its archives. The folder may be deleted at any time.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from pipelines.core.files import atomic
from pipelines.core.tables import column, read_table, write_table
from pipelines.datasets.sources import archives, download
from pipelines.harness.progress import progress

DOWNLOADS = Path(".cache/downloads")
# those of pipelines/datasets/listing.py, which a published dataset does not depend on
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".au", ".snd", ".aif", ".aiff")
SHOWN = 20  # problems in the record of the stage; all of them are in the quarantine table

CLIPS = pa.schema(
    [
        column(
            "path",
            pa.string(),
            "audio file, relative to raw_dir, or absolute if it is in a local folder",
            unique=True,
        ),
        column("title", pa.string(), "title of the clip for display"),
        column("tags", pa.list_(pa.string()), "multi-label truth, as published"),
        column("split", pa.string(), "train, validation, test; all where there is no split"),
        column("group", pa.string(), "artist, or the group of the dataset's module"),
        column("source", pa.string(), "dataset, version and file"),
        column("licence", pa.string(), "licence of the music"),
        column("sha256", pa.string(), "hash of the file's bytes where build has read them, else empty"),
        column("problem", pa.string(), "why it cannot be used; empty where it can"),
    ]
)


class DatasetError(ValueError):
    """A dataset that cannot be built as its entry asks; the message says what to do."""


class Remote(NamedTuple):
    """A published file."""

    name: str
    urls: tuple[str, ...]  # hosts, in the order in which they are asked
    checksums: tuple[str, ...]  # "md5:..." or "sha256:...", any of which it may have


def fetch(remote: Remote, folder: str, otherwise: str) -> Path:
    """The file, in `.cache/downloads/<folder>`."""
    return download.fetch(remote.urls, remote.checksums, DOWNLOADS / folder / remote.name, otherwise)


def fetch_archive(parts: Sequence[Remote], folder: str, otherwise: str) -> Path:
    """The folder with an archive's files; an archive in several parts (`.001`, `.002`) is put together first.

    The archive is deleted once it is unpacked: the disk need not hold a dataset twice.
    """
    first = DOWNLOADS / folder / parts[0].name
    unpacked = first.with_name(f"{first.name}.files")
    if unpacked.exists():
        return unpacked
    fetched = [fetch(part, folder, otherwise) for part in parts]
    whole = first if len(parts) == 1 else _join(fetched)
    archives.unpack(whole, unpacked)
    for path in {whole, *fetched}:
        path.unlink()
    return unpacked


def metadata(remote: Remote, entry: dict, folder: str, otherwise: str) -> Path:
    """A file of metadata: from anywhere in the `local` folder, by its name or else by its checksum; else downloaded."""
    if local := entry.get("local"):
        below = files_below(local)
        found = [path for path in below if path.name == remote.name]
        if len(found) > 1:
            raise DatasetError(f"{remote.name} is in {local} more than once ({found[0]}, {found[1]}): keep one of them")
        alike = (path for path in below if path.suffix == Path(remote.name).suffix)
        path = found[0] if found else next((p for p in alike if download.has_checksum(p, remote.checksums)), None)
        if path:
            return path
        logging.getLogger("download").info("%s is not in %s: downloading it", remote.name, local)
        otherwise = (
            f"Or put it anywhere in {local}, the dataset's `local` folder, it is found there by name or checksum."
        )
    return fetch(remote, folder, otherwise)


def read_text(path: Path) -> str:
    """A published list. Raises `DatasetError` where it is no text in UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not text in UTF-8 ({error}): it is not the published file") from error


def given(path: str | os.PathLike) -> Path:
    """A path of params.yaml. A relative one is meant from the project's folder, also in a retraining's worktree."""
    return Path(os.environ.get("CONSERVATORY_PROJECT", ""), Path(path).expanduser())


def files_below(folder: str | os.PathLike) -> list[Path]:
    """The files below `folder`, sorted, without hidden ones (`._*` are what macOS leaves in archives)."""
    root = given(folder)
    if not root.is_dir():
        raise DatasetError(
            f"local: {folder} is not a folder: give the one that contains the dataset, or mount its disk"
        )
    found = []
    for place, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
    return found


def audio_below(folder: str | os.PathLike) -> list[Path]:
    return [path for path in files_below(folder) if path.suffix.lower() in AUDIO_SUFFIXES]


def check_keys(entry: dict, options: Sequence[str]) -> None:
    """Raise `DatasetError` for a key that the dataset does not know: misspelt, it would silently do nothing."""
    unknown = set(entry) - {"module", "imports", *options}
    if unknown:
        raise DatasetError(
            f"{', '.join(sorted(unknown))} in params.yaml; {entry['module']} has the options {', '.join(options)}"
        )


def option(entry: dict, name: str, default: Any, allowed: Iterable[Any]) -> Any:
    """`entry[name]`, which must be one of `allowed`."""
    value, allowed = entry.get(name, default), list(allowed)
    if value not in allowed:
        raise DatasetError(f"{name}: {value} in params.yaml; there is {', '.join(map(str, allowed))}")
    return value


def row(path: str | Path, **known: Any) -> dict:
    """A clip with `CLIPS`' columns and targets; what is not known of a row that cannot be used may be left out."""
    empty = {"title": str(path), "tags": [], "split": "all", "group": str(path), "sha256": "", "problem": ""}
    return {"path": str(path), **empty, **known}


def place(files: dict[str, Path], raw_dir: Path, entry: dict) -> dict[str, str]:
    """Key -> path for the table: absolute in a `local` folder, else below `raw_dir/audio`, where the file is linked.

    `files` are keyed by the path they shall have below `raw_dir/audio`, without the suffix.
    """
    if entry.get("local"):
        return {key: str(path.absolute()) for key, path in files.items()}
    paths = {key: f"audio/{key}{path.suffix.lower()}" for key, path in files.items()}
    for key, path in progress(files.items(), "link audio", unit="file"):
        target = raw_dir / paths[key]
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target)
        except OSError:  # another disk, or one without hard links
            shutil.copyfile(path, target)
    return paths


def save(rows: list[dict], raw_dir: Path, left_out: Counter | dict, **figures: Any) -> dict:
    """Write the table of clips; returns the figures for the stage's record. Raises `DatasetError` where nothing is usable."""
    problems = [row for row in rows if row["problem"]]
    if len(problems) == len(rows):
        raise DatasetError(
            f"none of {len(rows)} clips can be used; for example: {problems[0]['path']}: {problems[0]['problem']}"
            if rows
            else "the dataset's lists have no clip for the options in params.yaml"
        )
    frame = pd.DataFrame(rows)
    targets = [name for name in frame if name.startswith("target_") and frame[name].notna().any()]
    schema = pa.schema([*CLIPS, *(column(name, pa.string(), "class of the clip", null=True) for name in targets)])
    write_table(frame[schema.names], raw_dir / "clips.parquet", schema)
    counts = frame["split"].value_counts().sort_index()
    return {
        "clips": len(rows),
        "unusable": len(problems),
        **{f"{split} clips": int(n) for split, n in counts.items()},
        "left out": {key: int(n) for key, n in left_out.items() if n},
        "problems, for example": [f"{row['path']}: {row['problem']}" for row in problems[:SHOWN]],
        **figures,
    }


def load(raw_dir: Path) -> pd.DataFrame:
    """The table that `save` left."""
    return read_table(raw_dir / "clips.parquet", CLIPS)


def _join(parts: list[Path]) -> Path:
    whole = parts[0].with_suffix("")
    download.check_space(whole.parent, sum(part.stat().st_size for part in parts), whole.name)
    with atomic(whole) as temporary, open(temporary, "wb") as file:
        for part in parts:
            with open(part, "rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
    return whole
