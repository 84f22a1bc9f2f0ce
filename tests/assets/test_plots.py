"""What the page shows of a record without a click: plots by their address, tables as grids."""

import base64

import dagster as dg
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from assets import metadata, page, plots

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
AT_ONCE = 1000  # characters of Markdown that Dagster's page shows without a click


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.setenv(plots.FOLDER, str(tmp_path / "plots"))
    return TestClient(Starlette(routes=page.images()))


def test_a_plot_is_an_address_that_the_page_answers(client):
    large = base64.b64encode(bytes(range(256)) * 40).decode()
    shown = metadata.of_record({"plots": {"curve": f"data:image/png;base64,{large}", "map": SVG}})
    for name, content, kind in (("curve", base64.b64decode(large), "png"), ("map", SVG.encode(), "svg+xml")):
        text = shown[name].value
        assert text.startswith(f"![{name}](/plots/") and len(text) < AT_ONCE
        answer = client.get(text.partition("(")[2].removesuffix(")"))
        assert answer.content == content and answer.headers["content-type"] == f"image/{kind}"
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_same_plot_is_one_file_and_nothing_else_is_answered(client, tmp_path):
    found = {plots.source(f"data:image/png;base64,{PNG}") for _ in range(3)}
    assert len(found) == 1 and len(list((tmp_path / "plots").iterdir())) == 1
    (tmp_path / "secret").write_text("secret")
    assert client.get("/plots/../secret").status_code == 404
    assert client.get("/plots/%2e%2e/secret").status_code == 404


def test_without_a_folder_the_plot_is_in_the_text(monkeypatch):
    monkeypatch.delenv(plots.FOLDER, raising=False)
    assert plots.source(f"data:image/png;base64,{PNG}") == f"data:image/png;base64,{PNG}"
    assert base64.b64decode(plots.source(SVG).removeprefix("data:image/svg+xml;base64,")).decode() == SVG
    assert page.images() == []


def test_a_table_of_markdown_is_a_grid_and_other_text_is_not():
    rows = "\n".join(f"| style{n} | 0.5 [0.4, 0.6] \\| x |" for n in range(99))
    grid = metadata.of_record({"note": f"| target | accuracy |\n|{' --- |' * 2}\n{rows}"}, "clusterings")["clusterings"]
    assert isinstance(grid, dg.TableMetadataValue) and len(grid.records) == 99
    assert grid.records[1].data == {"target": "style1", "accuracy": "0.5 [0.4, 0.6] | x"}
    for text in (
        "left out: a class\nof one clip",
        "\n",
        "| a | a |\n| --- | --- |\n| 1 | 2 |",
        "| a |\n| --- |\n| 1 | 2 |",
    ):
        assert metadata.of_record({"note": text})["note"] == dg.MetadataValue.md(metadata.plain(text))


def test_figures_are_numbers_that_dagster_plots():
    shown = metadata.of_record({"figures": {"adjusted Rand index, style, short": 0.25, "scored clips": 96}})
    assert shown["adjusted Rand index, style, short"] == dg.MetadataValue.float(0.25)
    assert shown["scored clips"] == dg.MetadataValue.int(96)
