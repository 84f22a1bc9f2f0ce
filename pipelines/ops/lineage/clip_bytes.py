"""Find the bytes of a clip in the project and its caches, and how to delete them from each."""

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.core import cache, paths, shards
from pipelines.ops.lineage import runs
from pipelines.ops.lineage.revision import LOCK, LineageError, Revision, object_path, remotes

DOWNLOADS = ".cache/downloads"


def places(revision: Revision, rows: list[tuple[str, dict]]) -> list[dict]:
    """`{"what", "paths", "purge"}` of each place with bytes of these clips (dataset, row of its manifest), or with playable
    excerpts. `purge` says how to delete them after the clip was withdrawn and `conservatory run` has ended."""
    found = []
    for dataset, row in rows:
        found.append(_file(revision, dataset, row))
        for folder in _unlisted(revision, dataset):
            found.append(_place(f"perhaps samples or frames in {folder}", [folder],
                                f"its listing is missing: run `dvc pull {folder}`, then ask again for the shards"))  # fmt: skip
        for folder in _sharded(revision, dataset):
            files = _shards_with(revision, folder, row["clip_id"])
            purge = "the next run writes new shards; `conservatory prune --withdrawn --yes` then deletes these from DVC's cache"
            if files:
                found.append(_place(f"samples or frames in {folder}", [*files, *_objects(files.values())], purge))
    found += _caches(revision, rows)
    if pages := sorted({page for dataset, _ in rows for page in _pages(revision, dataset)}):
        found.append(
            _place(
                "perhaps an excerpt to play in the report",
                [*pages, *_objects(map(revision.hash, pages))],
                "the next run makes a new one; `conservatory prune --withdrawn --yes` then deletes this one from DVC's cache; "
                "copies elsewhere remain",
            )
        )
    return found + _pushed()


def after(revision: Revision, rows: list[tuple[str, dict]]) -> list[dict]:
    """The same for clips that no manifest of the revision lists any more: files of older results in DVC's cache, and other
    files."""
    found = [_file(revision, dataset, row) for dataset, row in rows
             if Path(row["path"]).exists() or revision.graph.outputs(row["path"])]  # fmt: skip
    shards_of, excerpts = _former(revision, rows)
    purge = "`conservatory prune --withdrawn --yes` deletes them from DVC's cache"
    for folder, files in shards_of.items():
        if files := _objects(files):
            found.append(_place(f"samples or frames in {folder} of former runs", files, purge))
    if files := _objects(excerpts):
        found.append(_place("perhaps an excerpt to play in former reports", files, f"{purge}; copies elsewhere remain"))
    return found + _caches(revision, rows) + _pushed()


def _former(revision: Revision, rows: list[tuple[str, dict]]) -> tuple[dict[str, list[str]], list[str]]:
    """(folder -> hashes of the shards with these clips, hashes of the reports made with them), from the results in all
    commits."""
    shards_of, excerpts, seen = {}, [], {}
    for commit in runs.commits(revision, LOCK, "--all"):
        then = Revision(commit["commit"])
        try:
            folders = [(folder, row["clip_id"]) for dataset, row in rows for folder in _sharded(then, dataset)]
        except LineageError:  # its dvc.lock is damaged
            continue
        trained = set()
        for folder, clip_id in folders:
            key = (then.hash(folder), clip_id)
            if key not in seen:
                seen[key] = list(_shards_with(then, folder, clip_id).values())
                shards_of.setdefault(folder, []).extend(seen[key])
            if seen[key]:
                trained.add(folder.split("/")[2])
        excerpts += [then.hash(page) for dataset in sorted(trained) for page in _pages(then, dataset)]
    return {folder: list(dict.fromkeys(files)) for folder, files in shards_of.items()}, list(dict.fromkeys(excerpts))


