"""The pages say what the files say, name where they are from, stand alone, and survive what names and gaps do to them."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from pipelines import recipe
from pipelines.core.files import read_json, write_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.report import state
from pipelines.report.sections import classes
from report.conftest import make_pages

HOSTILE = "<script>alert(\"1\")</script> & 'Übung' ☃ </title>"


def texts(row) -> list[str]:
    return [cell["text"].strip() for cell in row]


def by_key(row) -> dict[str, str]:
    return {cell["attributes"]["data-key"]: cell["text"].strip() for cell in row if "data-key" in cell["attributes"]}


def shown(value) -> str:
    if value is None:
        return "–"
    return f"[{value[0]:.3f}, {value[1]:.3f}]" if isinstance(value, list) else f"{value:.3f}"


def test_tables_of_clustering_equal_the_scores(seen):
    for dataset in ("scores", "mine"):
        scores = read_json(f"data/clusters/{dataset}/scores.json")
        confusions = read_json(f"data/clusters/{dataset}/confusions.json")
        for target, records in scores.items():
            rows = seen[dataset].table(table="clustering", dataset=dataset, target=target)[1:]
            assert [texts(row)[0] for row in rows] == ["short", "sample", "pooled_pca"]  # the recipe's order
            for row in rows:
                record = records[texts(row)[0]]
                found = by_key(row)
                assert len(found) == 12
                repeats, held_out = record["repeats"], record["crossed"]
                wanted = {key: shown(record[key]) for key in found if key in record and key != "repeats"}
                wanted["held_out"], wanted["held_out_ci95"] = shown(held_out["accuracy"]), shown(held_out["ci95"])
                wanted["held_out_chance"] = shown(held_out["chance"])
                assert found == wanted | {"repeats": shown([repeats["lowest"], repeats["highest"]]) if repeats else "–"}
            for row in seen[dataset].table(table="per-class", dataset=dataset, target=target)[1:]:
                label, support, *scores_of = row
                for cell in scores_of:
                    record = records[cell["attributes"]["data-embedding"]]["per_class"][label["text"]]
                    assert cell["text"] == shown(record["f1"])
                    assert support["text"].removesuffix("few") == str(record["support"])
                    assert support["text"].endswith("few") == (record["support"] < 5)
            for name in records:
                rows = seen[dataset].table(dataset="0", target=target, embedding=name)
                counts = [[int(text or 0) for text in texts(row)[1:]] for row in rows[1:]]
                assert counts == confusions[target][name]["counts"]
                assert [texts(row)[0] for row in rows[1:]] == confusions[target][name]["classes"]


def test_script_data_equal_the_tables(seen):
    data = {name: json.loads(seen[name].scripts["data"])[0] for name in ("scores", "mine")}
    table = read_table("data/clusters/scores/assignments.parquet", state.ASSIGNMENTS)
    maps = read_table("data/clusters/scores/maps.parquet", state.MAPS)
    clips = state.read().datasets["scores"].clips
    titles = [clip["title"] for clip in data["scores"]["clips"]]
    assert titles == clips.loc[clips["split"] == "test", "title"].tolist()
    ids = clips.loc[clips["split"] == "test", "clip_id"].tolist()
    for target in data["scores"]["targets"]:
        part = table[(table["target"] == target["name"]) & (table["embedding"] == "sample")]
        part = part.set_index("clip_id").loc[ids]
        assert [target["classes"][c] for c in target["actual"]] == part["actual"].tolist()
        assert [target["classes"][c] for c in target["matched"]["sample"]] == part["predicted"].tolist()
    places = np.array(data["scores"]["maps"][0]["places"]["short"]).reshape(-1, 2)
    maps = maps[(maps["method"] == "tsne") & (maps["embedding"] == "short")]
    points = maps.set_index("clip_id").loc[ids, ["x", "y"]].to_numpy()
    scale = np.ptp(points, axis=0).max()
    np.testing.assert_allclose(np.ptp(places, axis=0) / 1000, np.ptp(points, axis=0) / scale, atol=0.002)
    assert np.corrcoef(places[:, 0], points[:, 0])[0, 1] > 0.999
    assert np.corrcoef(places[:, 1], points[:, 1])[0, 1] < -0.999  # screens count downwards


@pytest.mark.parametrize(("page", "least"), [("front", 6), ("scores", 12), ("mine", 8)])
def test_every_figure_has_a_mark_with_the_hashes_of_the_lock(seen, page, least):
    stages, found = recipe.locked_stages(), seen[page]
    assert len(found.marks) >= least
    for mark in found.marks:
        origin = recipe.origin(mark["data-path"], stages)
        assert (mark["data-hash"], mark["data-code"]) == (origin["data"], origin["code"])
        assert mark["href"].removeprefix("#") in found.ids
    drawn = [block for block in found.blocks if {"figure", "table"} & set(block)]
    assert len(drawn) >= 3
    bare = [block for block in drawn if "mark" not in block]
    assert bare == [["summary", "table"]]  # the lineage table itself


@pytest.mark.parametrize("page", ["front", "scores", "mine"])
def test_marks_stand_beside_sentences_and_not_inside(seen, page):
    assert not re.search(
        r'<p(?=[ >])(?! class="(?:marks|heading)")[^>]*>(?:(?!</p>).)*class="mark"', seen[page].html, re.DOTALL
    )


def test_lineage_tables_lead_back_to_the_raw_files(seen):
    of = {name: [texts(row)[0] for row in found.table(table="lineage")[1:]] for name, found in seen.items()}
    assert {"data/raw/scores", "data/clusters/scores"} <= set(of["scores"])
    assert "data/raw/mine" not in of["scores"], "a page names what it was made from"
    assert {"data/raw/scores", "data/audio/mine", "data/clusters/mine"} <= set(of["front"])
    order = of["scores"]
    assert order.index("data/raw/scores") < order.index("data/audio/scores") < order.index("data/clusters/scores")
    for name, found in seen.items():
        assert "data/clusters/gone" not in of[name]  # in dvc.lock, but nothing here is made from it
        assert len(found.ids) == len(set(found.ids))
        inner = [address[1:] for address in found.addresses if address.startswith("#")]
        assert set(inner) <= set(found.ids)


def test_pages_lead_to_each_other(seen, pages_made):
    assert {"pages/scores.html", "pages/mine.html"} <= set(seen["front"].addresses)
    assert "../index.html" in seen["scores"].addresses
    places = {"front": pages_made["front"].parent} | dict.fromkeys(("scores", "mine"), pages_made["scores"].parent)
    for name, found in seen.items():
        for address in found.addresses:
            if not address.startswith(("#", "data:", "file:")):
                assert (places[name] / address.partition("#")[0]).resolve().exists(), address


@pytest.mark.parametrize("page", ["front", "scores", "mine"])
def test_nothing_is_loaded_from_elsewhere(seen, page):
    for address in seen[page].addresses:
        assert address.startswith(("#", "data:", "../", "pages/", "file:///")), address
    assert not {"iframe", "object", "embed"} & set(seen[page].tags)
    assert "default-src 'none'" in seen[page].html
    assert not re.search(r"@import|url\(", seen[page].html)


@pytest.mark.parametrize("page", ["front", "scores", "mine"])
def test_hostile_names_are_text(seen, page):
    found = seen[page]
    assert "<script>alert" not in found.html
    sounds = sum(name.startswith("sound-") for name in found.scripts)
    assert found.tags.count("script") == 2 + sounds + found.html.count('<p class="export"')
    assert "too <b>short</b>" not in found.html
    if page == "mine":
        assert HOSTILE in found.text
        assert any(clip["title"] == HOSTILE for one in json.loads(found.scripts["data"]) for clip in one["clips"])


def test_same_state_same_bytes(project):
    def made():
        records = [*(project / "data/records").glob("*page/*.json"), project / "data/records/report/all.json"]
        return {path: path.read_bytes() for path in [*make_pages().values(), *records]}

    first = made()
    assert made() == first
    page = json.loads(first[project / "data/records/page/scores.json"])
    assert page["figures"]["clips with players"] == 16 and page["figures"]["clips with pictures"] == 3
    assert page["figures"]["bytes"] == len(first[project / "reports/pages/scores.html"])
    front = json.loads(first[project / "data/records/report/all.json"])
    for record in (page, front):
        assert {name: one["passed"] for name, one in record["checks"].items()} == {
            "every figure has its lineage": True,
            "under 8 MB": True,
        }


def test_rendered_music_is_called_rendered(project, render):
    assert "rendered, not recorded" in render("scores").text and "rendered from scores" in render("front").text
    (project / "data/raw/scores/notes.parquet").unlink()
    seen = render("scores")
    assert "rendered" not in seen.text + render("front").text
    assert "Piano roll" not in seen.text


def test_quarantine_and_failed_checks_are_listed(seen):
    assert texts(seen["mine"].table(table="quarantine")[1]) == ["truncated", "1"]
    assert "1 of 2 passed" not in seen["front"].text, "the pages' own checks are counted too"
    assert "7 of 8 passed" in seen["front"].text or "5 of 6 passed" in seen["front"].text
    assert "raw@mine every clip accounted for: of mine" in flowing(seen["front"].text)


def flowing(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_taggers_without_maps(project, render):
    maps = read_table("data/clusters/scores/maps.parquet", state.MAPS)
    write_table(maps[maps["embedding"] == "pooled_pca"], "data/clusters/scores/maps.parquet", state.MAPS)
    write_table(maps.iloc[:0], "data/clusters/mine/maps.parquet", state.MAPS)
    assert list(json.loads(render("scores").scripts["data"])[0]["maps"][0]["places"]) == ["pooled_pca"]
    assert json.loads(render("mine").scripts["data"])[0]["maps"] == []
    assert json.loads(render("front").scripts["data"]) == [], "the best tagger has no map"


@pytest.mark.parametrize(
    ("gone", "page", "said"),
    [
        ("data/clusters/mine", "mine", "Not clustered yet"),
        ("data/clusters", "front", "Nothing has been clustered yet"),
        ("models", "scores", "Listen"),
        ("models", "front", "What was run"),
        ("data/features", "scores", "Listen"),
        ("data/records", "front", "none was recorded"),
        ("dvc.lock", "front", "There is no dvc.lock"),
        ("dvc.lock", "mine", "There is no dvc.lock"),
    ],
)
def test_a_page_without_it(project, render, gone, page, said):
    place = project / gone
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    seen = render(page)
    assert said in flowing(seen.text)
    assert "undefined" not in seen.text.lower()


def test_a_dataset_with_nothing_to_compare(project, render):
    """No taggers scored, one target, no tags: a user's folder before any training."""
    scores = read_json("data/clusters/mine/scores.json")
    write_json("data/clusters/mine/scores.json", {"label": {"pooled_pca": scores["label"]["pooled_pca"]}})
    confusions = read_json("data/clusters/mine/confusions.json")
    write_json("data/clusters/mine/confusions.json", {"label": {"pooled_pca": confusions["label"]["pooled_pca"]}})
    assert "has the highest figure of the embeddings without a network" in flowing(render("mine").text)
    assert "mine label" in flowing(render("front").text)


