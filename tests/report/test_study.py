"""The page's tables of probes, differences and leaks say what their files say; what was left out is named."""

import numpy as np
import pytest

from pipelines.core.files import write_json
from pipelines.evaluation import clustering, hierarchy, leaks, neighbours, paired, probes
from report.conftest import HOSTILE, rendered
from report.test_page import shown, texts

NAMES = ("short", "sample", "pooled_pca")


def write_study():
    """A study of three embeddings; "sample" lacks its k-NN probe."""
    rng, labels, classes = np.random.default_rng(0), np.arange(60) % 3, ["a", "b", HOSTILE]
    parts = {
        "clusterers": {"agglomerative": {}},
        "probes": {"linear": {}, "knn": {}},
        "neighbours": {},
        "dendrogram": {},
    }
    right = {}
    for strength, name in enumerate(NAMES):
        points = rng.standard_normal((60, 5)) + strength * np.eye(3, 5)[labels]
        record, predicted, _ = clustering.evaluate(points, labels, classes, 1, 20, 5, 0, clusterer="agglomerative")
        parts["clusterers"]["agglomerative"][name], right[name] = record, predicted == labels
        for probe in ("linear", "knn")[: 1 + (name != "sample")]:
            parts["probes"][probe][name] = probes.evaluate(points, labels, classes, probe, 20, 5, 0)[0]
        parts["neighbours"][name] = neighbours.agreement(points, labels, classes, 4, 20, 0)
        parts["dendrogram"][name] = hierarchy.dendrogram(points, labels, classes, 20, 5, 0)
    parts["paired"], parts["paired_probes"] = paired.compare(right, 20, 0), {"linear": None}
    write_json("data/study/scores/scores.json", {"targets": {"style": parts}, "skipped": ["style, knn probe: too few"]})
    tree = parts["dendrogram"]["short"]
    picture = {"kind": "tree", "linkage": tree["linkage"], "names": tree["names"], "title": "style"}
    write_json("data/records/study/scores.json", {"plots": {"style, by short": picture}, "checks": {}})
    return parts


def test_tables_equal_the_files(project):
    parts = write_study()
    seen = rendered("scores")
    head, *rows, trivial = seen.table(table="study", dataset="scores", target="style")
    assert texts(head) == ["embedding", "linear probe", "k-NN probe", "agglomerative, matched", "nearest 4"]
    assert [texts(row)[0] for row in rows] == list(NAMES)
    columns = (
        (parts["probes"]["linear"], "accuracy", "accuracy_ci95"),
        (parts["probes"]["knn"], "accuracy", "accuracy_ci95"),
        (parts["clusterers"]["agglomerative"], "hungarian_accuracy", "ci95"),
        (parts["neighbours"], "precision", "ci95"),
    )
    for row in rows:
        name, *cells = texts(row)
        for cell, (records, value, interval) in zip(cells, columns, strict=True):
            wanted = f"{shown(records[name][value])} {shown(records[name][interval])}" if name in records else "–"
            assert cell == wanted
    assert texts(trivial)[1] == shown(np.mean([parts["probes"]["linear"][name]["trivial"] for name in NAMES]))
    pairs = seen.table(table="paired", dataset="scores", target="style")[1:]
    assert [texts(row)[0] for row in pairs] == [f"{p['a']} − {p['b']}" for p in parts["paired"]["pairs"]]
    assert [texts(row)[1] for row in pairs] == [shown(p["difference"]) for p in parts["paired"]["pairs"]]
    assert "style, knn probe: too few" in seen.text
    assert any(mark.get("data-path") == "data/study/scores" for mark in seen.marks)


@pytest.mark.system
def test_the_answer_says_which_test_it_rests_on(project):
    parts = write_study()
    pair = next(p for p in parts["paired"]["pairs"] if {p["a"], p["b"]} == {"short", "pooled_pca"})
    seen = rendered("scores")
    text = " ".join(seen.text.split())
    text = text[text.rindex("The answer style") :]
    style, voices, end = 0, text.index(" voices "), text.index("Brackets are")
    p = "< 0.001" if pair["p_holm"] < 0.001 else f"= {pair['p_holm']:.2g}"
    wanted = "the difference is real" if pair["p_holm"] < 0.05 else "the two are not told apart"
    assert f"{wanted} (p {p})" in text[style:voices]
    assert "intervals" in text[voices:end] and "(p " not in text[voices:end]
    assert "a paired test, clip by clip, finds a difference" in text


def test_leaks_are_named_and_scores_given_without_them(project):
    record = leaks.without(np.arange(20) % 2 == 0, np.arange(20) < 4, 20, 0)
    found = {
        "exact copy": {"n": 40, "n_test": 20, "n_flagged": 1, "pairs": [[HOSTILE, "tune 3"]]},
        "near copy": {"n": 40, "n_test": 20, "n_flagged": 0, "threshold": 0.99999943, "pairs": []},
        "work or artist": {"n": 40, "n_test": 20, "n_flagged": 3, "groups": ["Anon."]},
        "scores": {"style": {"linear": {"short": record}}},
        "of": "test",
        "grouped": True,
        "validation": {"near copy": {"n": 30, "n_test": 10, "n_flagged": 2, "pairs": [["tune 8", "tune 9", 0.99]]}},
        "skipped": [],
    }
    write_json("data/leaks/scores.json", found)
    seen = rendered("scores")
    text = " ".join(seen.text.split())
    assert "exact copy: 1 of 20 clips; near copy: none of 20 clips; work or artist: 3 of 20 clips." in text
    assert (
        "from a cosine of 0.999999 on" in text
        and f"exact copy: {HOSTILE} and tune 3" in text
        and "work or artist: Anon." in text
    )
    assert "Has training heard the test?" in text and "without what was found" in text
    assert "by which weights were chosen: near copy: 2 of 10 clips." in text
    assert "near copy: tune 8 and tune 9 (cosine 0.99)" in text
    row = texts(seen.table(table="leaks", dataset="scores")[1])
    assert row == ["style: short", "linear probe", "0.500", "0.500", shown(record["gain_ci95"])]


def test_without_a_split_copies_are_within_the_dataset(project):
    record = leaks.without(np.arange(20) % 2 == 0, np.arange(20) < 4, 20, 0)
    found = {
        "exact copy": {"n": 40, "n_flagged": 14, "pairs": [["tune 1", "tune 3"]]},
        "scores": {"style": {"linear": {"short": record}}},
        "of": "all",
        "grouped": False,
        "validation": {},
        "skipped": ["near copy, all: two clips"],
    }
    write_json("data/leaks/scores.json", found)
    seen = rendered("scores")
    text = " ".join(seen.text.split())
    section = text[text.index("Copies within the dataset") :]
    assert "exact copy: 14 of 40 clips." in section and "Left out: near copy, all: two clips." in section
    assert "without exact and near copies of earlier clips" in section and "exact copy: tune 1 and tune 3" in section
    assert "No two clips share a group: clips of one work or artist may stand on two sides" in section
    assert "Has training heard" not in text and "weights were chosen" not in text
