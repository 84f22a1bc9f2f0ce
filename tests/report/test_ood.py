"""The page's section on music from elsewhere says what its file says, and its picture holds every clip, faint or strong."""

import re

import numpy as np
import pandas as pd
import pytest

from pipelines.core import training_clips
from pipelines.core.files import write_json
from pipelines.core.tables import write_table
from pipelines.evaluation import ood as measure
from pipelines.report.sections import ood
from pipelines.stages.ood import PLACES
from report.conftest import HOSTILE, LABELS, STYLES, rendered
from report.test_page import shown, texts

NAMES = ("short", "sample", "pooled_pca")


def record(reference, labels, held_out, outside):
    few = {"k": 3, "n_bootstrap": 20, "seed": 0}
    return {
        "detection": measure.detection(held_out, outside, reference, labels, list(STYLES), **few)[0],
        "nearest": measure.nearest_classes(outside, reference, labels, list(STYLES), **few)[0],
        "own_cluster": measure.own_cluster(held_out, outside, 4, 1, 20, 5, 0)[0],
    }


def write_ood(reason=""):
    """What the ood stage leaves of `mine`, fifteen clips of three labels, beside `scores`."""
    rng, labels = np.random.default_rng(0), np.arange(40) % 4
    found = {
        "of": "scores",
        "left_out": "",
        "reason": reason,
        "n": {"reference": 40, "held_out": 20, "outside": 15, "in_training": 2},
        "k": 3,
        "targets": {} if reason else {"style": {}},
        "skipped": ["label: 1 classes are not scored apart"],
    }
    places = []
    for strength, name in enumerate(() if reason else NAMES):
        reference = rng.standard_normal((40, 6)) + 3 * np.eye(4, 6)[labels]
        held_out, outside = rng.standard_normal((20, 6)), 2 * strength + rng.standard_normal((15, 6))
        parts = {"all": record(reference, labels, held_out, outside)}
        parts[f"label: {HOSTILE}"] = parts["all"] | {"own_cluster": None}
        found["targets"]["style"][name] = parts
        for method in ("pca", "umap"):
            for side, clips, points in (
                ("reference", [f"scores{i:02d}" for i in range(20)], reference[:20]),
                ("held_out", [f"scores{i:02d}" for i in range(20, 40)], held_out),
                ("outside", [f"mine{i:02d}" for i in range(15)], outside),
            ):
                x, y = points[:, :2].T.astype("float32")
                rows = {"clip_id": clips, "side": side, "embedding": name, "method": method, "x": x, "y": y}
                places.append(pd.DataFrame(rows))
    write_json("data/ood/mine/scores.json", found)
    clips = pd.DataFrame({"clip_id": [f"scores{i:02d}" for i in range(40)], "group": "work", "role": "reference"})
    clips["target_style"] = [STYLES[i % 4] for i in range(40)]
    write_table(clips, "data/space/clips.parquet", training_clips.CLIPS)
    empty = PLACES.empty_table().to_pandas()
    write_table(pd.concat(places) if places else empty, "data/ood/mine/places.parquet", PLACES)
    return found


@pytest.fixture
def seen_ood(project):
    found = write_ood()
    return found, rendered("mine")


def test_tables_equal_the_file(seen_ood):
    found, seen = seen_ood
    records = found["targets"]["style"]
    head, *rows, trivial = seen.table(table="ood", dataset="mine", target="style")
    assert len(rows) == 6 and [texts(row)[1] for row in rows] == ["all", HOSTILE] * 3
    assert [texts(row)[0] for row in rows] == ["short", "", "sample", "", "pooled_pca", ""]
    for name, row in zip(NAMES, rows[::2], strict=True):
        told, own = records[name]["all"]["detection"], records[name]["all"]["own_cluster"]
        assert texts(row)[2:] == [
            "15",
            *(f"{shown(told[key]['auroc'])} {shown(told[key]['ci95'])}" for key in ("mahalanobis", "knn")),
            *(f"{own[key]:.2f} {shown(own[f'{key}_ci95'])}" for key in ("share", "purity")),
            f"{own['chance']['share']:.2f}, {own['chance']['purity']:.2f}",
            "yes" if own["own"] else "no",
        ]
    assert texts(rows[1])[-1] == "too few clips"
    assert texts(trivial)[3:5] == ["0.500", "0.500"]
    head, *rows, trivial = seen.table(table="ood-nearest", dataset="mine", target="style")
    assert texts(head)[3:] == list(STYLES)
    for name, row in zip(NAMES, rows[::2], strict=True):
        classes = records[name]["all"]["nearest"]["classes"]
        for label, cell in zip(STYLES, texts(row)[3:], strict=True):
            low, high = classes[label]["ci95"]
            assert cell == f"{classes[label]['share']:.2f} [{low:.2f}, {high:.2f}]"
    assert texts(trivial)[3:] == ["0.25"] * 4, "the share of each class in training"
    head, *rows = seen.table(table="ood-distance", dataset="mine", target="style")
    for name, row in zip(NAMES, rows[::2], strict=True):
        far = records[name]["all"]["detection"]["classes"]
        assert texts(row)[2:] == [f"{far[label]['outside']:.1f} {far[label]['held_out']:.1f}" for label in STYLES]


