"""The answer in sentences, for each target: the best tagger against chance and against embeddings without a network."""

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from pipelines.core import paths
from pipelines.report import headline
from pipelines.report.context import Context
from pipelines.report.state import tagger_names

TITLE = "The answer"
ORDER = 0
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup:
    name = context.study.dataset.name
    return context.fill(
        TEMPLATE,
        findings=[one for one in headline.findings(context.state) if one["dataset"] == name],
        verdicts=headline.VERDICTS,
        alpha=headline.ALPHA,
        n_taggers=headline.word(len(tagger_names(context.state))),
        sources=[context.lineage.mark(path(name)) for path in _shown(context)],
    )


def _shown(context: Context) -> list[Callable[[str], Path]]:
    """What gives the paths of the outputs that the section shows."""
    dataset = context.study.dataset
    return [path for path, there in ((paths.clusters, dataset.scores), (paths.study, dataset.study)) if there]
