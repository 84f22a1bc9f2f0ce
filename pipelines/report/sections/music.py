"""Contents of the dataset: classes, sources, licences, and unusable files."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report.context import Context

TITLE = "The music"
ORDER = 95
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup:
    name = context.study.dataset.name
    return context.fill(
        TEMPLATE,
        one=context.study.facts,
        source=context.lineage.mark(paths.manifest(name)),
        source_audio=context.lineage.mark(paths.audio(name)),
    )
