"""The page itself: everything gathered, every figure marked, the templates filled."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipelines.core import training_clips
from pipelines.evaluation.contrast import FLAT
from pipelines.evaluation.crossed import lead
from pipelines.metrics.intervals import WITHHELD
from pipelines.report import (
    cautions,
    charts,
    headline,
    maps,
    neighbours,
    ood,
    pictures,
    players,
    private,
    provenance,
    robustness,
    study,
)
from pipelines.report.lineage import Lineage
from pipelines.report.state import Dataset, State, ordered, tagger_names

HERE = Path(__file__).parent
SCRIPTS = ("page.js", "player.js", "maps.js")
MAX_MATRIX = 40  # classes; of more, the page lists the commonest confusions instead of drawing them all
THIN = 5  # clips; a class with fewer is flagged


def render(state: State) -> tuple[str, dict[str, int]]:
    """(HTML of the page, figures: clips with players, pictures, maps). The same state gives the same bytes."""
    hide = private.hider(state)
    state = replace(state, settings=hide(state.settings))  # before it is YAML, which breaks lines within a path
    lineage = Lineage(state.stages)
    options, rate = state.settings["report"], state.settings["audio"]["sample_rate"]
    sections, listen, scripts, sounds = [], [], [], []
    for number, dataset in enumerate(state.datasets.values()):
        dataset.raw_figures = hide(dataset.raw_figures)
        # without labels there are maps and no scores
        told = {name for records in dataset.scores.values() for name in records} or set(dataset.maps["embedding"])
        embeddings = ordered(state, told)
        shown = players.examples(dataset, options["n_examples"])
        queries = neighbours.queries(dataset, options["n_queries"])
        first = list(dict.fromkeys([*shown, *neighbours.heard(dataset, queries)]))
        audible = players.playable(dataset, options["max_players"], first)
        data = maps.data(dataset, embeddings, audible, options.get("link_clips", False))
        near = neighbours.section(dataset, embeddings, queries, audible, lineage)
        sections.append(_section(state, dataset, embeddings, number, data, lineage) | {"neighbours": near})
        listen.append(_listen(state, dataset, shown, number, lineage))
        scripts.append(data)
        sounds.append(list(players.excerpts(dataset, audible, rate, options["excerpt_s"]).values()))
    findings = headline.findings(state)
    run = _run(state, lineage)
    context = {
        "question": headline.question(state),
        "findings": [_marked(found, lineage) for found in findings],
        "verdicts": headline.VERDICTS,
        "alpha": headline.ALPHA,
        "withheld": WITHHELD,
        "cautions": cautions.of(state, lineage),
        "failed": [check for check in run["checks"] if not check["passed"]],
        "flat": FLAT,
        "n_taggers": headline.word(len(tagger_names(state))),
        "hero": _hero(findings, list(state.datasets), scripts, lineage),
        "sections": sections,
        "tagging": _tagging(state, lineage),
        "listen": listen,
        "run": run,
        "sample_rate": rate,
        "excerpt_s": options["excerpt_s"],
        "thin": THIN,
        "lineage": lineage.table(),  # last: it holds what was marked above
        "data": scripts,
        "style": Markup((HERE / "style.css").read_text(encoding="utf-8")),
        "script": Markup("\n".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)),
    }
    context = hide(context) | {"sounds": sounds}
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # embeddings stay in the recipe's order
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    environment.filters.update(words=headline.words, yaml=provenance.plain_yaml)
    environment.globals.update(percent=charts.percent, swatches=ood.swatches)
    figures = {
        "clips with players": sum(map(len, sounds)),
        "clips with pictures": sum(len(part["cards"]) for part in listen),
        "maps": sum(len(method["places"]) for data in scripts for method in data["maps"]),
        "figures without lineage": sum(not mark["stage"] for mark in lineage.marks),
    }
    return environment.get_template("page.html.j2").render(context), figures


def _marked(found: dict, lineage: Lineage) -> dict:
    mark = lineage.mark(f"data/clusters/{found['dataset']}")
    return {**found, "mark": mark, "mark_pair": found["pair"] and lineage.mark(f"data/study/{found['dataset']}")}


def _hero(findings: list[dict], names: list[str], scripts: list[dict], lineage: Lineage) -> dict | None:
    """The map beside the answer: the first finding's best embedding, where it has a map."""
    for found in findings[:1]:
        number, best = names.index(found["dataset"]), (found["best"] or found["baseline"])["name"]
        if any(best in method["places"] for method in scripts[number]["maps"]):
            mark = lineage.mark(f"data/clusters/{found['dataset']}")
            return {"dataset": number, "embedding": best, "target": found["target"], "mark": mark}
    return None


