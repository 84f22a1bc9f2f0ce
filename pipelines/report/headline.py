"""The verdict in a sentence: taggers' embeddings compared with chance and with embeddings without a network.

All sentences follow one rule. An embedding is called better than another only if the study's paired test over clips is
significant (p below 0.05 after Holm's correction for all pairs) and the ranges of both over random initialisations of k-means do
not overlap (`apart`); without such a test, only if its 95% interval is wholly above the other's. It is called above chance only
if the lower end of its interval is. Intervals and tests describe the variation over clips, not over trainings, so the spread over
trainings (`report.training_sd` of params.yaml) is added to the variance of a tagger's difference from a baseline.
"""

import numpy as np
from scipy.stats import norm

from pipelines.core.splits import is_grouped
from pipelines.evaluation.crossed import lead
from pipelines.report.state import Dataset, State, ordered, tagger_names

ALPHA = 0.05
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

VERDICTS = {
    "better": "better than the baselines",
    "level": "no significant difference from the baselines",
    "worse": "below the baselines",
    "no baseline": "above chance",
    "chance": "not above chance",
    "unknown": "too few groups for a verdict",
}


def question(state: State) -> str:
    """The page's title."""
    targets = [
        f"the labels of {dataset.name}" if target == "label" else words(target)
        for dataset in state.datasets.values()
        for target in dataset.scores
    ]
    n = len(tagger_names(state))
    knower = (
        "does a tagger’s embedding" if n == 1 else f"do {word(n)} taggers’ embeddings" if n else "do plain embeddings"
    )
    return f"What {knower} know about {listed(list(dict.fromkeys(targets))) or 'this music'}?"


def findings(state: State) -> list[dict]:
    """One for each dataset and target, in the recipe's order: `{"dataset", "target", "n", "k", "best", "baseline", "others",
    "pair", "verdict", "margin", "trained_on", "grouped"}`.

    best and baseline have the highest figures of their kind, `{"name", "accuracy", "low", "high", "chance", "held_out" (other
    clips named the clusters than are scored), "repeats"}`, or None where there is no tagger (no baseline). others: the taggers
    with lower figures. pair: `paired` of best and baseline.
    verdict: a key of `VERDICTS`. margin: by how much another training may move a tagger's accuracy. trained_on: how many of the
    classes a tagger was trained to name. grouped: do clips of the dataset share works or artists.
    """
    taggers, found = tagger_names(state), []
    encoders = state.settings.get("encoders") or {}  # the verdict compares what was trained here with baselines
    sd = state.settings["report"].get("training_sd", 0)
    for name, dataset in state.datasets.items():
        for target, records in dataset.scores.items():
            scored = [summary(key, records[key]) for key in ordered(state, records)]
            networks = sorted((s for s in scored if s["name"] in taggers), key=lambda s: -s["accuracy"])
            plain = [s for s in scored if s["name"] not in taggers and s["name"] not in encoders]
            baselines = sorted(plain or [s for s in scored if s["name"] not in taggers], key=lambda s: -s["accuracy"])
            best = networks[0] if networks else None
            baseline = baselines[0] if baselines else None
            record = records[(best or baseline)["name"]]
            pair = paired(dataset, target, best["name"], baseline["name"]) if best and baseline else None
            if pair:
                pair["p_trainings"] = p_over_trainings(pair, sd)
            found.append(
                {
                    "dataset": name,
                    "target": target,
                    "n": record["n"],
                    "k": record["k"],
                    "best": best,
                    "baseline": baseline,
                    "others": networks[1:],
                    "pair": pair,
                    "verdict": verdict(best, baseline, pair, 1.96 * sd) if best else "",
                    "margin": 1.96 * sd,
                    "trained_on": trained_on(state, record["per_class"]),
                    "grouped": is_grouped(dataset.clips),
                }
            )
    return found


PLAIN = {
    "better": "better than plain statistics of the sound do",
    "level": "no better than plain statistics of the sound do",
    "worse": "worse than plain statistics of the sound do",
    "no baseline": "better than chance",
    "chance": "no better than chance",
    "unknown": "to an unknown extent (too few works)",
}
"""A verdict in everyday words, after "the taggers sort the clips by style"."""


def verdict_sentence(found: list[dict], n_taggers: int) -> str:
    """All verdicts in one sentence. found: as `findings` gives them."""
    judged = [one for one in found if one["verdict"]]
    if not found:
        return ""
    if not judged:
        return "No tagger was trained, so there is nothing to compare with plain statistics of the sound."
    parts = []
    for dataset in dict.fromkeys(one["dataset"] for one in judged):
        of = {one["verdict"]: [] for one in judged if one["dataset"] == dataset}
        for one in judged:
            if one["dataset"] == dataset:
                of[one["verdict"]].append(words(one["target"]))
        sorted_by = [f"by {listed(targets)} {PLAIN[verdict]}" for verdict, targets in of.items()]
        parts.append(f"the clips of {dataset} {' and '.join(sorted_by)}")
    who = "The trained tagger sorts" if n_taggers == 1 else f"{word(n_taggers).capitalize()} trained taggers sort"
    return f"{who} {'; '.join(parts)}."


