"""A page that is sent tells nobody where the music, the project and the home directory lie."""

import json
import os
import re
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from pipelines.core.files import read_json, write_json
from pipelines.core.manifest import MANIFEST, QUARANTINE
from pipelines.core.tables import read_table, write_table
from pipelines.report import private, state

FOLDERS = [  # of a dataset, seen from the home directory
    "music & more/genres",
    "a folder whose name is so long that YAML, which breaks lines at a hundred, breaks it/genres",
    "Musik/Gattungen für alle 'Jahre'",
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "people/ann"))
    return tmp_path / "people/ann"


def lies_in(project, folder, title):
    """Let the dataset `mine` lie in that folder, as a user's own does, with the folder in all that stages tell of it."""
    (project / "params.yaml").write_text(
        yaml.safe_dump(
            _own(yaml.safe_load((project / "params.yaml").read_text()), folder), allow_unicode=True, sort_keys=False
        )
    )
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    lock["stages"]["manifest@mine"]["params"]["params.yaml"] = {"datasets.mine": {"path": str(folder)}}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    path = project / "data/manifests/mine.parquet"
    table = read_table(path, MANIFEST)
    table["path"] = [f"{folder}/rock/{n}.wav" for n in range(len(table))]
    table["title"] = [title(name) for name in table["path"]]
    table["source"] = str(folder)
    write_table(table, path, MANIFEST)
    path = project / "data/audio/mine/quarantine.parquet"
    table = read_table(path, QUARANTINE)
    table["path"], table["reason"] = f"{folder}/rock/bad.wav", f"unreadable: cannot open '{folder}/rock/bad.wav'."
    write_table(table, path, QUARANTINE)
    checks = {"every file": {"passed": False, "detail": f"3 of {folder}, {Path.home()}/elsewhere and {Path.cwd()}"}}
    write_json(project / "data/records/raw/mine.json", {"figures": {"folder": str(folder)}, "checks": checks})


def _own(settings, folder):
    settings["datasets"]["mine"] = {"module": "folder", "path": str(folder)}
    settings["taggers"]["fcn_published"] = {"network": "fcn", "weights": {"path": str(Path.home() / "weights/fcn.pth")}}
    return settings


def spellings(place):
    text = str(place)
    return {text, quote(text), json.dumps(text)[1:-1], text.replace("&", "&amp;"), text.replace("&", "\\u0026"), repr(text)[1:-1],
            text.replace("&", "&amp;").replace("'", "&#39;"), text.replace("'", "\\u0027")}  # fmt: skip


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("titled", ["relative", "absolute"])
def test_no_private_folder_is_on_the_page(project, render, home, folder, titled):
    lies_in(project, home / folder, (lambda path: path) if titled == "absolute" else os.path.basename)
    pages = {name: render(name) for name in ("front", "mine")}
    for seen in pages.values():
        flowing = re.sub(r"\s+", " ", seen.html)
        for place in (home / folder, home, project, folder.partition("/")[0]):
            for spelt in spellings(place):
                assert spelt not in flowing, flowing[flowing.index(spelt) - 200 :][:300]
        assert not any("file:" in address for address in seen.addresses)
    name, text = os.path.basename(folder), {page: seen.text for page, seen in pages.items()}
    assert f"…/{name}/rock/bad.wav" in text["mine"] and f"3 of …/{name}, ~/elsewhere and …/project" in text["front"]
    assert (
        f"path: …/{name}" in text["mine"] and f"path: …/{name}" in text["front"] and "path: …/fcn.pth" in text["front"]
    )
    clips = json.loads(pages["mine"].scripts["data"])[0]["clips"]
    assert {clip["href"] for clip in clips} == {""}
    assert clips[0]["title"] == (f"…/{name}/rock/0.wav" if titled == "absolute" else "0.wav")


def test_whole_clips_are_linked_by_path_where_that_is_asked_for(project, render, home):
    lies_in(project, home / FOLDERS[0], os.path.basename)
    settings = yaml.safe_load((project / "params.yaml").read_text())
    settings["report"]["link_clips"] = True
    (project / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    data = [json.loads(render(name).scripts["data"])[0] for name in ("scores", "mine")]
    assert data[1]["clips"][0]["href"] == f"file://{quote(str(home / FOLDERS[0]))}/rock/0.wav"
    assert data[0]["clips"][0]["href"].startswith(
        "../../data/raw/scores/"
    )  # of the project's own, with the option and without


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/music & more", "…/music & more"),
        ("/music & more/x", "…/music & more/x"),
        ("in /music & more.", "in …/music & more."),
        ("/music & more2, /music & more-b, /music & more.bak", None),
        ("/other/music & more/x and https://example.org/music & more", None),
        ("…/music & more", None),
        ("a/b", None),
    ],
)
def test_only_whole_names_of_folders_are_made_short(seen, text, shown):
    hide = private.hider(state.read())
    assert hide({"a": [text, ("b", 1)]}) == {"a": [shown or text, ("b", 1)]}


def test_a_csv_of_files_on_other_disks(project, render, home):
    """Their folders stand in no parameter."""
    lies_in(project, home / "lists", os.path.basename)
    path = project / "data/manifests/mine.parquet"
    table = read_table(path, MANIFEST)
    table["path"] = table["title"] = [f"/disk{n % 2}/of ann/{n}.wav" for n in range(len(table))]
    write_table(table, path, MANIFEST)
    seen = render("mine")
    for found in (seen, render("front")):
        assert "/disk0/" not in found.html and "/disk1/" not in found.html
    assert json.loads(seen.scripts["data"])[0]["clips"][1]["title"] == "…/of ann/1.wav"
    assert read_json("data/records/raw/mine.json")["figures"]["folder"] == str(home / "lists")  # records keep it
