"""What explains a classifier's score on a page: clips to hear of its confusions, what it listens to, and its learning curve.

The audio is no dependency of the page: the scores, which are, were made from it. Where it is not here, or the run reads notes,
there is nothing to hear.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from pipelines.core import paths, shards
from pipelines.core.pcm import INDEX
from pipelines.core.tables import read_table
from pipelines.report import charts, players
from pipelines.report.context import Context

TEMPLATE = Path(__file__).with_suffix(".html.j2")
EXCERPT_S = 4.0
MOST_BYTES = 3_000_000
"""Of all excerpts of a page, in base64: further runs have no players."""


def render(context: Context, name: str, details: dict, source: dict, numbers: dict[tuple[str, str], int]) -> Markup:
    """HTML of a run from its `details` (`score/explanations.py`); "" where there is nothing to show. numbers: of the players that
    other runs of the page have added, (dataset, clip) -> number; adds this one's."""
    pairs = _heard(context, details.get("dataset", ""), details.get("heard", []), numbers)
    importances, points = details.get("importances", []), details.get("learning_curve", [])
    if not pairs and not importances and not points:
        return Markup("")
    ends = [0.0, *(edge for one in importances for edge in (one["fall"], *(one["ci95"] or ())))]
    ticks = charts.quarters(min(ends), max(ends))
    return context.fill(
        TEMPLATE,
        name=name,
        heard=pairs,
        importances=importances,
        span=(ticks[0], ticks[-1]),
        ticks=[(25 * place, f"{tick:g}") for place, tick in enumerate(ticks)],
        points=points,
        drawn=_curve(name, points),
        source=source,
        importances_table=_table(importances, ("family", "features", "fall")),
        points_table=_table(points, ("share", "clips", "groups", "macro_f1")),
    )


def _heard(context: Context, dataset: str, pairs: list[dict], numbers: dict[tuple[str, str], int]) -> list[dict]:
    """The pairs with the `number` of each clip's player; those without a clip that can be played are left out."""
    index = paths.audio(dataset) / "index.parquet"
    if not pairs or not index.exists() or sum(len(sound) for _, sound in context.played) > MOST_BYTES:
        return []
    places = read_table(index, INDEX).set_index("clip_id")
    pcm, rate = shards.open_shards(index.parent), context.state.settings["audio"]["sample_rate"]
    found = []
    for pair in pairs:
        playable = []
        for one in (one for one in pair["clips"] if one["clip_id"] in places.index):
            key = dataset, one["clip_id"]
            if key not in numbers:
                sound = _excerpt(pcm, places.loc[one["clip_id"]], rate)
                numbers[key] = players.hear(context, f"{dataset}: {one['title']}", sound, rate)
            playable.append(one | {"number": numbers[key]})
        found.append(pair | {"clips": playable})
    return found


def _excerpt(pcm: list[np.ndarray], clip: pd.Series, rate: int) -> np.ndarray:
    """int16 samples from the beginning of a clip, where a note has its attack."""
    first = int(clip["offset"])
    return np.asarray(pcm[int(clip["shard"])][first : first + min(int(clip["length"]), round(EXCERPT_S * rate))])


def _curve(name: str, points: list[dict]) -> Markup:
    if not points:
        return Markup("")
    clips = [point["clips"] for point in points]
    lines = [{"name": name, "colour": 0, "x": clips, "y": [point["macro_f1"] for point in points], "mark": None}]
    if all(point["ci95"] for point in points):
        bounds = zip(*(point["ci95"] for point in points), strict=True)
        lines += [
            {"name": f"{end} end of the interval", "colour": 7, "x": clips, "y": list(values), "mark": None}
            for end, values in zip(("lower", "upper"), bounds, strict=True)
        ]
    return charts.lines(lines, "training clips", "macro F1", f"learning curve of {name}")


def _table(rows: list[dict], columns: tuple[str, ...]) -> dict:
    """Rows with an interval, for export."""
    return {
        "columns": [*columns, "low", "high"],
        "rows": [[*(row[key] for key in columns), *(row["ci95"] or (None, None))] for row in rows],
    }
