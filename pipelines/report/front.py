"""The front page: the question, the verdict, the answers, and a card for each study and each family of tasks."""

from dataclasses import replace
from pathlib import Path

from pipelines.core import paths
from pipelines.core.files import read_json
from pipelines.evaluation.crossed import lead
from pipelines.report import cautions, corpora, headline, maps, players, private, provenance, shell, task_page
from pipelines.report.lineage import Lineage
from pipelines.report.sections.clustering import scored
from pipelines.report.state import Dataset, State, ordered, tagger_names
from pipelines.report.templates import filler

PLAYERS = 16
"""Clips that the map beside the answer plays; the study's own page plays the others."""
BASE = "../"
EXPORTED = ("k_means", "k_means_low", "k_means_high", "chance", "linear_probe", "probe_low", "probe_high", "majority")


def render(state: State) -> tuple[str, Lineage, dict[str, int]]:
    """(HTML, its lineage, figures: clips with players). The same state gives the same bytes."""
    hide = private.hider(state)
    state = replace(state, settings=hide(state.settings))  # before it is YAML, which breaks lines within a path
    lineage, fill = Lineage(state.stages), filler(hide)
    findings = headline.findings(state)
    answers = [_answer(state, found, lineage) for found in findings]
    far = cautions.distances(state, lineage)
    warnings = cautions.of(state, lineage)
    hero, data, sounds = _hero(state, findings, lineage)
    tasks = task_page.cards(state, lineage)
    studies = [_card(state, dataset, findings, lineage) for dataset in state.datasets.values()]
    collections = corpora.cards(state, lineage)
    tiles = fill("tiles.html.j2", studies=studies, corpora=collections, tasks=tasks)
    table = _table(state)
    run = _run(state, lineage)
    sections = [
        {"id": "pages", "title": "Studies and runs", "html": tiles},
        {"id": "run", "title": "What was run", "html": fill("run.html.j2", run=run)},
    ]
    if table["rows"]:
        sources = [lineage.mark(path) for dataset in state.datasets.values() for path in _scored_by(dataset)]
        figures = fill("figures.html.j2", table=table, sources=sources)
        sections.insert(1, {"id": "figures", "title": "All accuracies", "html": figures})
    heading = fill(
        "front.html.j2",
        question=headline.question(state),
        verdict=headline.verdict_sentence(findings, len(tagger_names(state))),
        answers=answers,
        distances=far,
        cautions=warnings,
        failed=[check for check in run["checks"] if check["passed"] is False],
        verdicts=headline.VERDICTS,
        hero=hero,
        rendered=[dataset.name for dataset in state.datasets.values() if provenance.rendered(dataset)],
    )
    html = shell.page(fill, headline.question(state), sections, lineage, heading=heading, data=data, sounds=sounds)
    return html, lineage, {"clips with players": sum(map(len, sounds))}


def _answer(state: State, found: dict, lineage: Lineage) -> dict:
    """Rows of a chart for one dataset and target: k-means and the linear probe, by the best tagger and the best baseline."""
    dataset = state.datasets[found["dataset"]]
    rows = []
    for kind, one in (("tagger", found["best"]), ("baseline", found["baseline"])):
        if one:
            ci95 = None if one["low"] is None else [one["low"], one["high"]]
            rows.append(("k-means", kind, one["name"], one["accuracy"], ci95, one["chance"]))
    for kind, one in headline.probe(state, dataset, found["target"]).items():
        rows.append(("linear probe", kind, one["name"], one["accuracy"], one["ci95"], one["trivial"]))
    return {**found, "rows": rows, "sources": [lineage.mark(path) for path in _scored_by(dataset)]}


def _scored_by(dataset: Dataset) -> list[Path]:
    """The outputs that hold the dataset's accuracies."""
    found = ((paths.clusters, dataset.scores), (paths.study, dataset.study))
    return [path(dataset.name) for path, there in found if there]


def _hero(state: State, findings: list[dict], lineage: Lineage) -> tuple[dict | None, list[dict], list[list[str]]]:
    """(the map beside the answer, the scripts' data, the excerpts) of the first finding's best embedding, if that has a map."""
    for found in findings[:1]:
        dataset, best = state.datasets[found["dataset"]], (found["best"] or found["baseline"])["name"]
        options = state.settings["report"]
        chosen = players.examples(dataset, min(PLAYERS, options["max_players"]))
        audible = players.playable(dataset, len(chosen), chosen)
        data = maps.data(dataset, [best], audible, base=BASE, page=f"pages/{dataset.name}.html")
        if not any(best in method["places"] for method in data["maps"]):
            continue
        rate = state.settings["audio"]["sample_rate"]
        sounds = players.excerpts(dataset, audible, rate, options["excerpt_s"])
        sources = [lineage.mark(paths.clusters(dataset.name))]
        hero = {"dataset": dataset.name, "embedding": best, "target": found["target"], "sources": sources}
        return hero, [data], [list(sounds.values())]
    return None, [], []


def _card(state: State, dataset: Dataset, findings: list[dict], lineage: Lineage) -> dict:
    """A study's card: what it is of, its verdicts, and what its page holds."""
    record = paths.record("page", dataset.name)
    figures = read_json(record)["figures"] if record.exists() else {}
    return {
        "name": dataset.name,
        "facts": provenance.dataset_facts(dataset, state.settings["audio"]["sample_rate"]),
        "findings": [found for found in findings if found["dataset"] == dataset.name],
        "page": figures,
        "source": lineage.mark(paths.manifest(dataset.name)),
    }


def _table(state: State) -> dict:
    """Every embedding's accuracies on every target, `{"columns", "rows"}`, numbers in full."""
    rows = []
    for dataset in state.datasets.values():
        for target, records in scored(dataset, ordered(state, _embeddings(dataset))).items():
            probes = dataset.study.get("targets", {}).get(target, {}).get("probes", {}).get("linear", {})
            for name, record in records.items():
                leading, probed = lead(record), probes.get(name)
                row = [dataset.name, target, name, record["n"], record["k"]]
                row += [leading["accuracy"], *(leading["ci95"] or (None, None)), leading["chance"]]
                if probed:
                    row += [probed["accuracy"], *(probed["accuracy_ci95"] or (None, None)), probed["trivial"]]
                rows.append(row + [None] * (5 + len(EXPORTED) - len(row)))
    return {"columns": ["dataset", "classes", "embedding", "n", "k", *EXPORTED], "rows": rows}


def _embeddings(dataset: Dataset) -> set[str]:
    return {name for records in dataset.scores.values() for name in records}


def _run(state: State, lineage: Lineage) -> dict:
    """What was run; after all other parts, since it looks upstream of what they marked."""
    rate = state.settings["audio"]["sample_rate"]
    parts = [
        {**provenance.dataset_facts(dataset, rate), "source": lineage.mark(paths.audio(name))}
        for name, dataset in state.datasets.items()
    ]
    made = [(f"page@{name}", str(paths.record("page", name))) for name in state.datasets]
    made += [(f"task_page@{path.stem}", path.as_posix()) for path in sorted(paths.records("task_page").glob("*.json"))]
    return {
        "git": provenance.git(),
        "libraries": provenance.libraries(),
        "seeds": provenance.seeds(state.settings),
        "precisions": provenance.precisions(state),
        "parameters": provenance.parameters(state.settings),
        "datasets": parts,
        "checks": provenance.checks([*lineage.records(), *made]),
    }