def test_without_intervals_there_is_no_verdict(project, render):
    """Fewer than four works: the scores stand there, their intervals do not, and nothing is called better than anything."""
    for path in ("data/clusters/scores/scores.json", "data/clusters/mine/scores.json"):
        write_json(path, withheld(read_json(path)))
    front, scores = (flowing(render(page).text) for page in ("front", "scores"))
    assert front.count("too few clips for a verdict") == 3 and scores.count("too few clips for a verdict") == 2
    for text in (front, scores):
        assert "no interval: fewer than 4 groups" in text
        assert not re.search(r"\b(nan|None|better than|above chance)\b", text)


@pytest.mark.parametrize("grouped", [False, True])
def test_works_are_spoken_of_where_clips_share_them(project, render, grouped):
    for name in ("scores", "mine") if grouped else ():
        path = f"data/manifests/{name}.parquet"
        clips = read_table(path, MANIFEST)
        write_table(
            clips.assign(group=clips.index.map("work {}".format).where(clips.index > 1, "work 1")), path, MANIFEST
        )
    html = flowing(render("scores").html)
    of_groups = {
        "the other half of the works",
        "on one half of the groups",
        "One half of the groups (works, artists)",
        "bootstrap over groups",
        "A bootstrap over groups",
    }
    assert {words for words in of_groups if words in html} == (of_groups if grouped else set())
    assert ("One half of the clips gives" in html and "the other half of the clips" in html) != grouped
    assert render("front").html.count("<td>none shared</td>") == (0 if grouped else 2)


