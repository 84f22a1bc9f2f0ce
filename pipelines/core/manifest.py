"""The contract between stages: schemas of the tables of a dataset's clips, and the clips and groups that later stages use."""

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from pipelines.core import max_quarantined, paths
from pipelines.core.tables import column, read_table

MANIFEST = pa.schema(
    [
        column(
            "clip_id", pa.string(), "first 16 hex digits of the file's SHA-256 (~2, ~3 for exact copies)", unique=True
        ),
        column("path", pa.string(), "audio file, relative to the project, or absolute"),
        column("title", pa.string(), "title of the clip for display"),
        column("tags", pa.list_(pa.string()), "multi-label truth; empty where the dataset has none"),
        column("split", pa.string(), "train, validation, test; all where there is no split"),
        column("group", pa.string(), "work or artist: never on two sides of a split"),
        column("duplicate_of", pa.string(), "clip_id of the first file with the same bytes", null=True),
        column("duration_s", pa.float64(), "length by the file's header", unit="s"),
        column("sample_rate", pa.int32(), "rate of the file", unit="Hz"),
        column("channels", pa.int32(), "channels of the file"),
        column("n_bytes", pa.int64(), "size of the file", unit="byte"),
        column("sha256", pa.string(), "hash of the file's bytes"),
        column("source", pa.string(), "source of the music"),
        column("licence", pa.string(), "licence of that source"),
    ]
)

_OF_SOUND = ("sample_rate", "channels")
LABELLED = pa.schema([field for field in MANIFEST if field.name not in (*_OF_SOUND, "duration_s")])
"""What clips of sound and pieces of notes have in common: what a reader of labels, splits and groups asks of a manifest."""
PIECES = pa.schema(
    [
        *LABELLED,
        column("duration_s", pa.float64(), "length of the longest sequence, as played", unit="s"),
        column("duration", pa.float64(), "length of the longest sequence", unit="quarter"),
        column("n_notes", pa.int32(), "notes, drums included"),
        column("n_tracks", pa.int32(), "tracks of the file or parts of the score, those without notes included"),
        column("division", pa.int32(), "ticks a quarter; every onset is a whole tick"),
        column("remarks", pa.string(), "what is unusual about the file and how often; empty where nothing is"),
    ]
)
"""The manifest of a corpus: a row a piece. A piece of notes has no sample rate and no channels of sound."""

DECODED = pa.schema(
    [
        column("clip_id", pa.string(), "a decoded clip", unique=True),
        column("sha256", pa.string(), "hash of its samples"),
    ]
)
"""What `usable_clips` asks of the audio stage's index."""

COPIES = pa.schema(
    [
        column("clip_id", pa.string(), "a decoded clip", unique=True),
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


def usable_clips(name: str, joined: bool = True) -> pd.DataFrame:
    """The manifest's clips that were decoded, in the manifest's order: what every later stage works on.

    Clips of the same sound, in whatever file, are of one group: they are not independent. `joined=False`: groups as they stand in
    the manifest, for whoever counts copies and groups apart.
    """
    manifest = read_table(paths.manifest(name), MANIFEST)
    decoded = read_table(paths.audio(name) / "index.parquet", DECODED, columns=DECODED.names)
    clips = manifest[manifest["clip_id"].isin(decoded["clip_id"])].reset_index(drop=True)
    if not joined:
        return clips
    sounds = clips["clip_id"].map(decoded.set_index("clip_id")["sha256"])
    return clips.assign(group=join_groups(sounds, clips["group"]))


def independent_clips(name: str) -> pd.DataFrame:
    """`usable_clips`, near copies of one group too: what is scored, in folds and in bootstraps over groups."""
    clips = usable_clips(name)
    groups = read_table(paths.copies(name), COPIES).set_index("clip_id")["group"]
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


def identify(clips: pd.DataFrame) -> pd.DataFrame:
    """Give each clip its content's name (columns `sha256`, `group`); exact copies get ~2, ~3 and the name of the first, and are
    of one group with it."""
    first = clips["sha256"].astype(str).str.slice(0, 16)  # of no clip at all the column has no type
    copy = clips.groupby("sha256", sort=False).cumcount()
    clips = clips.assign(
        clip_id=[name if n == 0 else f"{name}~{n + 1}" for name, n in zip(first, copy, strict=True)],
        duplicate_of=[None if n == 0 else name for name, n in zip(first, copy, strict=True)],
    )
    groups = join_groups(clips["sha256"], clips["group"])
    return clips.assign(group=groups).reset_index(drop=True)


def withdraw(
    manifest: pd.DataFrame, quarantine: pd.DataFrame, withdrawn: dict[str, str], stage: str = "manifest"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(manifest, quarantine) with the clips whose bytes were withdrawn moved to the quarantine.

    withdrawn: SHA-256 of a file -> why it may not be used (params.yaml; `conservatory remove` writes it). Raises `ValueError`
    where it is no such table.
    """
    if not isinstance(withdrawn, dict) or not all(
        isinstance(content, str) and len(content) == 64 for content in withdrawn
    ):
        raise ValueError("withdrawn in params.yaml must be a table, SHA-256 of a file -> why, or {}")
    out = manifest["sha256"].isin(withdrawn)
    moved = pd.DataFrame(
        {
            "path": manifest.loc[out, "path"],
            "stage": stage,
            "reason": [f"{max_quarantined.WITHDRAWN}: {withdrawn[content]}" for content in manifest.loc[out, "sha256"]],
            "exception": "",
        }
    )
    return manifest[~out].reset_index(drop=True), pd.concat([quarantine, moved], ignore_index=True)


def scored_and_reference(clips: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Masks of the clips that are scored (test; all where there is no split) and those that may be fitted on (train)."""
    if "test" not in set(clips["split"]):
        everything = pd.Series(True, index=clips.index)
        return everything, everything
    train = clips["split"] == "train"
    return clips["split"] == "test", train if train.any() else clips["split"] == "test"
