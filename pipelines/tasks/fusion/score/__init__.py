"""Scores of a fusion on the test clips, beside the most frequent class of the training clips and each run alone."""

import numpy as np

from pipelines.core.files import read_json
from pipelines.metrics import single_label
from pipelines.metrics.scores import difference, score
from pipelines.tasks import part
from pipelines.tasks.fusion.fit import run_answers

METRICS = single_label.METRICS
LEAD = next(iter(METRICS))


def predict(run, folder):
    """`single_label.columns` of the clips that any of the runs answers."""
    number = [path for _, path in run.trainings].index(folder)
    answers, config = run_answers.read(run, number, "test"), read_json(folder / "config.json")
    fused = part(run.task, f"models.{run.model}").fuse(answers.probabilities, config["parameters"])
    return single_label.columns(answers.units, answers.groups, answers.actual, answers.classes, fused)


def baseline(run):
    """The classes' shares of the training clips, for every clip."""
    answers = run_answers.read(run, 0, "test")
    shares = np.tile(answers.priors, (len(answers.units), 1))
    return single_label.columns(answers.units, answers.groups, answers.actual, answers.classes, shares)


def details(run, found):
    """`alone`: run -> how many clips it answers (`n`) and how many not (`missing`), its macro F1 on those it answers (`value`,
    `ci95`), that of the fusion on the same clips (`fused`), and the paired `difference` fusion - run."""
    each = [run_answers.read(run, number, "test") for number in range(len(run.trainings))]
    trivial, draws = baseline(run), (run.shared["n_bootstrap"], run.shared["seed"])
    alone = {}
    for place, name in enumerate(each[0].names):
        there = ~np.isnan(each[0].probabilities[place]).any(axis=1)
        own = [
            single_label.columns(
                one.units[there], one.groups[there], one.actual[there], one.classes, one.probabilities[place][there]
            )
            for one in each
        ]
        fused, floor = [{key: column[there] for key, column in one.items()} for one in found], _rows(trivial, there)
        (a, drawn_a), (b, drawn_b) = (
            score({LEAD: METRICS[LEAD]}, columns, floor, "test", *draws) for columns in (fused, own)
        )
        alone[name] = {
            "n": int(there.sum()),
            "missing": int((~there).sum()),
            "value": b[LEAD]["value"],
            "ci95": b[LEAD]["ci95"],
            "fused": a[LEAD]["value"],
            "difference": difference(a[LEAD], b[LEAD], drawn_a.get(LEAD), drawn_b.get(LEAD)),
        }
    return {"model": run.model, "reads": run.input.name, "n": len(trivial["unit"]), "alone": alone}


def plots(details):
    """Macro F1 of each run alone, for the record."""
    values = {name: one["value"] for name, one in details["alone"].items()}
    return {"alone": {"kind": "bars", "values": values, "title": "Macro F1 of each run alone"}}


def checks(run, found):
    """Is no group on two sides in any of the runs, nor in validation and test clips of all; does every run answer
    every clip, and has validation every class?"""
    test, held = run_answers.read(run, 0, "test"), run_answers.read(run, 0, "validation")
    lacking = {name: n for name, n in test.missing().items() if n}
    told = ", ".join(f"{name} has no answer to {n}" for name, n in lacking.items())
    unknown = sorted(set(test.actual.tolist()) - set(held.actual.tolist()))
    return {
        "no group on two sides": groups(test, held),
        "every run answers every clip": (
            not lacking,
            f"{told} of {len(test.units)} test clips; the others are fused without it"
            if lacking
            else "each has an answer to all",
        ),
        "validation has every class": (
            not unknown if run.model == "stacking" else True,
            f"{len(unknown)} classes have test clips and no validation clip",
        ),
    }


def groups(test: run_answers.Answers, held: run_answers.Answers) -> tuple[bool | None, str]:
    """Has none of the runs a group on two sides, and do validation and test clips of all share none? None where a run does not
    know: a fusion is no more honest than the runs in it, and without validation clips these are all there is to compare."""
    torn = sorted(set(test.groups.tolist()) & set(held.groups.tolist()))
    across = (
        f"{len(torn)} groups have validation and test clips" if len(held.units) else "there are no validation clips"
    )
    failed, unknown = (
        [f"{name}: {told}" for name, (passed, told) in test.splits.items() if passed is verdict]
        for verdict in (False, None)
    )
    passed = False if torn or failed else None if unknown else True
    return passed, "; ".join([across, *failed, *unknown])


def _rows(columns, there):
    return {key: column[there] for key, column in columns.items()}
