"""Clips to play for the most frequent confusions: those that a model confuses with most confidence, and one that it knows."""

import numpy as np

from pipelines.tasks.classification.fit.labelled import Labelled

PAIRS, CLIPS = 5, 2


def of(columns: dict, pairs: list[dict], classes: list[str], data: Labelled) -> list[dict]:
    """`actual`, `predicted`, and `clips` of the first `PAIRS` pairs (`report.pairs`): `clip_id`, `title`, `probability` of the
    predicted class, `role` (confused, or right: a clip of the predicted class). Confused clips are of two groups if they can."""
    titles = dict(zip(data.clips["clip_id"], data.clips["title"], strict=True))
    found = []
    for pair in pairs[:PAIRS]:
        column = classes.index(pair["predicted"])
        order = np.argsort(-columns["probabilities"][:, column], kind="stable")
        given = order[columns["predicted"][order] == pair["predicted"]]
        confused = given[columns["actual"][given] == pair["actual"]]
        _, first = np.unique(columns["group"][confused], return_index=True)
        chosen = [*confused[np.sort(first)], *np.delete(confused, first)][:CLIPS]
        right = given[columns["actual"][given] == pair["predicted"]][:1]
        rows = [(row, "confused") for row in chosen] + [(row, "right") for row in right]
        clips = [
            {
                "clip_id": str(columns["unit"][row]),
                "title": titles[columns["unit"][row]],
                "probability": round(float(columns["probabilities"][row, column]), 4),
                "role": role,
            }
            for row, role in rows
        ]
        found.append({"actual": pair["actual"], "predicted": pair["predicted"], "clips": clips})
    return found
