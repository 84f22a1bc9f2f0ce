"""Find the registered models, of any stage, that were trained on a clip that has been withdrawn since.

The registry's files are JSON in git; they name a version's inputs by hash, which are read from DVC's cache. The version's commit
is not needed."""

import hashlib
import io
from collections.abc import Collection, Iterator

import pandas as pd
import pyarrow.parquet as pq

from pipelines.core import paths
from pipelines.ops import registrations
from pipelines.ops.lineage import clips
from pipelines.ops.lineage.revision import listing, object_path


def versions() -> Iterator[dict]:
    """`{"model", "version", "stage", "dataset", "leave_out", "commit", "hashes"}` of each registered version that can be read."""
    stages: dict[str, dict[int, str]] = {}
    for model, record in registrations.records():
        if model not in stages:
            stages[model] = registrations.stages(registrations.events(model))
        try:
            found = {key: record[key] for key in ("version", "dataset", "leave_out", "commit")}
            hashes = {name: str(md5) for name, md5 in record["hashes"].items()}
            stage = stages[model].get(found["version"], "registered")
        except registrations.DAMAGED:
            continue
        yield {"model": model, "stage": stage, **found, "hashes": hashes}


def find(asked: str) -> list[dict]:
    """`{"model", "version", "stage", "commit", "role", "clip"}` of each version whose dataset had the clip that `asked` names (as
    `clips.named`), or whose manifest is not available; `role` and `clip` are None then. role: a key of
    `impact.ROLES`; clip: dataset and row."""
    found = []
    for version in versions():
        row, table = {key: version[key] for key in ("model", "version", "stage", "commit")}, manifest(version)
        if table is None:
            found.append({**row, "role": None, "clip": None})
            continue
        exact, by_name = clips.named(table, asked)
        for clip in table[exact if exact.any() else by_name].to_dict("records"):
            role = _role(version, table, clip["clip_id"])
            found.append(
                {**row, "role": role, "clip": {"dataset": version["dataset"], **{k: clip[k] for k in clips.COLUMNS}}}
            )
    return found


def trained_on(version: dict, contents: Collection[str]) -> list[str]:
    """The files among `contents` (SHA-256) that a version was trained or selected on; none if its manifest is not available."""
    table = manifest(version)
    rows = [] if table is None else table[table["sha256"].isin(list(contents))].to_dict("records")
    roles = ("reference", "validation")
    return sorted({row["sha256"] for row in rows if _role(version, table, row["clip_id"]) in roles})


def lines(found: list[dict], words: dict[str, str]) -> Iterator[str]:
    """The lines of a result; words: role -> its description."""
    if not found:
        return
    yield "Registered versions (independent of the working tree):"
    for row in found:
        said = words.get(row["role"], "") if row["clip"] else "unknown: its manifest is not available"
        yield f"  {row['model']} {row['version']} ({row['stage']}, commit {str(row['commit'])[:10]}): {said}"


def _role(version: dict, table: pd.DataFrame, clip_id: str) -> str:
    index = _bytes(listing(version["hashes"].get(str(paths.audio(version["dataset"])), "")).get("index.parquet"))
    return clips.role(table, index, version["leave_out"], clip_id)


def manifest(version: dict) -> pd.DataFrame | None:
    """The manifest of a version's training data; None if it is not available."""
    content = _bytes(version["hashes"].get(f"{paths.MANIFESTS}{version['dataset']}.parquet"))
    return None if content is None else pq.read_table(io.BytesIO(content)).to_pandas()


def _bytes(md5: str | None) -> bytes | None:
    """The bytes with this hash in DVC's cache; None if missing or damaged."""
    path = object_path(md5) if md5 else None
    content = path.read_bytes() if path and path.is_file() else None
    return content if content is not None and hashlib.md5(content).hexdigest() == md5 else None
