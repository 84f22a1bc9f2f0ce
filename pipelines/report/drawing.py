"""Draw the plots of a stage's record, which contains their numbers (`plots`), for Dagster and the report.

A plot is a dict with `kind` (a name of `KINDS`), `title`, and the arguments of that function. No computing stage loads this
module, so that a changed colour makes only the pages stale.
"""

import base64
import io

import matplotlib
import numpy as np
from matplotlib.figure import Figure

COLOURS = ["#3b6ea5", "#d1603d", "#4f9d69", "#8d5a97", "#c9a227", "#2a9d8f", "#b56576", "#6d6875", "#7a9e3d", "#577590"]
matplotlib.rcParams["svg.hashsalt"] = "conservatory"


def draw(plot: dict) -> str:
    """A plot of a record as `data:image/png;base64,` text."""
    return KINDS[plot["kind"]](**{name: value for name, value in plot.items() if name != "kind"})


def lines(x_values: list, curves: dict[str, list], title: str, x: str) -> str:
    """Curves (name -> values) over `x_values`, one panel each, since their scales differ."""
    figure = Figure(figsize=(3 * len(curves), 2.4), layout="constrained")
    for number, (name, values) in enumerate(curves.items()):
        axes = figure.add_subplot(1, len(curves), number + 1)
        axes.plot(x_values, values, color=COLOURS[number], linewidth=2)
        axes.set(title=name.replace("_", " "), xlabel=x)
    figure.suptitle(title)
    return _png(figure)


def bars(values: dict[str, float], title: str) -> str:
    """A horizontal bar an entry."""
    figure = Figure(figsize=(5, 0.8 + 0.25 * len(values)), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(list(values)[::-1], list(values.values())[::-1], color=COLOURS[0])
    axes.set(title=title)
    return _png(figure)


def matrix(counts: list[list[int]], names: list[str], title: str) -> str:
    """A square matrix of counts, row the true class."""
    values = np.asarray(counts)
    size = 2 + 0.35 * len(names)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(values, cmap="Blues")
    axes.set(title=title, xlabel="matched cluster", ylabel="class")
    axes.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    for (row, column), value in np.ndenumerate(values):
        if value:
            shade = "white" if value > values.max() / 2 else "black"
            axes.text(column, row, str(value), ha="center", va="center", fontsize=6, color=shade)
    return _png(figure)


def tree(linkage: list, names: list[str], title: str) -> str:
    """A dendrogram of classes."""
    from scipy.cluster.hierarchy import dendrogram  # only where there is something to draw

    figure = Figure(figsize=(6, 1 + 0.28 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    dendrogram(np.asarray(linkage), labels=names, orientation="right", ax=axes, color_threshold=0)
    axes.set(title=title, xlabel="distance of mean embeddings")
    return _png(figure)


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80, metadata={"Software": None})  # no version: same bytes
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


KINDS = {"lines": lines, "bars": bars, "matrix": matrix, "tree": tree}
