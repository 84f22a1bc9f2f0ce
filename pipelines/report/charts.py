"""Charts as HTML and SVG text. Text stays text (selectable, readable at any width); only what is drawn is drawn.

Charts of rows (dots with whiskers) are built by the templates from the plain rows made here; `lines` draws an SVG.
"""

import math

from markupsafe import Markup, escape


def percent(value: float, low: float = 0.0, high: float = 1.0) -> str:
    """A place on an axis from `low` to `high` as a CSS percentage, clipped to the axis."""
    return f"{100 * min(1.0, max(0.0, (value - low) / (high - low))):.2f}%"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between `low` and `high`, about so many, a 1, 2 or 5 apart in their last digit."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 10) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def quarters(low: float, high: float) -> list[float]:
    """Five round numbers at even distances, the first at most `low` and the last at least `high`: the four parts of a track."""
    size = 10 ** math.floor(math.log10((high - low) / 4 or 1.0))
    for step in (size * factor for factor in (1, 2, 2.5, 5, 10, 20, 25, 50)):
        first = math.floor(low / step + 1e-9) * step
        if first + 4 * step >= high - 1e-9 * step:
            break
    return [round(first + n * step, 10) for n in range(5)]


def lines(series: list[dict], x_label: str, y_label: str, label: str, floor: float | None = None) -> Markup:
    """An SVG line chart.

    series: `{"name", "colour" (number of a CSS class), "x", "y", "mark"}`; mark is the x to put a ring on, or None.
    label: what a screen reader says. floor: a value drawn as a dotted line (chance, for instance).
    """
    width, height, left, right, top, bottom = 360, 220, 46, 10, 10, 36
    xs = [x for one in series for x in one["x"]]
    ys = [y for one in series for y in one["y"]] + ([] if floor is None else [floor])
    if not xs:
        return Markup("")
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1)
    y_low, y_high = min(ys), max(ys)
    room = (y_high - y_low) * 0.06 or 0.05
    y_low, y_high = y_low - room, y_high + room

    def place(x: float, y: float) -> tuple[float, float]:
        across, up = (x - x_low) / (x_high - x_low), (y - y_low) / (y_high - y_low)
        return left + across * (width - left - right), height - bottom - up * (height - top - bottom)

    parts = []
    for value in ticks(y_low, y_high):
        y = place(x_low, value)[1]
        parts.append(f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 3.5:.1f}" text-anchor="end">{value:g}</text>')
    for value in ticks(x_low, x_high):
        if value == int(value):
            x = place(value, y_low)[0]
            parts.append(f'<text x="{x:.1f}" y="{height - bottom + 15}" text-anchor="middle">{value:g}</text>')
    if floor is not None:
        y = place(x_low, floor)[1]
        parts.append(f'<line class="floor" x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for one in series:
        points = [place(x, y) for x, y in zip(one["x"], one["y"], strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="line c{one["colour"]}" points="{path}"/>')
        if len(points) == 1:
            parts.append(
                f'<circle class="only c{one["colour"]}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>'
            )
        for x, y, (cx, cy) in zip(one["x"], one["y"], points, strict=True):
            if x == one["mark"]:
                title = f"<title>{escape(one['name'])}: {escape(x_label)} {x:g}, {y:.4f}</title>"
                parts.append(
                    f'<circle class="ring c{one["colour"]}" cx="{cx:.1f}" cy="{cy:.1f}" r="4.5">{title}</circle>'
                )
    middle = left + (width - left - right) / 2
    parts.append(f'<text class="axis" x="{middle:.0f}" y="{height - 4}" text-anchor="middle">{escape(x_label)}</text>')
    up = f"translate(11 {top + (height - top - bottom) / 2:.0f}) rotate(-90)"
    parts.append(f'<text class="axis" transform="{up}" text-anchor="middle">{escape(y_label)}</text>')
    head = f'<svg class="lines" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
    return Markup(head + "".join(parts) + "</svg>")


def shade(count: int, total: int) -> int:
    """How dark a cell of a confusion matrix is: its share of the row in percent."""
    return round(100 * count / total) if total else 0
