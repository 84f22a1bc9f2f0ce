"""Test clips on a timeline: of each class what plays above what was found, the notes, and the sound.

The audio is no dependency of the page: the scores, which are, were made from it. Where it is not here there is nothing to play.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from pipelines.core import paths, shards
from pipelines.core.pcm import INDEX
from pipelines.core.tables import read_table
from pipelines.report import pictures, players
from pipelines.report.charts import percent
from pipelines.report.context import Context

DRUMS = "drums"
"""Notes of this stem are keys and no pitches, and are in no piano roll."""
MOST_BYTES = 3_000_000
"""Of all players of a page, in base64: further runs have none."""


def clips(context: Context, dataset: str, found: Sequence[dict], numbers: dict[tuple[str, str], int]) -> list[dict]:
    """The clips of a run's details with `bars`, `roll`, `ticks` and `sound`, the number of a player or None. numbers: of the
    players that the page has, (dataset, clip) -> number; adds these."""
    shown = []
    for clip in found:
        names = [name for name in clip["truth"] if clip["truth"][name] or clip["found"][name]]
        shown.append(
            clip
            | {
                "names": names,
                "bars": bars({name: (clip["truth"][name], clip["found"][name]) for name in names}, clip["length_s"]),
                "roll": _roll(clip["notes"], clip["length_s"]),
                "ticks": pictures.time_ticks(0.0, clip["length_s"]),
                "sound": _sound(context, dataset, clip, numbers),
            }
        )
    return shown


def bars(spans: Mapping[str, tuple[Sequence, Sequence]], length_s: float) -> Markup:
    """An SVG with a row for each class: the upper bar what plays (colour 2), the lower one what was found (colour 1)."""
    parts = []
    for row, (name, pair) in enumerate(spans.items()):
        for place, (what, colour, each) in enumerate(zip(("plays", "found"), (2, 1), pair, strict=True)):
            for start, end in each:
                title = f"<title>{escape(name)} {what}, {start:.2f} to {end:.2f} s</title>"
                parts.append(
                    f'<rect class="c{colour}" x="{100 * start:.1f}" y="{row + 0.08 + 0.44 * place:.2f}" '
                    f'width="{100 * (end - start):.1f}" height="0.4">{title}</rect>'
                )
    head = f'<svg viewBox="0 0 {100 * length_s:.0f} {len(spans)}" preserveAspectRatio="none" role="img" '
    return Markup(head + 'aria-label="what plays and what was found">' + "".join(parts) + "</svg>")


def labels(names: Sequence[str]) -> list[tuple[str, str]]:
    """(class, place of its row as a CSS percentage from the bottom)."""
    return [(name, percent(len(names) - row - 0.5, 0, len(names))) for row, name in enumerate(names)]


def _roll(notes: Sequence[Sequence], length_s: float) -> dict | None:
    table = pd.DataFrame(notes, columns=["stem", "pitch", "onset_s", "duration_s"])
    table = table[table["stem"] != DRUMS]
    stems = sorted(set(table["stem"]))
    return pictures.piano_roll(table.assign(voice=table["stem"].map(stems.index), program=0), 0.0, length_s)


def _sound(context: Context, dataset: str, clip: dict, numbers: dict[tuple[str, str], int]) -> int | None:
    key, index = (dataset, clip["clip_id"]), paths.audio(dataset) / "index.parquet"
    if key in numbers:
        return numbers[key]
    if not index.exists() or sum(len(sound) for _, sound in context.played) > MOST_BYTES:
        return None
    places, rate = read_table(index, INDEX).set_index("clip_id"), context.state.settings["audio"]["sample_rate"]
    if clip["clip_id"] not in places.index:
        return None
    place = places.loc[clip["clip_id"]]
    first, length = int(place["offset"]), min(int(place["length"]), round(clip["length_s"] * rate))
    samples = np.asarray(shards.open_shards(index.parent)[int(place["shard"])][first : first + length])
    numbers[key] = players.hear(context, f"{dataset}: {clip['title']}", samples, rate)
    return numbers[key]
