"""notes: the pieces of a corpus as note tables, a manifest with a row a piece, and a quarantine of what cannot be read."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.core import events, max_quarantined, params, paths, splits
from pipelines.core.manifest import PIECES, QUARANTINE, identify, withdraw
from pipelines.core.plain import one_line
from pipelines.core.record import write_record
from pipelines.core.tables import write_table
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.notes.tables import TABLES, Piece, Unreadable, whole

BATCH = 32
WORKERS_FROM_BYTES = 500_000  # less is read sooner than workers have started


@dataclass(frozen=True)
class Batch:
    """Some files to read: the corpus's module, their paths, and the hash of each when it was listed, else ""."""

    module: str
    paths: tuple[str, ...]
    known: tuple[str, ...]


def read_batch(batch: Batch) -> list[dict]:
    """`piece`, `sha256` and `n_bytes` of each file, or the `reason` why there are none."""
    module = corpora.load({"module": batch.module})
    return [_read(module, path, known) for path, known in zip(batch.paths, batch.known, strict=True)]


def _read(module, path: str, known: str) -> dict:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        return {"reason": f"it cannot be read: {error.strerror}", "exception": repr(error)}
    found = hashlib.sha256(content).hexdigest()
    if known and found != known:
        return {"reason": "it has changed since it was listed: run again", "exception": ""}
    try:
        piece = module.read(Path(path), content)
    except Unreadable as error:
        return {"reason": str(error), "exception": repr(error.__cause__) if error.__cause__ else ""}
    if not len(piece.notes):
        return {"reason": "it holds no notes", "exception": ""}
    return {"reason": "", "exception": "", "sha256": found, "n_bytes": len(content), "piece": piece}


def build(
    rows: pd.DataFrame, entry: Mapping, executor_settings: dict | None = None, describe: str = "notes"
) -> tuple[pd.DataFrame, pd.DataFrame, list[Piece]]:
    """(manifest, quarantine, the piece of each row of the manifest): a row of `rows` is in exactly one of the two tables."""
    rows = rows.reset_index(drop=True)
    found: dict[int, dict] = {n: {"reason": bad, "exception": ""} for n, bad in enumerate(rows["problem"]) if bad}
    waiting = [n for n in range(len(rows)) if n not in found]
    parts = [waiting[first : first + BATCH] for first in range(0, len(waiting), BATCH)]
    tasks = [Batch(entry["module"], tuple(rows["path"][part]), tuple(rows["sha256"][part])) for part in parts]
    n_bytes = sum(path.stat().st_size for path in map(Path, rows["path"][waiting]) if path.exists())
    few = 0 if n_bytes < WORKERS_FROM_BYTES else None
    results = executor.run(read_batch, tasks, executor_settings, few)
    for part, pieces in zip(parts, progress(results, describe, len(waiting), size=len), strict=True):
        found |= dict(zip(part, pieces, strict=True))
    bad = [n for n in range(len(rows)) if found[n]["reason"]]
    good = [n for n in range(len(rows)) if not found[n]["reason"]]
    quarantine = pd.DataFrame(
        {
            "path": rows["path"][bad],
            "stage": "notes",
            "reason": [found[n]["reason"] for n in bad],
            "exception": [found[n]["exception"] for n in bad],
        }
    )
    quarantine = quarantine.astype(str).reset_index(drop=True)  # of no file at all the columns have no type
    pieces = [found[n]["piece"] for n in good]
    manifest = rows.loc[good].drop(columns=["sha256", "problem"]).reset_index(drop=True)
    manifest = manifest.assign(
        group=manifest["group"].where(manifest["group"] != "", manifest["title"]),
        tags=[[] for _ in good],
        sha256=[found[n]["sha256"] for n in good],
        n_bytes=[found[n]["n_bytes"] for n in good],
        duration_s=[piece.length_s for piece in pieces],
        duration=[piece.length for piece in pieces],
        n_notes=[len(piece.notes) for piece in pieces],
        n_tracks=[piece.n_tracks for piece in pieces],
        division=[piece.division for piece in pieces],
        remarks=["; ".join(f"{n} {name}" for name, n in piece.remarks.items()) for piece in pieces],
    )
    manifest = identify(manifest)
    if regroup := getattr(corpora.load(entry), "regroup", None):
        manifest["group"] = regroup(manifest["group"].tolist(), pieces)
    if "split" in entry and len(manifest):
        manifest["split"] = corpora.assign_splits(manifest["group"], entry["split"], entry["seed"])
    return manifest, quarantine, pieces


