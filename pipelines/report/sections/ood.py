"""Other music in the training dataset's space: a map, out-of-distribution scores, and nearest classes."""

from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from pipelines.core import paths
from pipelines.report.context import Context
from pipelines.report.state import Dataset

TITLE = "The training music"
ORDER = 70
TEMPLATE = Path(__file__).with_suffix(".html.j2")
METHODS = {"umap": "UMAP", "pca": "PCA"}
MAX_CLASSES = 10  # columns of a table; of more, those that take most
MAX_KINDS = 12  # kinds of outside clips that the picture tells apart, and classes inside
WIDTH, HEIGHT, MARGIN = 440, 320, 14
# outside clips, as shape and colour: m is from the middle of the point, in units of the picture
SHAPES = (
    "m-3.6,-3.6h7.2v7.2h-7.2z",
    "m0,-4.9l4.6,8.2h-9.2z",
    "m0,-5.2l4.4,5.2l-4.4,5.2l-4.4,-5.2z",
    "m0,4.9l4.6,-8.2h-9.2z",
    "m-1.5,-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "m-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0z",
)


def render(context: Context) -> Markup | None:
    """Figures and tables of what the dataset has from outside; None before the ood stage ran."""
    dataset, embeddings = context.study.dataset, context.study.embeddings
    if not (found := dataset.ood):
        return None
    return context.fill(
        TEMPLATE,
        dataset=dataset.name,
        grouped=bool(context.study.facts["groups"]),
        found={key: found[key] for key in ("of", "left_out", "reason", "n", "k", "skipped")},
        targets=[_target(name, records, embeddings, _parts(dataset)) for name, records in found["targets"].items()],
        pictures=[] if found["reason"] else _pictures(dataset, context.state.space, embeddings),
        source=context.lineage.mark(paths.ood(dataset.name)),
    )


def _target(name: str, records: dict, embeddings: list[str], own: list[str]) -> dict:
    """The rows (embedding, part, record) of one target, and the classes that take most of the clips.

    own: the targets that parts are classes of; where there is one, the class alone says which part it is.
    """
    rows = [
        (embedding, part.removeprefix(f"{own[0]}: ") if len(own) == 1 else part, record)
        for embedding in embeddings
        for part, record in records.get(embedding, {}).items()
        if record["detection"] and record["nearest"]
    ]
    taken: dict[str, float] = {}
    for _, part, record in rows:
        if part == "all":
            for label, value in record["nearest"]["classes"].items():
                taken[label] = taken.get(label, 0) + value["share"]
    shown = sorted(taken, key=lambda label: -taken[label])[:MAX_CLASSES]
    return {
        "name": name,
        "rows": rows,
        "classes": [label for label in taken if label in shown],
        "n_classes": len(taken),
        "baseline": {label: value["baseline"] for label, value in rows[0][2]["nearest"]["classes"].items()}
        if rows
        else {},
    }


def _pictures(dataset: Dataset, home: pd.DataFrame, embeddings: list[str]) -> list[dict]:
    """A picture an embedding and method, `{"title", "figures": [(embedding, SVG)], "inside", "outside"}`, the last two legends of
    (name, SVG). home: the training dataset's clips."""
    inside = _kinds(home, next(iter(dataset.ood["targets"]), None), "known")
    own = next(iter(_parts(dataset)), None)
    outside = _kinds(dataset.clips, own, "from outside")
    places = dataset.places.assign(
        kind=[
            (outside if side == "outside" else inside).get(clip_id, "")
            for clip_id, side in zip(dataset.places["clip_id"], dataset.places["side"], strict=True)
        ]
    )
    is_outside = places["side"] == "outside"
    legends = [sorted(set(places.loc[mask, "kind"])) for mask in (~is_outside, is_outside)]
    found = []
    for method, title in METHODS.items():
        chosen = places[places["method"] == method]
        figures = [
            (name, picture(chosen[chosen["embedding"] == name], *legends, f"{title} of {name}"))
            for name in embeddings
            if (chosen["embedding"] == name).any()
        ]
        if figures:
            inside_legend, outside_legend = swatches(legends[0], False), swatches(legends[1], True)
            found.append({"title": title, "figures": figures, "inside": inside_legend, "outside": outside_legend})
    return found


def _parts(dataset: Dataset) -> list[str]:
    """The targets whose classes were scored apart, in the dataset's order."""
    parts = [
        part.partition(": ")[0]
        for embeddings in dataset.ood["targets"].values()
        for records in embeddings.values()
        for part in records
        if part != "all"
    ]
    return list(dict.fromkeys(parts))


def _kinds(clips: pd.DataFrame, target: str | None, otherwise: str) -> dict[str, str]:
    """Clip -> its class, or one word for all where there are no classes or too many to tell apart."""
    column = f"target_{target}"
    if column not in clips or clips[column].nunique() > MAX_KINDS:
        return dict.fromkeys(clips["clip_id"], otherwise)
    return dict(zip(clips["clip_id"], clips[column].fillna("no label"), strict=True))


def picture(places: pd.DataFrame, inside: list[str], outside: list[str], label: str) -> Markup:
    """An SVG of `places` (x, y, side, kind): inside clips as faint dots, outside clips as strong shapes above them."""
    points = places[["x", "y"]].to_numpy(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = (room / np.maximum(high - low, 1e-9)).min()  # both axes by the same factor
    points = (points - (low + high) / 2) * scale * [1, -1] + [WIDTH / 2, HEIGHT / 2]
    is_outside, kind = (places["side"] == "outside").to_numpy(), places["kind"].to_numpy()
    parts = [
        _path(points[~is_outside & (kind == name)], "h0", f"dot c{i % 8}", name) for i, name in enumerate(inside)
    ] + [_path(points[is_outside & (kind == name)], *_look(i), name) for i, name in enumerate(outside)]
    n = int(is_outside.sum())
    said = f"{label}: {len(points) - n} clips of the training dataset, faint, and {n} from outside, strong"
    head = f'<svg class="places" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(said)}">'
    return Markup(head + "".join(parts) + "</svg>")


def _look(i: int) -> tuple[str, str]:
    """Shape and colour of the i-th kind from outside; no two of `MAX_KINDS` are alike."""
    return SHAPES[i % len(SHAPES)], f"from o{(i + i // len(SHAPES)) % 3}"


def _path(points: np.ndarray, shape: str, kind: str, name: str) -> str:
    drawn = "".join(f"M{x:.1f},{y:.1f}{shape}" for x, y in points)
    return f'<path class="{kind}" d="{drawn}"><title>{escape(name)}</title></path>' if drawn else ""


def swatches(names: list[str], outside: bool) -> list[tuple[str, Markup]]:
    """(name, small SVG) for a legend."""
    found = []
    for i, name in enumerate(names):
        shape, kind = _look(i) if outside else ("h0", f"dot c{i % 8}")
        svg = (
            f'<svg class="places" viewBox="-7 -7 14 14" aria-hidden="true"><path class="{kind}" d="M0,0{shape}"/></svg>'
        )
        found.append((name, Markup(svg)))
    return found
