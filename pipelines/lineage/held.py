"""Where the bytes of a clip are, in the project and in its caches, and how each place is emptied."""

import io
from collections.abc import Iterator

import pyarrow.parquet as pq

from pipelines.lineage.revision import Revision, object_path, remotes
from pipelines.store import cache, shards

DOWNLOADS = ".cache/downloads"


def places(revision: Revision, rows: list[tuple[str, dict]]) -> list[dict]:
    """`{"what", "paths", "purge"}` of each place that holds the bytes of these clips (dataset, row of its manifest), or what
    can be played of them; `purge` says how it is emptied, once the clip is withdrawn and `conservatory run` has ended."""
    found = []
    for dataset, row in rows:
        inside = revision.hash(row["path"])
        found.append(
            _place("the file, as it was published", [row["path"], *_objects([inside])], "it is made or downloaded whole with its "
                   f"dataset: it lies unused until {dataset} is removed (`conservatory remove {dataset}`), and then goes with it")
            if inside else
            _place("the file, as it was published", [row["path"]], f"of data/raw/{dataset}, whose listing is not at hand: `dvc "
                   f"pull data/raw/{dataset}` brings it, and this can say where it lies")
            if row["path"].startswith("data/raw/") else
            _place("the file itself", [row["path"]], "yours to delete; nothing of the project does")
        )  # fmt: skip
        for folder in _unlisted(revision, dataset):
            found.append(_place(f"perhaps samples or frames in {folder}", [folder],
                                f"its listing is not at hand: `dvc pull {folder}`, then ask again for the shards"))  # fmt: skip
        for folder in _sharded(revision, dataset):
            files = _shards_with(revision, folder, row["clip_id"])
            purge = "the next run writes other shards; `conservatory prune --withdrawn --yes` then takes these from DVC's cache"
            if files:
                found.append(_place(f"samples or frames in {folder}", [*files, *_objects(files.values())], purge))
    if (kept := cache.folder()).is_dir():
        found.append(_place("what was decoded and computed of clips", [f"{kept}/"],
                            "`conservatory prune --withdrawn --yes` empties it (it costs time, nothing else)"))  # fmt: skip
    if any(_downloaded(revision.settings.get("datasets"), dataset) for dataset, _ in rows):
        found.append(
            _place(
                "the archives it came in",
                [f"{DOWNLOADS}/"],
                "`conservatory prune --also downloads --yes` empties that folder; a later run downloads again",
            )
        )
    if "reports/index.html" in revision.graph.maker:
        excerpt = ["reports/index.html", *_objects([revision.hash("reports/index.html")])]
        found.append(
            _place(
                "perhaps an excerpt to play in the report",
                excerpt,
                "the next run makes another; `conservatory prune --withdrawn --yes` then takes this one from DVC's cache; "
                "copies given away stay",
            )
        )
    if pushed := remotes():
        how = "`conservatory prune --withdrawn --remote NAME --yes` for each, after the one that purges here"
        found.append(_place("what was pushed", list(pushed.values()), how))
    return found


def _downloaded(entries: object, dataset: str) -> bool:
    entry = entries.get(dataset) if isinstance(entries, dict) else None
    return isinstance(entry, dict) and "sources" in str(entry.get("imports")) and "local" not in entry


def lines(found: list[dict]) -> Iterator[str]:
    yield "Its bytes, or what can be played of them, are in:"
    for place in found:
        yield f"  {place['what']}: {', '.join(place['paths'][:4])}" + (" ..." if len(place["paths"]) > 4 else "")
        yield f"    {place['purge']}"


def _place(what: str, paths: list[str], purge: str) -> dict:
    return {"what": what, "paths": paths, "purge": purge}


def _objects(hashes) -> list[str]:
    return [str(object_path(md5)) for md5 in hashes if md5 and object_path(md5).exists()]


def _sharded(revision: Revision, dataset: str) -> list[str]:
    """The dataset's outputs that are shards with an index."""
    return [out for out in _outputs(revision, dataset) if "index.parquet" in revision.listing(out)]


def _unlisted(revision: Revision, dataset: str) -> list[str]:
    """Those folders of which it cannot be told, since DVC's cache has neither their listing nor what is in it."""
    outs = [out for out in _outputs(revision, dataset) if (revision.hash(out) or "").endswith(".dir")]
    return [
        out
        for out in outs
        if not (there := revision.listing(out))
        or ("index.parquet" in there and revision.data(f"{out}/index.parquet") is None)
    ]


def _outputs(revision: Revision, dataset: str) -> list[str]:
    near = (f"data/audio/{dataset}", f"data/features/{dataset}/")
    return [out for out in revision.graph.maker if out == near[0] or out.startswith(near[1])]


def _shards_with(revision: Revision, folder: str, clip_id: str) -> dict[str, str]:
    """Path -> md5 of the shard in which a clip lies."""
    index = revision.data(f"{folder}/index.parquet")
    table = pq.read_table(io.BytesIO(index), columns=["clip_id", "shard"]).to_pylist() if index else []
    named = {shards.shard_path(folder, row["shard"]).as_posix() for row in table if row["clip_id"] == clip_id}
    return {path: md5 for path, md5 in revision.files(folder).items() if path in named}
