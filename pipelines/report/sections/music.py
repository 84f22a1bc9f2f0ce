"""What the dataset is made of: classes, sources, licences, and the files that could not be used."""

from pathlib import Path

from markupsafe import Markup

from pipelines.report.context import Context

TITLE = "The music"
ORDER = 95
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup:
    name = context.study.dataset.name
    return context.fill(
        TEMPLATE,
        one=context.study.facts,
        source=context.lineage.mark(f"data/manifests/{name}.parquet"),
        source_audio=context.lineage.mark(f"data/audio/{name}"),
    )