def probe(state: State, dataset: Dataset, target: str, of: str = "linear") -> dict[str, dict]:
    """The best tagger's and the best baseline's record of a probe, `{"tagger": {"name", "accuracy", "ci95", "trivial"},
    "baseline": ...}`; without those that the study has not scored."""
    records = dataset.study.get("targets", {}).get(target, {}).get("probes", {}).get(of, {})
    taggers, found = tagger_names(state), {}
    encoders = state.settings.get("encoders") or {}
    for name in (one for one in ordered(state, records) if one not in encoders):
        record = {
            "name": name,
            "accuracy": records[name]["accuracy"],
            "ci95": records[name]["accuracy_ci95"],
            "trivial": records[name]["trivial"],
        }
        kind = "tagger" if name in taggers else "baseline"
        if kind not in found or record["accuracy"] > found[kind]["accuracy"]:
            found[kind] = record
    return found


def summary(name: str, record: dict) -> dict:
    leading = lead(record)
    low, high = leading["ci95"] or (None, None)
    return {
        "name": name,
        "accuracy": leading["accuracy"],
        "low": low,
        "high": high,
        "chance": leading["chance"],
        "held_out": record["crossed"] is not None,
        "repeats": record.get("repeats"),
    }


def apart(a: dict, b: dict) -> bool:
    """Do all clusterings of one score above all of the other, whatever their starts? True where none were repeated."""
    if not a["repeats"] or not b["repeats"]:
        return True
    return a["repeats"]["lowest"] > b["repeats"]["highest"] or b["repeats"]["lowest"] > a["repeats"]["highest"]


def paired(dataset: Dataset, target: str, a: str, b: str) -> dict | None:
    """`{"difference" (of a less b), "low", "high", "p" (after Holm), "n_pairs"}` of two embeddings compared clip by clip, or None
    where the study has not compared them."""
    pairs = (dataset.study.get("targets", {}).get(target, {}).get("paired") or {"pairs": []})["pairs"]
    for pair in pairs:
        if {pair["a"], pair["b"]} == {a, b}:
            sign = 1 if pair["a"] == a else -1
            low, high = sorted(sign * end for end in pair["ci95"]) if pair["ci95"] else (None, None)
            compared = {"difference": sign * pair["difference"], "low": low, "high": high}
            return compared | {"p": pair["p_holm"], "n_pairs": len(pairs)}
    return None


def p_over_trainings(pair: dict, sd: float) -> float:
    """The p of a paired difference once `sd`, the standard deviation over trainings, is added to its variance over clips (as the
    width of its interval gives it): the normal quantile of p, divided by as much as the deviation grows."""
    deviation = (pair["high"] - pair["low"]) / (2 * 1.96) if pair["low"] is not None else 0
    if not deviation:
        return pair["p"]
    return float(2 * norm.sf(norm.isf(pair["p"] / 2) * deviation / np.hypot(deviation, sd)))


def verdict(best: dict, baseline: dict | None, pair: dict | None = None, margin: float = 0) -> str:
    """A key of `VERDICTS`, by the rule above. margin: what another training of `best` may change its accuracy by."""
    if best["low"] is None:
        return "unknown"
    if best["low"] <= best["chance"]:
        return "chance"
    if baseline is None:
        return "no baseline"
    if pair is not None:
        if max(pair["p"], pair.get("p_trainings", 0)) >= ALPHA or not apart(best, baseline):
            return "level"
        return "better" if pair["difference"] > 0 else "worse"
    if abs(best["accuracy"] - baseline["accuracy"]) < margin:
        return "level"
    if best["low"] > baseline["high"]:
        return "better"
    return "worse" if best["high"] < baseline["low"] else "level"


def trained_on(state: State, classes) -> int:
    """How many of a target's classes are among the tags the taggers were trained on (`class`, `kind:class` or `kind---class`)."""
    tags = {tag for config in state.taggers.values() for tag in config["tags"]}
    # `kind:class`, or MTG-Jamendo's `kind---class`
    values = tags | {tag.partition(mark)[2] for tag in tags for mark in (":", "---")}
    return sum(name in values for name in classes)


def word(n: int) -> str:
    return WORDS[n] if n < len(WORDS) else str(n)


def words(name: str) -> str:
    """A target's name as a person writes it."""
    return name.replace("_", " ")


def listed(names: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
