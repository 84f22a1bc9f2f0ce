"""Maps of the embeddings, drawn by the page's scripts from the embedded data; a click plays a clip."""

from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report.context import Context

TITLE = "Maps"
ORDER = 30
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup | None:
    dataset = context.study.dataset
    if dataset.maps.empty:
        return None
    source = context.lineage.mark(paths.clusters(dataset.name))
    return context.fill(TEMPLATE, labelled=bool(dataset.scores), source=source)
