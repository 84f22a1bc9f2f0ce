"""The clips behind an asset: every manifest at a revision, with each clip's file, hash, source and licence."""

import io

import pandas as pd
import pyarrow.parquet as pq

from pipelines.core import paths, training_clips
from pipelines.ops.lineage.revision import LineageError, Revision

COLUMNS = ["clip_id", "path", "title", "split", "group", "sha256", "n_bytes", "source", "licence"]


def manifests(revision: Revision) -> dict[str, str]:
    """Dataset -> path of its manifest, for every dataset in dvc.lock."""
    found = (path for path in revision.graph.maker if path.startswith(paths.MANIFESTS) and path.endswith(".parquet"))
    return {path[len(paths.MANIFESTS) : -8]: path for path in found if not path.endswith(".quarantine.parquet")}


def read(revision: Revision, dataset: str, suffix: str = "") -> pd.DataFrame | None:
    """A dataset's manifest (or with ".quarantine" that); None if it is neither here nor in DVC's cache."""
    content = revision.data(f"{paths.MANIFESTS}{dataset}{suffix}.parquet")
    if content is None:
        return None
    table = pq.read_table(io.BytesIO(content))
    return table.to_pandas()


def find(revision: Revision, asked: str) -> list[tuple[str, dict]]:
    """(dataset, row of its manifest) of each clip that `asked` names: an id (for copies with ~2 and so on), a complete SHA-256, a
    path as in the manifest, or the title of one clip. Empty if there is none; raises `LineageError` if several titles or file
    names match."""
    exact, by_name = [], []
    for dataset in manifests(revision):
        table = read(revision, dataset)
        if table is None:
            continue
        is_it, ends = named(table, asked)
        exact += [(dataset, row) for row in table[is_it].to_dict("records")]
        by_name += [(dataset, row) for row in table[ends].to_dict("records")]
    if not exact and len({row["sha256"] for _, row in by_name}) > 1:
        some = ", ".join(f"{row['clip_id']} ({row['path']})" for _, row in by_name[:5])
        raise LineageError(f"{asked!r} names {len(by_name)} clips: {some}, ... Give the id of one.")
    return exact or by_name


def named(table: pd.DataFrame, asked: str) -> tuple[pd.Series, pd.Series]:
    """Two masks over a manifest's clips: those that `asked` identifies (id, SHA-256, path), and those with this title or file
    name."""
    exact = (table["clip_id"] == asked) | (table["sha256"] == asked) | (table["path"] == asked)
    return exact, (table["title"] == asked) | table["path"].str.endswith("/" + asked)


def role(table: pd.DataFrame, index: bytes | None, leave_out: dict | None, clip_id: str) -> str:
    """The role of a clip in a training on a manifest, as in `training_clips.roles`; "unusable" if the index of readable clips is
    available and lacks it."""
    if index is not None:
        usable = pq.read_table(io.BytesIO(index), columns=["clip_id"]).column("clip_id").to_pylist()
        table = table[table["clip_id"].isin(usable)].reset_index(drop=True)
    roles = pd.Series(training_clips.roles(table, leave_out).to_numpy(), index=table["clip_id"])
    return roles.get(clip_id, "unusable")


def licences(table: pd.DataFrame) -> list[dict]:
    """`{"licence", "clips", "sources", "source"}` per licence: the number of sources, and the first."""
    return [
        {
            "licence": licence,
            "clips": len(part),
            "sources": int(part["source"].nunique()),
            "source": part["source"].min(),
        }
        for licence, part in table.groupby("licence", sort=True)
    ]
