"""manifest: one row per clip, with content hash, labels and split; files without a readable header and withdrawn files are
quarantined."""

import os
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pandas as pd

from pipelines import datasets
from pipelines.audio import headers, probe
from pipelines.core import events, max_quarantined, params, paths, splits
from pipelines.core.files import sha256
from pipelines.core.manifest import MANIFEST, QUARANTINE, identify, withdraw
from pipelines.core.plain import one_line
from pipelines.core.record import write_record
from pipelines.core.tables import write_table
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress

BATCH = 64
NO_ARTIST = {"", "unknown", "unknown artist", "various", "various artists", "va", "v.a.", "n/a", "none", "artist"}


@dataclass(frozen=True)
class Batch:
    """Some files to look at: their paths, and the hash of each where it is known already, else ""."""

    paths: tuple[str, ...]
    known: tuple[str, ...]


def examine(batch: Batch) -> list[dict]:
    """Header and hash of each file of a batch; `reason` is empty where the file can be read."""
    found = []
    for path, known in zip(batch.paths, batch.known, strict=True):
        try:
            header = {**probe.header(path), "sha256": known or sha256(path), "n_bytes": os.path.getsize(path)}
            headers.keep(header, header["sha256"])
            found.append(header)
        except probe.Unreadable as error:
            found.append({"reason": str(error), "exception": repr(error.__cause__) if error.__cause__ else ""})
    return found


def build(clips: pd.DataFrame, raw_dir: Path, executor_settings: dict | None = None, describe: str = "manifest"):
    """(manifest, quarantine) of a dataset's clips: a row of `clips` is in exactly one of the two."""
    clips = clips.copy()
    clips["path"] = [path if os.path.isabs(path) else (raw_dir / path).as_posix() for path in clips["path"]]
    for name in ("sha256", "problem"):
        if name not in clips:
            clips[name] = ""
    found = {n: headers.known(content) for n, content in enumerate(clips["sha256"]) if content}
    files = zip(clips["path"], clips["sha256"], clips["problem"], strict=True)
    unknown = [(n, path, content) for n, (path, content, bad) in enumerate(files) if not bad and not found.get(n)]
    parts = [unknown[first : first + BATCH] for first in range(0, len(unknown), BATCH)]
    tasks = [Batch(tuple(path for _, path, _ in part), tuple(content for *_, content in part)) for part in parts]
    results = executor.run(examine, tasks, executor_settings, 2 * len(unknown))
    for part, headers_of in zip(parts, progress(results, describe, len(unknown), size=len), strict=True):
        found |= {n: header for (n, *_), header in zip(part, headers_of, strict=True)}
    reasons = {"reason": "", "exception": ""}
    table = pd.DataFrame(
        [reasons | ({"reason": bad} if bad else found[n]) for n, bad in enumerate(clips["problem"])],
        index=clips.index,
        columns=["reason", "exception", "sha256", "n_bytes", "duration_s", "sample_rate", "channels", "artist"],
    )
    bad = table["reason"] != ""
    quarantine = pd.DataFrame(
        {
            "path": clips.loc[bad, "path"],
            "stage": "manifest",
            "reason": table.loc[bad, "reason"],
            "exception": table.loc[bad, "exception"],
        }
    )
    good = (
        clips[~bad]
        .drop(columns=["sha256", "problem"])
        .join(table.loc[~bad, ["sha256", "n_bytes", "duration_s", "sample_rate", "channels"]])
    )
    good = good.astype({"n_bytes": "int64", "sample_rate": "int32", "channels": "int32", "duration_s": "float64"})
    if (good["group"] == "").any():
        good["group"] = by_artist(good, table.loc[~bad, "artist"])
    return identify(good), quarantine