def withheld(value):
    """A record of scores as fewer than four groups leave it."""
    if not isinstance(value, dict):
        return value
    return {k: None if k.endswith("ci95") or k == "crossed" else withheld(v) for k, v in value.items()}


def test_many_classes_are_listed_not_drawn(project, render):
    many = [f"class {i:02d}" for i in range(classes.MAX_MATRIX + 1)]
    counts = [[5 if i == j else 2 if (i, j) == (3, 4) else 0 for j in range(len(many))] for i in range(len(many))]
    found = classes.matrix("short", {"classes": many, "counts": counts})
    assert not found["small"]
    assert found["pairs"] == [(2, "class 03", "class 04")]


def test_git_is_named_and_changes_are_told(project, render):
    assert "not in git" in render("front").text
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (project / "data/.gitignore").write_text("*")
    for command in ("init -q", "add -A", "-c user.name=a -c user.email=a@b commit -q -m one"):
        subprocess.run(["git", *command.split()], check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    text = flowing(render("front").text)
    assert f"{commit[:12]}, nothing uncommitted" in text
    with open("dvc.lock", "a") as file:
        file.write("# changed\n")
    text = flowing(render("front").text)
    assert f"{commit[:12]}, code and parameters as committed; 1 file of results (dvc.lock) not committed" in text
    (project / "reports/other.json").write_text("{}")
    with open("params.yaml", "a") as file:
        file.write("# changed\n")
    text = flowing(render("front").text)
    assert f"{commit[:12]} and uncommitted changes to 1 file; 2 files of results (dvc.lock, ...) not committed" in text
    assert "nothing uncommitted" not in text
