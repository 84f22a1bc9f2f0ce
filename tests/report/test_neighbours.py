"""The page's neighbours are the study's, in its order, and all of them can be heard."""

import numpy as np
import pandas as pd
from markupsafe import escape

from pipelines.core.files import write_json
from pipelines.core.tables import write_table
from pipelines.evaluation import neighbours as nearest
from pipelines.report import players, state
from pipelines.report.context import Study
from pipelines.report.sections import neighbours
from report.conftest import rendered

NAMES = ("short", "sample", "pooled_pca")


def write_neighbours():
    """The three nearest of every scored clip of "scores", by each embedding."""
    dataset, parts = state.read().datasets["scores"], []
    ids = dataset.clips.loc[dataset.scored, "clip_id"].to_numpy()
    for number, name in enumerate(NAMES):
        points = np.random.default_rng(number).standard_normal((len(ids), 5))
        rows, cosines = nearest.nearest(points, 3)
        told = {
            "clip_id": ids.repeat(3),
            "embedding": name,
            "rank": np.tile([1, 2, 3], len(ids)),
            "neighbour": ids[rows.ravel()],
        }
        parts.append(pd.DataFrame(told | {"cosine": cosines.ravel()}))
    table = pd.concat(parts, ignore_index=True).astype({"rank": "int32", "cosine": "float32"})
    write_table(table, "data/study/scores/neighbours.parquet", state.NEIGHBOURS)
    write_json("data/study/scores/scores.json", {"targets": {}, "skipped": []})
    write_json("data/records/study/scores.json", {"plots": {}, "checks": {}})
    return table


def section(n=4, max_players=100):
    """(dataset, the panes, rows with a player)."""
    dataset = state.read().datasets["scores"]
    queries = players.queries(dataset, n)
    audible = players.playable(dataset, max_players, players.near(dataset, queries))
    study = Study(dataset, {}, list(NAMES), [], queries, audible)
    return dataset, neighbours.panes(study), audible


def test_cards_are_the_studys_nearest(project):
    table = write_neighbours()
    dataset, found, _ = section()
    ids = dataset.clips.loc[dataset.scored, "clip_id"].tolist()
    clips = dataset.clips.set_index("clip_id")
    assert [pane["name"] for pane in found] == list(NAMES)
    for pane in found:
        queries = [ids[card["clip"]] for card in pane["cards"]]
        assert clips.loc[queries, "target_style"].nunique() == 4  # one of each class
        for card, query in zip(pane["cards"], queries, strict=True):
            wanted = table[(table["clip_id"] == query) & (table["embedding"] == pane["name"])]
            assert [ids[one["clip"]] for one in card["near"]] == wanted["neighbour"].tolist()
            np.testing.assert_allclose([one["cosine"] for one in card["near"]], wanted["cosine"])
            for one in card["near"]:
                other = clips.loc[ids[one["clip"]]]
                assert one["title"] == other["title"]
                for target, label, same in one["labels"]:
                    assert label == other[f"target_{target}"]
                    assert same == (label == clips.loc[query, f"target_{target}"])


def test_what_is_shown_can_be_heard(project):
    write_neighbours()
    for max_players in (0, 1, 3, 8):
        dataset, found, audible = section(max_players=max_players)
        ids = dataset.clips.loc[dataset.scored, "clip_id"].tolist()
        heard = set(dataset.clips.loc[audible, "clip_id"])
        assert len(audible) == max_players
        shown = [n for pane in found for card in pane["cards"] for n in (card, *card["near"])]
        assert {ids[one["clip"]] for one in shown} <= heard
        assert shown or max_players < 8  # the four queries come first


def test_the_page_holds_them_and_no_study_no_section(project, render):
    assert "What sounds alike" not in render().text
    write_neighbours()
    seen = render()
    assert "What sounds alike" in seen.text and "data/study/scores" in {mark.get("data-path") for mark in seen.marks}
    html = rendered("scores").html
    for pane in section(n=2)[1]:
        for card in pane["cards"]:
            for one in (card, *card["near"]):
                assert f'<button data-clip="{one["clip"]}">{escape(one["title"])}</button>' in html