def _file(revision: Revision, dataset: str, row: dict) -> dict:
    """The clip's own file."""
    path, what = row["path"], "the published file"
    if inside := revision.hash(path):
        how = (
            f"it is made or downloaded with its whole dataset: it stays, unused, until {dataset} is removed "
            f"(`conservatory remove {dataset}`)"
        )
        return _place(what, [path, *_objects([inside])], how)
    if path.startswith(paths.RAW):
        raw = str(paths.raw(dataset))
        how = f"the listing of {raw} is not available: run `dvc pull {raw}` and ask again for the place"
        return _place(what, [path], how)
    return _place("the file itself", [path], "it is your file; delete it yourself")


def _caches(revision: Revision, rows: list[tuple[str, dict]]) -> list[dict]:
    """Caches and downloads."""
    found = []
    if (kept := cache.folder()).is_dir():
        found.append(_place("decoded audio and features of clips", [f"{kept}/"],
                            "`conservatory prune --withdrawn --yes` empties it (it can be computed again)"))  # fmt: skip
    if any(_downloaded(revision.settings.get("datasets"), dataset) for dataset, _ in rows):
        found.append(
            _place(
                "the downloaded archives",
                [f"{DOWNLOADS}/"],
                "`conservatory prune --also downloads --yes` empties that folder; a later run downloads again",
            )
        )
    return found


def _pushed() -> list[dict]:
    how = "`conservatory prune --withdrawn --remote NAME --yes` for each remote, after purging here"
    return [_place("pushed files", list(pushed.values()), how)] if (pushed := remotes()) else []


def _downloaded(entries: object, dataset: str) -> bool:
    entry = entries.get(dataset) if isinstance(entries, dict) else None
    return isinstance(entry, dict) and "sources" in str(entry.get("imports")) and "local" not in entry


def lines(found: list[dict]) -> Iterator[str]:
    if found:
        yield "Its bytes, or excerpts of them, are in:"
    for place in found:
        yield f"  {place['what']}: {', '.join(place['paths'][:4])}" + (" ..." if len(place["paths"]) > 4 else "")
        yield f"    {place['purge']}"


def _place(what: str, paths: list[str], purge: str) -> dict:
    return {"what": what, "paths": paths, "purge": purge}


def _objects(hashes) -> list[str]:
    return [str(object_path(md5)) for md5 in hashes if md5 and object_path(md5).exists()]


def _pages(revision: Revision, dataset: str) -> list[str]:
    """The pages of the report that were made from the dataset's audio."""
    graph = revision.graph
    return [
        out
        for out, stage in graph.maker.items()
        if out.startswith(paths.REPORTS)
        and out.endswith(".html")
        and any(str(paths.audio(dataset)) in graph.outputs(dep["path"]) for dep in graph.inputs(stage))
    ]


def _sharded(revision: Revision, dataset: str) -> list[str]:
    """The dataset's outputs that are shards with an index."""
    return [out for out in _outputs(revision, dataset) if "index.parquet" in revision.listing(out)]


def _unlisted(revision: Revision, dataset: str) -> list[str]:
    """The folders whose clips are unknown, because DVC's cache lacks their listing or index."""
    outs = [out for out in _outputs(revision, dataset) if (revision.hash(out) or "").endswith(".dir")]
    return [
        out
        for out in outs
        if not (there := revision.listing(out))
        or ("index.parquet" in there and revision.data(f"{out}/index.parquet") is None)
    ]


def _outputs(revision: Revision, dataset: str) -> list[str]:
    near = (str(paths.audio(dataset)), f"{paths.FEATURES}{dataset}/")
    return [out for out in revision.graph.maker if out == near[0] or out.startswith(near[1])]


def _shards_with(revision: Revision, folder: str, clip_id: str) -> dict[str, str]:
    """Path -> md5 of the shard with a clip."""
    index = revision.data(f"{folder}/index.parquet")
    table = pq.read_table(io.BytesIO(index), columns=["clip_id", "shard"]).to_pylist() if index else []
    named = {shards.shard_path(folder, row["shard"]).as_posix() for row in table if row["clip_id"] == clip_id}
    return {path: md5 for path, md5 in revision.files(folder).items() if path in named}
