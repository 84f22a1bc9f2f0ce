"""What the page's scripts draw and play from: each dataset's scored clips, classes, and the places on the maps, as JSON."""

import numpy as np

from pipelines.report import players
from pipelines.report.state import Dataset

EXTENT = 1000  # the longer side of a map in its own units
METHODS = {"tsne": "t-SNE", "umap": "UMAP"}


def data(
    dataset: Dataset, embeddings: list[str], audible: list[int], base: str, outside: bool = False, page: str = ""
) -> dict:
    """One dataset for the scripts; a clip is its number among the scored clips.

    base: the way from the page to the project's folder. outside: link clips that lie outside the project too. page: where the
    clips are played, if it is another page.
    `clips`: title, href of its own file ("": none) or of its place on that page, number of its excerpt in this page or -1.
    `targets`: name, classes, and numbers into them: `actual` of each clip, `matched` of each clip by embedding, -1 where there
    is none; `accuracy` by embedding, as text.
    `maps`: method, title, and by embedding `[x0, y0, x1, y1, ...]` in whole units of 1 / `EXTENT`, x rightwards, y downwards,
    null for a clip without.
    """
    rows = np.flatnonzero(dataset.scored)
    clips = dataset.clips.loc[rows]
    number = {clip_id: i for i, clip_id in enumerate(clips["clip_id"])}
    sound = {row: i for i, row in enumerate(audible)}
    return {
        "name": dataset.name,
        "page": page,
        "clips": [
            {
                "title": clip.title,
                "href": f"{page}#clip-{i}" if page else players.link(clip.path, base, outside),
                "sound": sound.get(clip.Index, -1),
            }
            for i, clip in enumerate(clips[["title", "path"]].itertuples())
        ],
        "targets": [_target(dataset, target, embeddings, number) for target in dataset.scores],
        "maps": _maps(dataset, embeddings, number),
    }


def _target(dataset: Dataset, target: str, embeddings: list[str], number: dict[str, int]) -> dict:
    table = dataset.assignments[dataset.assignments["target"] == target]
    classes = next(iter(dataset.confusions[target].values()))["classes"]
    actual, matched = [-1] * len(number), {}
    for name in embeddings:
        part = table[table["embedding"] == name]
        places = [-1] * len(number)
        for clip_id, own, given in zip(part["clip_id"], part["actual"], part["predicted"], strict=True):
            actual[number[clip_id]] = classes.index(own)
            places[number[clip_id]] = classes.index(given)
        matched[name] = places
    records = dataset.scores[target]
    accuracy = {name: f"{records[name]['hungarian_accuracy']:.3f}" for name in embeddings if name in records}
    return {"name": target, "classes": classes, "actual": actual, "matched": matched, "accuracy": accuracy}


def _maps(dataset: Dataset, embeddings: list[str], number: dict[str, int]) -> list[dict]:
    found = []
    for method, title in METHODS.items():
        table = dataset.maps[dataset.maps["method"] == method]
        places = {name: _places(table[table["embedding"] == name], number) for name in embeddings}
        places = {name: place for name, place in places.items() if place}
        if places:
            found.append({"method": method, "title": title, "places": places})
    return found


def _places(table, number: dict[str, int]) -> list:
    """Coordinates in whole units, both axes by the same factor."""
    if table.empty:
        return []
    points = table[["x", "y"]].to_numpy(np.float64)
    points = points - points.min(axis=0)
    points = points * (EXTENT / (points.max() or 1.0))
    flat: list[int | None] = [None] * (2 * len(number))
    for clip_id, (x, y) in zip(table["clip_id"], points.round().astype(int).tolist(), strict=True):
        flat[2 * number[clip_id]], flat[2 * number[clip_id] + 1] = x, EXTENT - y
    return flat
