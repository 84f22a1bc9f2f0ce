"""What generated pieces share with training pieces, beside what people's held-out pieces share with them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from markupsafe import Markup

TEMPLATE = Path(__file__).with_suffix(".html.j2")
GRAMS = (8, 16, 24)


def render(fill: Callable[..., Markup], parts: Sequence[dict]) -> Markup:
    """The tables. parts: of each run `name`, `dataset`, `originality` and `extraction` (as `originality.py` of the family
    sequences gives them), `source` (the mark of its lineage)."""
    rows = _rows(parts)
    return fill(TEMPLATE, parts=parts, rows=rows, grams=GRAMS, exported=_shared(rows))


def copier(parts: Sequence[dict]) -> dict | None:
    """The run whose pieces share the longest runs, of those that share longer ones than people's pieces do."""
    found = [part for part in parts if _copies(part["originality"])]
    return max(found, key=lambda part: part["originality"]["generated"]["longest"]["mean"], default=None)


def of_each_corpus(parts: Sequence[dict]) -> Iterable[dict]:
    """The first run of each corpus: what it says of people's pieces is what the others say."""
    return {part["dataset"]: part for part in reversed(parts)}.values()


def _rows(parts: Sequence[dict]) -> list[dict]:
    people = [
        {"name": f"people’s, held out, {part['dataset']}", **part["originality"]["people"]}
        for part in of_each_corpus(parts)
    ]
    return people + [{"name": part["name"], **part["originality"]["generated"]} for part in parts]


def _shared(rows: Sequence[dict]) -> dict:
    columns = ["pieces", "n", "longest", "low", "high", "most", *(f"absent_{n}" for n in GRAMS)]
    found = []
    for row in rows:
        low, high = row["longest"]["ci95"] or (None, None)
        absent = [row[f"absent_{n}"]["mean"] for n in GRAMS]
        found.append([row["name"], row["n"], row["longest"]["mean"], low, high, row["longest"]["most"], *absent])
    return {"columns": columns, "rows": found}


def _copies(found: dict) -> bool:
    """Does the interval of the longest shared run lie above that of people's pieces?"""
    ours, theirs = (found[of]["longest"]["ci95"] for of in ("generated", "people"))
    return bool(ours and theirs and ours[0] > theirs[1])