def _section(state: State, dataset: Dataset, embeddings: list[str], number: int, data: dict, lineage: Lineage) -> dict:
    """One dataset's clustering."""
    taggers = set(tagger_names(state))
    facts = provenance.dataset_facts(dataset, state.settings["audio"]["sample_rate"])
    targets = []
    for target, records in dataset.scores.items():
        names = [name for name in embeddings if name in records]
        first = records[names[0]]
        targets.append(
            {
                "name": target,
                "n": first["n"],
                "k": first["k"],
                "rows": [
                    {"name": name, "tagger": name in taggers, "lead": lead(records[name]), **records[name]}
                    for name in names
                ],
                "classes": [
                    {
                        "name": label,
                        "support": first["per_class"][label]["support"],
                        "scores": [(name, records[name]["per_class"][label]) for name in names],
                    }
                    for label in first["per_class"]
                ],
                "matrices": [_matrix(name, dataset.confusions[target][name]) for name in names],
            }
        )
    return {
        "name": dataset.name,
        "number": number,
        "facts": facts,
        "targets": targets,
        "embeddings": embeddings,
        "maps": bool(data["maps"]),
        "unclustered": _why_unclustered(dataset),
        "study": study.study(dataset, embeddings, lineage),
        "leaks": study.leaks(dataset, lineage),
        "ood": ood.ood(dataset, state.datasets.get(dataset.ood.get("of")), embeddings, lineage),
        "robustness": robustness.section(dataset, embeddings, lineage),
        "mark": lineage.mark(f"data/clusters/{dataset.name}"),
    }


def _why_unclustered(dataset: Dataset) -> str:
    """Why a dataset that went through the study has no clustering; "" where it has one, or did not go through it yet."""
    if dataset.scores or not dataset.study:
        return ""
    reasons = [line.replace(", all of it", "") for line in dataset.study["skipped"] if ", all of it: " in line]
    return "; ".join(dict.fromkeys(reasons)) or "the dataset has no labels"


def _matrix(name: str, confusion: dict) -> dict:
    """A matched confusion matrix: rows of (class, [(count, percent of the row)]), or its commonest confusions."""
    classes, counts = confusion["classes"], confusion["counts"]
    shades = [[(count, charts.shade(count, sum(line))) for count in line] for line in counts]
    pairs = sorted(
        (-count, classes[row], classes[column])
        for row, line in enumerate(counts)
        for column, count in enumerate(line)
        if count and row != column
    )
    return {
        "name": name,
        "classes": classes,
        "rows": list(zip(classes, shades, strict=True)),
        "small": len(classes) <= MAX_MATRIX,
        "pairs": [(-count, own, given) for count, own, given in pairs[:20]],
    }


def _tagging(state: State, lineage: Lineage) -> list[dict]:
    """The taggers' own scores and training, a part for each dataset they were scored on."""
    parts = []
    for name, records in state.tagging.items():
        names = ordered(state, records)
        if not names:
            continue  # no tagger was trained here: published ones have tags of their own
        tags = list(records[names[0]]["per_tag"])
        by_score = sorted(tags, key=lambda tag: (-max(_of(records[n], tag, "roc_auc") for n in names), tag))
        parts.append(
            {
                "dataset": name,
                "rows": [{"name": tagger, "colour": i, **records[tagger]} for i, tagger in enumerate(names)],
                "n_trained": len({tag for n in names for tag in state.taggers.get(n, {}).get("tags", [])}),
                "tags": [{"name": tag, "scores": [records[n]["per_tag"].get(tag) for n in names]} for tag in by_score],
                "left_out": training_clips.in_words(state.settings["training"].get("leave_out")),
                "mark": lineage.mark("reports/tagging.json"),
                "training": [_training(state, n, i, lineage) for i, n in enumerate(names) if n in state.taggers],
                "curves": _curves(state, names),
            }
        )
    return parts