def targets_of(entry: Mapping, manifest: pd.DataFrame, pieces: list[Piece]) -> pd.DataFrame:
    """The events of the pieces (`core.events.EVENTS`); none where the corpus has no annotations."""
    found = getattr(corpora.load(entry), "events", None)
    if not found or not len(manifest):
        return events.none()
    return events.of_clips(found(manifest["path"].tolist(), pieces), manifest, f"annotations of {entry['module']}")


def main(corpus: str) -> None:
    log = start(f"notes {corpus}")
    settings = params.read()
    entry = settings["corpora"][corpus]
    folder = paths.notes(corpus)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        listed = corpora.load(entry).pieces(entry)
        manifest, quarantine, pieces = build(listed, entry, settings["executor"], f"notes {corpus}")
        by_id = dict(zip(manifest["clip_id"], pieces, strict=True))
        unread = len(quarantine)
        manifest, quarantine = withdraw(manifest, quarantine, settings.get("withdrawn") or {}, "notes")
        targets = targets_of(entry, manifest, [by_id[clip_id] for clip_id in manifest["clip_id"]])
    except ValueError as error:
        raise SystemExit(f"notes {corpus}: {error}") from error
    by_id = {clip_id: by_id[clip_id] for clip_id in manifest["clip_id"]}
    for name, schema in TABLES.items():
        tables = {clip_id: getattr(piece, name) for clip_id, piece in by_id.items()}
        write_table(whole(schema, tables), folder / f"{name}.parquet", schema)
    refused = paths.manifest_quarantine(corpus)
    write_table(quarantine, refused, QUARANTINE)
    write_table(manifest, paths.manifest(corpus), PIECES)
    write_table(targets, paths.events(corpus), events.EVENTS)  # the notes themselves are in notes.parquet
    faults = max_quarantined.faults(quarantine)
    max_quarantined.refuse("notes", corpus, faults, len(manifest), settings, refused.as_posix())
    remarks = Counter()
    for piece in by_id.values():
        remarks.update(piece.remarks)
    lost = splits.lost_classes(listed, manifest)
    reasons = Counter(map(max_quarantined.kind, quarantine["reason"]))
    write_record(
        "notes",
        corpus,
        figures={
            "pieces": len(manifest),
            "quarantined": len(quarantine),
            "withdrawn": len(quarantine) - unread,
            "notes": int(manifest["n_notes"].sum()),
            "hours": round(float(manifest["duration_s"].sum()) / 3600, 3),
            **{f"{split} pieces": int(n) for split, n in manifest["split"].value_counts().sort_index().items()},
            "groups": int(manifest["group"].nunique()) if splits.is_grouped(manifest) else "no two pieces share one",
            "exact copies": int(manifest["duplicate_of"].notna().sum()),
            **({"events": len(targets)} if len(targets) else {}),
            **dict(sorted(remarks.items())),
        },
        table=folder / "notes.parquet",
        checks=splits.audit(manifest)
        | {
            "every piece accounted for": (
                len(manifest) + len(quarantine) == len(listed),
                f"{len(manifest)} pieces and {len(quarantine)} quarantined of {len(listed)} files",
            ),
            "nothing quarantined": (not faults, f"{faults} of {len(listed)} files cannot be used"),
            "no class lost every piece": (not lost, ", ".join(lost) or "each class of the corpus has pieces"),
        },
        note="| quarantined | files |\n| --- | --- |\n"
        + "".join(f"| {why} | {n} |\n" for why, n in sorted(reasons.items()))
        if reasons
        else "",
    )
    log.info("%d pieces, %d notes, %d quarantined", len(manifest), manifest["n_notes"].sum(), len(quarantine))
    for row in quarantine.head(20).itertuples():
        log.warning("quarantined %s: %s", one_line(row.path), one_line(row.reason))


if __name__ == "__main__":
    command.run(main, __doc__)
