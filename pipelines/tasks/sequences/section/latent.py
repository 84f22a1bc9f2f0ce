"""What the latent units of a generative model are, and what lies between two pieces."""

from pathlib import Path

from markupsafe import Markup

from pipelines.report import voices
from pipelines.report.context import Context

TEMPLATE = Path(__file__).with_suffix(".html.j2")
STEPS = 32
"""Of a window of two bars."""


def render(context: Context, name: str, latent: dict | None) -> Markup:
    """The latent units of the run `name`: `units`, `active`, `reconstruction`, `divergence`, and `line`, the notes of each
    point; nothing for a run without latent units."""
    if not latent:
        return Markup("")
    rolls = [
        (voices.roll(notes, 0, STEPS), voices.hear(context, f"{name}, point {number}", notes, 0, STEPS))
        for number, notes in enumerate(latent["line"], 1)
    ]
    return context.fill(TEMPLATE, latent=latent, rolls=[(roll, sound) for roll, sound in rolls if roll])
