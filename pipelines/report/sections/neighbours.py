"""A clip of each class with its nearest neighbours in each embedding, with players."""

from pathlib import Path

import pandas as pd
from markupsafe import Markup

from pipelines.core import paths
from pipelines.report.context import Context, Study
from pipelines.report.players import NEAREST

TITLE = "What sounds alike"
ORDER = 50
TEMPLATE = Path(__file__).with_suffix(".html.j2")


def render(context: Context) -> Markup | None:
    """The panes with their mark; None before the study ran, or where no clip of it has a player."""
    study = context.study
    if not (found := panes(study)):
        return None
    source = context.lineage.mark(paths.study(study.dataset.name))
    return context.fill(TEMPLATE, panes=found, source=source, grouped=bool(study.facts["groups"]))


def panes(study: Study) -> list[dict]:
    """Of each embedding, each query with its nearest clips. Clips without a player are left out."""
    dataset, rows, audible = study.dataset, study.queries, study.audible
    number = {clip_id: i for i, clip_id in enumerate(dataset.clips.loc[dataset.scored, "clip_id"])}
    clips = dataset.clips.loc[audible].set_index("clip_id")
    targets = list(dataset.scores)
    table = dataset.neighbours[
        dataset.neighbours["neighbour"].isin(clips.index) & (dataset.neighbours["rank"] <= NEAREST)
    ]
    found = []
    for name in study.embeddings:
        cards = []
        for clip_id in dataset.clips.loc[[row for row in rows if row in set(audible)], "clip_id"]:
            near = table[(table["embedding"] == name) & (table["clip_id"] == clip_id)].sort_values("rank")
            own = clips.loc[clip_id]
            labels = [(target, own[f"target_{target}"]) for target in targets if pd.notna(own[f"target_{target}"])]
            cards.append(
                {
                    "clip": number[clip_id],
                    "title": own["title"],
                    "labels": labels,
                    "near": [
                        {
                            "clip": number[other],
                            "title": clips.at[other, "title"],
                            "cosine": float(cosine),
                            "labels": [
                                (
                                    target,
                                    clips.at[other, f"target_{target}"],
                                    clips.at[other, f"target_{target}"] == label,
                                )
                                for target, label in labels
                                if pd.notna(clips.at[other, f"target_{target}"])
                            ],
                        }
                        for other, cosine in zip(near["neighbour"], near["cosine"], strict=True)
                    ],
                }
            )
        cards = [card for card in cards if card["near"]]
        if cards:
            found.append({"name": name, "cards": cards})
    return found
