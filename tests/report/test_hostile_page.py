"""A study's page in a browser, where labels, file names, classes, reasons and parameters were chosen to be more than text."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.core.manifest import MANIFEST, QUARANTINE
from pipelines.core.tables import read_table, write_table
from pipelines.stages import page as page_stage
from report.test_browser import browser, look

__all__ = ["browser", "look"]  # fixtures

SCRIPT = "document.title='pwned'"
EVIL = f'<img src=x onerror="{SCRIPT}"><b class=planted>bold</b></script><script>{SCRIPT}</script>\'"&{{{{7*7}}}}'


@pytest.fixture
def evil(project):
    """The project with hostile words wherever a stage takes them from files."""
    for path in sorted((project / "data/manifests").glob("*.parquet")):
        if path.name.endswith("quarantine.parquet"):
            table = pd.DataFrame([{"path": f"/music/{EVIL}.wav", "stage": "audio", "reason": EVIL, "exception": EVIL}])
            write_table(table, path, QUARANTINE)
            continue
        table = read_table(path, MANIFEST)
        for column in ("title", "source", "licence", "group"):
            table[column] = [f"{EVIL} {n}" for n in range(len(table))]
        table["tags"] = [[EVIL, "rock"] for _ in range(len(table))]
        write_table(table, path, MANIFEST)
    for path in (project / "data/audio").glob("*/quarantine.parquet"):
        table = pd.DataFrame([{"path": f"/music/{EVIL}.wav", "stage": "audio", "reason": EVIL, "exception": EVIL}])
        write_table(table, path, QUARANTINE)
    rename = ("Bach chorales", EVIL)
    for path in [*(project / "data").rglob("*.json"), *(project / "reports").rglob("*.json")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(rename[0], rename[1].replace('"', '\\"')), encoding="utf-8")
    for path in [*(project / "data/manifests").glob("*.parquet"), *(project / "data/clusters").rglob("*.parquet")]:
        table = pq.read_table(path)
        for place, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                column = pc.if_else(pc.equal(table[field.name], rename[0]), rename[1], table[field.name])
                table = table.set_column(place, field, column)
        pq.write_table(table, path)
    settings = yaml.safe_load((project / "params.yaml").read_text())
    settings["datasets"]["mine"]["path"] = f"/music/{EVIL}"
    (project / "params.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True))
    return project


@pytest.mark.system
def test_words_stay_words(evil, look):
    page_stage.main("scores")
    page = look(evil / "reports/pages/scores.html", viewport={"width": 1280, "height": 900})
    assert page.locator("img[src='x'], .planted").count() == 0
    for button in page.locator("details summary:visible").all()[:20]:
        button.click()
    for play in page.locator("article button.play").all()[:3]:
        play.click()
    box = page.locator("svg.map").first
    box.scroll_into_view_if_needed()
    x, y = page.evaluate("document.querySelector('svg.map').pixels[5]")
    place = box.bounding_box()
    page.mouse.move(place["x"] + x, place["y"] + y)
    assert EVIL in page.locator(".tip").inner_text()
    page.mouse.click(place["x"] + x, place["y"] + y)
    assert EVIL in page.locator(".bar .title").inner_text()
    assert page.locator("img[src='x'], .planted").count() == 0 and "pwned" not in page.title()
    shown = page.locator("body").inner_text()
    assert shown.count("class=planted") > 20 and "49" not in shown.split("planted")[1][:200]