def test_the_words_around_it(seen_ood):
    _, seen = seen_ood
    text = " ".join(seen.text.split())
    assert "Seen from scores" in text and "15 clips from outside are compared with 20 test clips" in text
    assert "fitted on 40 training clips only. 2 clips are left out, because they are in the training data." in text
    assert "1 part was left out" in text and "label: 1 classes are not scored apart" in text
    assert sum(mark.get("data-path") == "data/ood/mine" for mark in seen.marks) >= 4


def test_every_clip_is_in_the_picture_and_named(seen_ood):
    _, seen = seen_ood
    drawn = re.findall(r'<svg class="places" viewBox="0 0 [^>]*aria-label="([^"]*)">(.*?)</svg>', seen.html, re.S)
    assert [label for label, _ in drawn] == [
        f"{title} of {name}: 40 clips of the training dataset, faint, and 15 from outside, strong"
        for title in ("UMAP", "PCA")
        for name in NAMES
    ]
    for _, svg in drawn:
        paths = re.findall(r'<path class="(dot|from) \w+" d="([^"]*)"><title>(.*?)</title>', svg)
        assert sum(path.count("M") for kind, path, _ in paths if kind == "dot") == 40
        assert sum(path.count("M") for kind, path, _ in paths if kind == "from") == 15
        assert {name for kind, _, name in paths if kind == "dot"} == set(STYLES)
        assert len({path for _, path, _ in paths}) == len(paths) == len(STYLES) + len(LABELS)
        places = [
            float(value)
            for _, path, _ in paths
            for point in re.findall(r"M([\d.,-]+)", path)
            for value in point.split(",")
        ]
        assert min(places) >= 0 and max(places) <= max(ood.WIDTH, ood.HEIGHT)
    assert HOSTILE not in seen.html, "names are escaped"


def test_kinds_look_different():
    looks = [ood._look(i) for i in range(ood.MAX_KINDS)]
    assert len(set(looks)) == ood.MAX_KINDS
    assert len({str(svg) for _, svg in ood.swatches([str(i) for i in range(ood.MAX_KINDS)], True)}) == ood.MAX_KINDS


def test_many_classes_make_no_rainbow_and_no_wide_table(project):
    clips = pd.DataFrame({"clip_id": [str(i) for i in range(40)], "target_artist": [f"artist {i}" for i in range(40)]})
    assert set(ood._kinds(clips, "artist", "from outside").values()) == {"from outside"}
    near = {f"style {i:02d}": {"share": i / 780, "ci95": [0, 1], "baseline": 0.1} for i in range(40)}
    made = ood._target(
        "style", {"short": {"all": {"detection": {"x": 1}, "nearest": {"classes": near}}}}, ["short"], []
    )
    assert made["classes"] == [f"style {i}" for i in range(30, 40)] and made["n_classes"] == 40


def test_nothing_to_place_is_a_sentence(project):
    write_ood(reason="no class was left out of training")
    seen = rendered("mine")
    assert "Nothing is compared: no class was left out of training." in " ".join(seen.text.split())
    assert not [table for table in seen.tables if table["attributes"].get("data-table") == "ood"]


def test_before_the_stage_ran_there_is_no_section(project):
    assert "Seen from" not in rendered("mine").text
