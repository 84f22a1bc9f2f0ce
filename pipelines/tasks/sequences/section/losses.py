"""Losses of generative models of one family as a table: in nats, as an upper bound on them, or none at all."""

from collections.abc import Callable, Sequence
from pathlib import Path

from markupsafe import Markup

TEMPLATE = Path(__file__).with_suffix(".html.j2")
SIDES = ("train", "validation", "test")
COLUMNS = ["run", "model", "loss", "training", "validation", "test", "low", "high", "test_per_cell"]


def render(fill: Callable[..., Markup], parts: Sequence[dict]) -> Markup:
    """The table. parts: of each run `name`, `model` (in words), `likelihood` (`exact`, `bound` or `none`), `losses` (side ->
    `per_step`, `per_cell`), `ci95` of the test loss, `source` (the mark of its lineage)."""
    rows = [_row(part) for part in parts]
    return fill(TEMPLATE, parts=parts, exported={"columns": COLUMNS, "rows": rows})


def _row(part: dict) -> list:
    sides = [part["losses"][side]["per_step"] for side in SIDES]
    low, high = part["ci95"] or (None, None)
    return [part["name"], part["model"], part["likelihood"], *sides, low, high, part["losses"]["test"]["per_cell"]]
