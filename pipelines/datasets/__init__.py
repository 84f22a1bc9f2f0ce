"""One module a dataset, all of the same shape; `datasets.<name>.module` in params.yaml names the module.

A module has, in this order: a docstring that says what the music is, `BIBTEX`, `LICENSE_INFO`, and

`build(raw_dir: Path, entry: dict) -> dict`
    Fill `raw_dir` (data/raw/<name>/, empty) with what was published, verified, or with what installed
    packages give. `entry` is the dataset's entry of params.yaml. Returns figures for the stage's record.
`clips(raw_dir: Path, entry: dict) -> pandas.DataFrame`
    A row a clip: `CLIP_COLUMNS`, and one `target_<name>` column (string, may be null) a clustering target.

A module never decodes audio and never drops a clip: unreadable files are rows like any other, and the
manifest and audio stages move them to the quarantine table with the reason. It may leave
`notes.parquet` (schema `NOTES`) in `raw_dir`: the exact notes of its clips.
"""

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa

from pipelines.store.tables import column, read_table

CLIP_COLUMNS = {
    "path": "audio file, relative to raw_dir, or absolute where the user's files stay where they are",
    "title": "what a person calls the clip",
    "tags": "list of strings: the multi-label truth, empty where there is none",
    "split": "train, validation, test, or all where there is no split",
    "group": "clips of one group (work, artist) never stand on two sides of a split; empty: the artist that the file's tags name",
    "source": "where the music comes from",
    "licence": "the licence of that source",
}

MANIFEST = pa.schema(
    [
        column(
            "clip_id", pa.string(), "first 16 hex digits of the file's SHA-256 (~2, ~3 for exact copies)", unique=True
        ),
        column("path", pa.string(), "audio file, relative to the project, or absolute"),
        column("title", pa.string(), "what a person calls the clip"),
        column("tags", pa.list_(pa.string()), "multi-label truth; empty where the dataset has none"),
        column("split", pa.string(), "train, validation, test; all where there is no split"),
        column("group", pa.string(), "work or artist: never on two sides of a split"),
        column("duplicate_of", pa.string(), "clip_id of the first file with the same bytes", null=True),
        column("duration_s", pa.float64(), "length by the file's header", unit="s"),
        column("sample_rate", pa.int32(), "rate of the file", unit="Hz"),
        column("channels", pa.int32(), "channels of the file"),
        column("n_bytes", pa.int64(), "size of the file", unit="byte"),
        column("sha256", pa.string(), "hash of the file's bytes"),
        column("source", pa.string(), "where the music comes from"),
        column("licence", pa.string(), "licence of that source"),
    ]
)

HEARD = pa.schema(
    [
        column("clip_id", pa.string(), "a clip that was decoded", unique=True),
        column("sha256", pa.string(), "hash of its samples"),
    ]
)
"""What `usable_clips` asks of the audio stage's index."""

COPIES = pa.schema(
    [
        column("clip_id", pa.string(), "a clip that was decoded", unique=True),
        column(
            "group",
            pa.string(),
            "its work or artist; one for all clips that share a work, an artist, a sound or nearly a sound",
        ),
    ]
)

QUARANTINE = pa.schema(
    [
        column("path", pa.string(), "the file that could not be used"),
        column("stage", pa.string(), "the stage that refused it"),
        column("reason", pa.string(), "what is wrong and what to do, for a person"),
        column("exception", pa.string(), "the error behind it, for a developer; empty where there is none"),
    ]
)

NOTES = pa.schema(
    [
        column("path", pa.string(), "the clip, as in the dataset's clips()"),
        column("voice", pa.int32(), "part of the score, 0 the highest written"),
        column("program", pa.int32(), "General MIDI program, 0 to 127"),
        column("pitch", pa.int32(), "MIDI note number"),
        column("velocity", pa.int32(), "MIDI velocity, 1 to 127"),
        column("onset_s", pa.float64(), "start in the clip", unit="s"),
        column("duration_s", pa.float64(), "length as notated at the clip's tempo, cut at the clip's end", unit="s"),
    ]
)

SPLITS = ("train", "validation", "test", "all")


def load(entry: dict) -> ModuleType:
    """The module of a dataset's entry. Raises `ValueError` naming the file to write where there is none."""
    name = entry["module"]
    try:
        return importlib.import_module(f"pipelines.datasets.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"pipelines.datasets.{name}":
            raise
        raise ValueError(
            f"no dataset module {name!r}: write pipelines/datasets/{name}.py (see its neighbours)"
        ) from error


def raw_dir(name: str) -> Path:
    return Path("data/raw") / name


def usable_clips(name: str, joined: bool = True) -> pd.DataFrame:
    """The manifest's clips that were decoded, in the manifest's order: what every later stage works on.

    Clips of the same sound, in whatever file, are of one group: they are not independent. `joined=False`: groups as they stand in
    the manifest, for whoever counts copies and groups apart.
    """
    manifest = read_table(f"data/manifests/{name}.parquet", MANIFEST)
    heard = read_table(f"data/audio/{name}/index.parquet", HEARD, columns=HEARD.names)
    clips = manifest[manifest["clip_id"].isin(heard["clip_id"])].reset_index(drop=True)
    if not joined:
        return clips
    sounds = clips["clip_id"].map(heard.set_index("clip_id")["sha256"])
    return clips.assign(group=join_groups(sounds, clips["group"]))


def independent_clips(name: str) -> pd.DataFrame:
    """`usable_clips`, near copies of one group too: what is scored, in folds and in bootstraps over groups."""
    clips = usable_clips(name)
    groups = read_table(f"data/copies/{name}.parquet", COPIES).set_index("clip_id")["group"]
    return clips.assign(group=clips["clip_id"].map(groups))


def join_groups(contents: Iterable[str], groups: Iterable[str]) -> list[str]:
    """The group of each clip once groups that share a content (a hash of it) are one, called as the first of them."""
    contents, groups = list(contents), list(groups)
    joined: dict[str, str] = {}

    def name(group: str) -> str:
        while joined.get(group, group) != group:
            group = joined[group]
        return group

    first: dict[str, str] = {}
    for content, group in zip(contents, groups, strict=True):
        joined[name(group)] = name(first.setdefault(content, group))
    return [name(group) for group in groups]


def scored_and_reference(clips: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Masks of the clips that are scored (test; all where there is no split) and those that may be fitted on (train)."""
    if "test" not in set(clips["split"]):
        everything = pd.Series(True, index=clips.index)
        return everything, everything
    train = clips["split"] == "train"
    return clips["split"] == "test", train if train.any() else clips["split"] == "test"
