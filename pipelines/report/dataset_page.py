"""The page of a dataset's study: each section of `pipelines/report/sections/` that has something to show."""

from dataclasses import replace

from pipelines.report import maps, players, private, provenance, sections, shell
from pipelines.report.context import Context, Study
from pipelines.report.lineage import Lineage
from pipelines.report.state import Dataset, State, ordered
from pipelines.report.templates import filler

BASE = "../../"
SOUND_BYTES = 6_600_000
"""Of a page's excerpts, base64 and all: what is left of `shell.MAX_BYTES` for the rest of the page."""


def render(state: State, name: str) -> tuple[str, Lineage, dict[str, int | str]]:
    """(HTML, its lineage, figures: clips with players and pictures, maps, sections). The same state gives the same bytes."""
    dataset = state.datasets[name]
    hide = private.hider(state)
    state = replace(state, settings=hide(state.settings))
    dataset.raw_figures = hide(dataset.raw_figures)
    options, rate = state.settings["report"], state.settings["audio"]["sample_rate"]
    study = _study(state, dataset)
    sounds = list(players.excerpts(dataset, study.audible, rate, options["excerpt_s"]).values())
    context = Context(state, Lineage(state.stages), filler(hide), study=study)
    drawn = sections.render(sections.found(), context)
    data = maps.data(dataset, study.embeddings, study.audible, base=BASE, outside=options.get("link_clips", False))
    heading = context.fill("dataset.html.j2", name=name, facts=study.facts, labelled=bool(dataset.scores))
    html = shell.page(
        context.fill,
        f"{name}: the study",
        drawn,
        context.lineage,
        heading=heading,
        back="../index.html",
        data=[data],
        sounds=[sounds],
    )
    figures = {
        "clips with players": len(sounds),
        "clips with pictures": len(study.examples),
        "maps": sum(len(method["places"]) for method in data["maps"]),
        "sections": ", ".join(one["title"] for one in drawn),
    }
    return html, context.lineage, figures


def _study(state: State, dataset: Dataset) -> Study:
    options, rate = state.settings["report"], state.settings["audio"]["sample_rate"]
    # without labels there are maps and no scores
    known = {name for records in dataset.scores.values() for name in records} or set(dataset.maps["embedding"])
    examples = players.examples(dataset, options["n_examples"])
    queries = players.queries(dataset, options["n_queries"])
    first = list(dict.fromkeys([*examples, *players.near(dataset, queries)]))
    room = int(SOUND_BYTES / players.excerpt_bytes(rate, options["excerpt_s"]))
    return Study(
        dataset,
        facts=provenance.dataset_facts(dataset, rate),
        embeddings=ordered(state, known),
        examples=examples,
        queries=queries,
        audible=players.playable(dataset, min(options["max_players"], room), first),
    )
