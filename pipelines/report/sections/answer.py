"""The answer in sentences, for each target: the best tagger against chance and against embeddings without a network."""

from pathlib import Path

from markupsafe import Markup

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
        sources=[context.lineage.mark(f"data/{kind}/{name}") for kind in _shown(context)],
    )


def _shown(context: Context) -> list[str]:
    dataset = context.study.dataset
    return [kind for kind, there in (("clusters", dataset.scores), ("study", dataset.study)) if there]
