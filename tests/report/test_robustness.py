"""The page's tables of changes say what their file says, each change with its interval, and never by colour alone."""

import numpy as np

from pipelines.core.files import write_json
from pipelines.evaluation import before_after
from report.conftest import HOSTILE, rendered
from report.test_page import shown, texts

NAMES = ("short", "sample", "pooled_pca")
DEGRADATIONS = ("noise_10db", "mp3_64", HOSTILE)


def write_robustness(**changed):
    """Three embeddings under three degradations: the first takes much, the second nothing, the third gives."""
    rng, measures = np.random.default_rng(0), {}
    for measure in ("kmeans", "linear probe"):
        measures[measure] = {}
        for name in NAMES:
            clean = rng.random(60) < 0.5
            right = {"clean": clean, "noise_10db": clean & (rng.random(60) < 0.3), "mp3_64": clean}
            right[HOSTILE] = clean | (rng.random(60) < 0.5)
            records = before_after.accuracy(right, None, 100, 0)
            measures[measure][name] = {key: record | {"trivial": 0.25} for key, record in records.items()}
    del measures["kmeans"]["sample"]
    truth = rng.random((60, 2)) < 0.5
    scores = {key: rng.random((60, 2)) + (key == "clean") * truth for key in ("clean", *DEGRADATIONS)}
    tags = {key: r | {"trivial": 0.5} for key, r in before_after.roc_auc(truth, scores, None, 50, 0).items()}
    points = {key: rng.standard_normal((60, 4)) for key in ("clean", *DEGRADATIONS)}
    found = {
        "n": 60,
        "n_scored": 80,
        "degradations": list(DEGRADATIONS),
        "targets": {"style": measures},
        "tags": {"short": tags},
        "moved": {"short": before_after.cosine(points, None, 50, 0)},
        "skipped": [f"style, sample, kmeans: {HOSTILE}"],
    }
    write_json("data/robustness/scores.json", found | changed)
    return found


def signed(value):
    return f"{value:+.3f}".replace("-", "−")


def test_tables_equal_the_file(project):
    found = write_robustness()
    seen = rendered("scores")
    for measure, records in found["targets"]["style"].items():
        head, *rows, trivial = seen.table(table="robustness", dataset="scores", target="style", measure=measure)
        assert texts(head) == ["embedding", "original", "noise, 10 dB", "MP3, 64 kbit/s", HOSTILE]
        assert [texts(row)[0] for row in rows] == [name for name in NAMES if name in records]
        for row in rows:
            name, clean, *cells = texts(row)
            record = records[name]
            assert clean == shown(record["clean"]["score"]) + shown(record["clean"]["ci95"])
            for key, cell, place in zip(DEGRADATIONS, cells, row[2:], strict=True):
                low, high = record[key]["difference_ci95"]
                sign = "▼ " if high < 0 else "▲ " if low > 0 else ""
                assert cell == f"{sign}{signed(record[key]['difference'])}[{signed(low)}, {signed(high)}]"
                assert place["attributes"]["class"] == {"▼ ": "down", "▲ ": "up", "": ""}[sign]
                assert f"{record[key]['score']:.3f}" in place["attributes"]["title"]
                assert "n = 60" in place["attributes"]["title"]
            assert cells[0].startswith("▼") and not cells[1].startswith(("▼", "▲")) and cells[2].startswith("▲")
        assert texts(trivial)[1] == "0.250"
    tags = seen.table(table="robustness", dataset="scores", target="tags", measure="tags")
    assert texts(tags[1])[0] == "short" and len(tags) == 3
    moved = texts(seen.table(table="moved", dataset="scores")[1])
    record = found["moved"]["short"]
    assert moved[1] == shown(record["others"])
    assert moved[2] == shown(record["noise_10db"]["score"]) + shown(record["noise_10db"]["ci95"])
    text = " ".join(seen.text.split())
    assert "60 of the 80 scored clips, drawn class by class," in text
    assert "By the linear probe, style falls in 3 of 9 cells, most with" in text
    assert f"style, sample, kmeans: {HOSTILE}" in text
    assert sum(mark.get("data-path") == "data/robustness/scores.json" for mark in seen.marks) >= 5


def test_nothing_degraded_no_section(project):
    write_robustness(degradations=[], targets={}, tags={}, moved={}, skipped=[])
    assert "Noise, MP3, pitch" not in rendered("scores").html
