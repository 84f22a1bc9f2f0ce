"""The page's part to listen to: a clip of each class, and the clips that are nearest to it by each embedding."""

import pandas as pd

from pipelines.report import players
from pipelines.report.lineage import Lineage
from pipelines.report.state import Dataset

NEAREST = 5  # of one clip, at most


def queries(dataset: Dataset, n: int) -> list[int]:
    """Rows of `dataset.clips` whose neighbours are shown: `n` scored clips, class after class; none before the study ran."""
    return players.examples(dataset, n) if len(dataset.neighbours) else []


def heard(dataset: Dataset, rows: list[int]) -> list[int]:
    """The rows a listener needs for these queries: themselves, then every embedding's nearest, then the second nearest, ..."""
    row_of = pd.Series(dataset.clips.index, index=dataset.clips["clip_id"])
    ids = set(dataset.clips.loc[rows, "clip_id"])
    near = dataset.neighbours[dataset.neighbours["clip_id"].isin(ids) & (dataset.neighbours["rank"] <= NEAREST)]
    found = row_of.loc[near.sort_values("rank", kind="stable")["neighbour"]].tolist()
    return list(dict.fromkeys([*rows, *found]))


def section(
    dataset: Dataset, embeddings: list[str], rows: list[int], audible: list[int], lineage: Lineage
) -> dict | None:
    """What the template draws: of each embedding, each query with its nearest clips. Clips without a player are left out."""
    number = {clip_id: i for i, clip_id in enumerate(dataset.clips.loc[dataset.scored, "clip_id"])}
    clips = dataset.clips.loc[audible].set_index("clip_id")
    targets = list(dataset.scores)
    table = dataset.neighbours[
        dataset.neighbours["neighbour"].isin(clips.index) & (dataset.neighbours["rank"] <= NEAREST)
    ]
    panes = []
    for name in embeddings:
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
            panes.append({"name": name, "cards": cards})
    return {"panes": panes, "mark": lineage.mark(f"data/study/{dataset.name}")} if panes else None