def by_artist(clips: pd.DataFrame, artists: pd.Series) -> pd.Series:
    """The group of each clip: its own; where it has none (""), the artist that its tags name; else the clip itself (its title).

    An artist is left aside who made most of the clips, or all clips of a label and no others: such a group tells no clips apart.
    """
    names = artists.map(lambda name: unicodedata.normalize("NFC", name).casefold())
    names[(clips["group"] != "") | names.isin(NO_ARTIST)] = ""
    for _, members in clips[names != ""].groupby(names):
        labels = members.get("target_label", pd.Series(dtype=object)).unique()
        repeats = len(labels) == 1 and (clips["target_label"] == labels[0]).sum() == len(members)
        if repeats or len(members) > max(1, len(clips) / 2):
            names[members.index] = ""
    own = clips["group"].where(clips["group"] != "", clips["title"])
    return own.where(names == "", "artist " + names)


def main(dataset: str) -> None:
    log = start(f"manifest {dataset}")
    settings = params.read()
    entry = settings["datasets"][dataset]
    raw_dir = paths.raw(dataset)
    module = datasets.load(entry)
    clips = module.clips(raw_dir, entry)
    manifest, quarantine = build(clips, raw_dir, settings["executor"], f"manifest {dataset}")
    unread = len(quarantine)
    try:
        manifest, quarantine = withdraw(manifest, quarantine, settings.get("withdrawn") or {})
    except ValueError as error:
        raise SystemExit(f"manifest {dataset}: {error}") from error
    path = paths.manifest(dataset)
    write_table(manifest, path, MANIFEST)
    listed = paths.manifest_quarantine(dataset)
    write_table(quarantine, listed, QUARANTINE)
    max_quarantined.refuse(
        "manifest", dataset, max_quarantined.faults(quarantine), len(manifest), settings, listed.as_posix()
    )
    aligned = events_of(module, raw_dir, entry, manifest, quarantine, dataset)
    write_table(aligned, paths.events(dataset), events.EVENTS)
    targets = [column for column in manifest if column.startswith("target_")]
    counts = {column: manifest[column].value_counts(sort=False).sort_index() for column in targets}
    lost = splits.lost_classes(clips, manifest)
    write_record(
        "manifest",
        dataset,
        figures={
            "clips": len(manifest),
            "quarantined": len(quarantine),
            "withdrawn": len(quarantine) - unread,
            "hours": round(float(manifest["duration_s"].sum()) / 3600, 3),
            **{f"{split} clips": int(n) for split, n in manifest["split"].value_counts().sort_index().items()},
            "groups": int(manifest["group"].nunique()) if splits.is_grouped(manifest) else "no two clips share one",
            "exact copies": int(manifest["duplicate_of"].notna().sum()),
            **{f"{target} events": int(n) for target, n in aligned["target"].value_counts().sort_index().items()},
        },
        table=path,
        checks=splits.audit(manifest)
        | {"no class lost every clip": (not lost, ", ".join(lost) or "each class of the dataset has clips")},
        note="\n".join(
            f"| {column.removeprefix('target_')} | clips |\n| --- | --- |\n"
            + "\n".join(f"| {label} | {n} |" for label, n in counts[column].items())
            + "\n"
            for column in targets
        ),
    )
    log.info("%d clips, %d quarantined", len(manifest), len(quarantine))
    if lost:
        log.warning("no clip is left of these classes: %s", one_line(", ".join(lost)))
    for row in quarantine.head(20).itertuples():
        log.warning("quarantined %s: %s", one_line(row.path), one_line(row.reason))


def events_of(
    module: ModuleType, raw_dir: Path, entry: dict, manifest: pd.DataFrame, quarantine: pd.DataFrame, dataset: str
) -> pd.DataFrame:
    """The dataset's events, if it has any, of the clips of its manifest."""
    if not hasattr(module, "events"):
        return events.none()
    given = module.events(raw_dir, entry)
    where = given.attrs.get("file", f"events of {dataset}")
    given["path"] = [path if os.path.isabs(path) else (raw_dir / path).as_posix() for path in given["path"]]
    try:
        return events.of_clips(given, manifest, where, quarantine["path"])
    except ValueError as error:
        raise SystemExit(f"manifest {dataset}: {error}") from error


if __name__ == "__main__":
    command.run(main, __doc__)
