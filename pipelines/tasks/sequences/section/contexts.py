"""One experiment: what an n-gram model of four voices learns from each further cell, told by three kinds of context."""

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

from pipelines.report import charts

TEMPLATE = Path(__file__).with_suffix(".html.j2")
NAMES = {
    "blind": "all cells before, voice not told",
    "all": "all cells before, voice told",
    "own": "the voice’s own cells",
}
VOICES = 4
"""n = 5 is the first n-gram that reaches the same voice a step ago: the text is of four voices."""
ALIKE = 1.1
"""A loss at most so many times another is called as low."""


def render(fill: Callable[..., Markup], parts: Sequence[dict], differences: Sequence[dict]) -> Markup:
    """The figure, the table and what they say, where the runs that it takes are there: `blind` with n = 1, n = 5 and a longer n,
    `own` with n = 2, in one corpus of four voices and its own keys. parts: n-gram runs, each `name`, `dataset`, `voices`,
    `options`, `per_cell` (`value`, `ci95`, `n`, `n_groups`), `source`. differences: paired ones of runs, in nats a step.
    """
    found: dict[str, dict[str, dict[int, dict]]] = {}
    for part in (part for part in parts if part["voices"] == VOICES and not part["options"]["transpose"]):
        found.setdefault(part["dataset"], {}).setdefault(part["options"]["context"], {})[part["options"]["n"]] = part
    for corpus, kinds in found.items():
        blind, own = kinds.get("blind", {}), kinds.get("own", {})
        if {1, 5} <= set(blind) and max(blind) > 5 and 2 in own:
            return _drawn(fill, corpus, kinds, differences)
    return Markup("")


def _drawn(fill, corpus: str, kinds: dict[str, dict[int, dict]], differences: Sequence[dict]) -> Markup:
    kinds = {kind: kinds[kind] for kind in NAMES if kind in kinds}
    orders = sorted({n for found in kinds.values() for n in found})
    rows = [(n, [kinds[kind].get(n) for kind in kinds]) for n in orders]
    series = [
        {
            "name": NAMES[kind],
            "colour": place,
            "x": sorted(found),
            "y": [found[n]["per_cell"]["value"] for n in sorted(found)],
            "mark": None,
        }
        for place, (kind, found) in enumerate(kinds.items())
    ]
    blind, own = kinds["blind"], kinds["own"]
    return fill(
        TEMPLATE,
        corpus=corpus,
        names=[NAMES[kind] for kind in kinds],
        rows=rows,
        chart=charts.lines(series, "n, cells", "nats a cell", "test loss by n and kind of context"),
        first=blind[1]["per_cell"],
        fifth=blind[5]["per_cell"],
        longest=(max(blind), blind[max(blind)]["per_cell"]),
        own=own[2]["per_cell"],
        alike=own[2]["per_cell"]["value"] < ALIKE * blind[5]["per_cell"]["value"],
        own_longest=(max(own), own[max(own)]["per_cell"]) if max(own) > 2 else None,
        apart=_difference(own[2]["name"], blind[5]["name"], differences),
        sources=[part["source"] for found in kinds.values() for part in found.values()],
        exported={"columns": ["n", "context", "value", "low", "high"], "rows": _exported(kinds)},
    )


def _difference(a: str, b: str, differences: Sequence[dict]) -> dict | None:
    """Nats a cell of run `a` minus run `b`, `{"value", "ci95"}`."""
    for one in differences:
        if {one["a"], one["b"]} == {a, b}:
            sign = (1 if one["a"] == a else -1) / VOICES
            return {"value": sign * one["value"], "ci95": sorted(sign * end for end in one["ci95"] or ()) or None}
    return None


def _exported(kinds: dict[str, dict[int, dict]]) -> list[list]:
    return [
        [n, kind, part["per_cell"]["value"], *(part["per_cell"]["ci95"] or (None, None))]
        for kind, found in kinds.items()
        for n, part in sorted(found.items())
    ]
