"""Maps of the embeddings, drawn and played by the page's scripts from the data embedded in it."""

from pathlib import Path

from markupsafe import Markup

from pipelines.report.context import Context

TITLE = "Maps"
ORDER = 30
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup | None:
    dataset = context.study.dataset
    if dataset.maps.empty:
        return None
    source = context.lineage.mark(f"data/clusters/{dataset.name}")
    return context.fill(TEMPLATE, labelled=bool(dataset.scores), source=source)