def _of(record: dict, tag: str, key: str) -> float:
    return record["per_tag"].get(tag, {}).get(key, 0.0)


def _training(state: State, name: str, colour: int, lineage: Lineage) -> dict:
    config = state.taggers[name]
    mark = lineage.mark(f"models/tagging/{name}")
    return {"name": name, "colour": colour, "config": config, "figures": config.get("figures", {}), "mark": mark}


def _curves(state: State, names: list[str]) -> list[Markup]:
    """A chart a quantity of history.csv, a line a tagger, a ring at the epoch that was kept."""
    wanted = (
        ("loss", "training loss (BCE)", None),
        ("validation_roc_auc", "validation ROC-AUC", 0.5),
        ("validation_pr_auc", "validation PR-AUC", None),
    )
    found = []
    for key, label, floor in wanted:
        series = [
            {
                "name": name,
                "colour": i,
                "x": [row["epoch"] for row in state.histories[name]],
                "y": [row[key] for row in state.histories[name]],
                "mark": state.taggers.get(name, {}).get("figures", {}).get("best epoch"),
            }
            for i, name in enumerate(names)
            if state.histories.get(name) and key in state.histories[name][0]
        ]
        if series:
            found.append(charts.lines(series, "epoch", label, f"{label} by epoch of {', '.join(names)}", floor))
    return found


def _listen(state: State, dataset: Dataset, rows: list[int], number: int, lineage: Lineage) -> dict:
    """Cards of a few clips with their excerpt's pictures."""
    options, rate = state.settings["report"], state.settings["audio"]["sample_rate"]
    place = {int(row): i for i, row in enumerate(dataset.scored[dataset.scored].index)}
    every_note = pictures.notes_of(dataset)
    cards = []
    for row in rows:
        clip = dataset.clips.loc[row]
        start, length = players.window(clip, rate, options["excerpt_s"])
        notes = every_note.get(clip["path"])
        placed = dataset.assignments[dataset.assignments["clip_id"] == clip["clip_id"]]
        placed = placed[["target", "embedding", "predicted", "actual"]]
        cards.append(
            {
                "clip": place[row],
                "title": clip["title"],
                "labels": [(t, clip[f"target_{t}"]) for t in dataset.scores if pd.notna(clip[f"target_{t}"])],
                "placed": list(placed.itertuples(index=False, name=None)),
                "tags": list(clip["tags"]),
                "start": start,
                "length": length,
                "whole": int(clip["length"]) / rate,
                "ticks": pictures.time_ticks(start, length),
                "log_mel": pictures.log_mel(dataset, clip["clip_id"], start, length, state.settings),
                "roll": None if notes is None else pictures.piano_roll(notes, start, length),
            }
        )
    drawn = any(card["log_mel"] for card in cards)
    return {
        "name": dataset.name,
        "number": number,
        "cards": cards,
        "notes": dataset.notes is not None,
        "marks": [
            lineage.mark(path)
            for path, wanted in (
                (f"data/audio/{dataset.name}", True),
                (f"data/features/{dataset.name}/log_mel", drawn),
                (f"data/raw/{dataset.name}", dataset.notes is not None),
            )
            if wanted
        ],
    }


def _run(state: State, lineage: Lineage) -> dict:
    """What was run; after all other parts, since it looks upstream of what they marked."""
    rate = state.settings["audio"]["sample_rate"]
    parts = [
        {
            **provenance.dataset_facts(dataset, rate),
            "mark": lineage.mark(f"data/manifests/{name}.parquet"),
            "mark_audio": lineage.mark(f"data/audio/{name}"),
        }
        for name, dataset in state.datasets.items()
    ]
    return {
        "git": provenance.git(),
        "libraries": provenance.libraries(),
        "seeds": provenance.seeds(state.settings),
        "precisions": provenance.precisions(state),
        "parameters": provenance.parameters(state.settings),
        "datasets": parts,
        "checks": provenance.checks(lineage.records()),
    }
