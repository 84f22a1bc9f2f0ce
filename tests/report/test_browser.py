"""The pages in a browser, from the file system and without a network: they draw, play, walk by keyboard, fit a phone."""

import csv
from pathlib import Path

import needs
import pytest

from pipelines.core.files import read_json
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import read_table, write_table
from pipelines.stages import page as page_stage
from report.conftest import make_pages
from report.test_neighbours import write_neighbours
from report.test_robustness import write_robustness

pytestmark = pytest.mark.system

SCORES = "reports/pages/scores.html"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser():
    playwright, chromium = needs.chromium()
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as play, play.chromium.launch(executable_path=chromium, args=options) as found:
        yield found


@pytest.fixture
def look(browser):
    """`look(path, **options) -> page`: opens a file with all other requests refused; fails the test on any error."""
    problems, contexts = [], []

    def refuse(route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            problems.append(f"asked for {route.request.url}")
            route.abort()

    def look(path: Path, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.route("**/*", refuse)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None
        )
        page.goto(path.absolute().as_uri())
        return page

    yield look
    for context in contexts:
        context.close()
    assert problems == []


def spot(page, number: int, svg: str = "svg.map") -> tuple[float, float]:
    """Where on the screen a clip's point is."""
    page.locator(svg).first.scroll_into_view_if_needed()
    box = page.locator(svg).first.bounding_box()
    x, y = page.evaluate(f"document.querySelector({svg!r}).pixels[{number}]")
    return box["x"] + x, box["y"] + y


def until(page, condition: str) -> None:
    """Wait for a condition in the page's terms; its security policy forbids Playwright's own `wait_for_function`."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(25)
    pytest.fail(f"never came true: {condition}")


def sounding(page):
    until(page, "!document.querySelector('audio').paused && document.querySelector('audio').currentTime > 0.05")


def test_a_click_on_a_point_plays_it_and_shows_it_everywhere(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    title = page.evaluate("JSON.parse(document.getElementById('data').textContent)[0].clips[5].title")
    page.mouse.move(*spot(page, 5))
    assert title in page.locator(".tip").inner_text()
    page.mouse.click(*spot(page, 5))
    sounding(page)
    assert page.locator(".bar .title").inner_text() == title
    assert page.evaluate("document.querySelector('audio').src").startswith("data:audio/mpeg;base64,")
    assert page.locator(".point.now").count() == 3
    assert page.locator(".bar .placed span").count() == 3
    assert page.locator(".bar .placed .main").inner_text().split()[1] == "short"
    page.locator(".bar .play").click()
    assert page.evaluate("document.querySelector('audio').paused")
    page.keyboard.press("Escape")
    assert page.locator(".bar").is_hidden()
    assert page.locator(".point.now").count() == 0


def test_a_neighbour_is_heard_and_tables_of_changes_fit_a_phone(project, look):
    write_neighbours()
    write_robustness()
    page_stage.main("scores")
    page = look(project / SCORES, viewport=PHONE)
    page.locator(".near").first.locator("li button").first.click()
    sounding(page)
    assert page.locator(".near .now").first.inner_text() == page.locator(".bar .title").inner_text()
    page.get_by_role("button", name="sample", exact=True).last.click()
    assert page.locator(".near:visible").count() == 1
    page.get_by_role("button", name="k-means").click()
    assert page.locator(".changes:visible").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_maps_switch_embedding_method_and_colour(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    maps = page.locator(".maps").first
    assert maps.locator("svg.map").count() == 3
    before = maps.locator("svg.map .point").first.get_attribute("style")
    maps.get_by_role("button", name="UMAP").click()
    assert maps.locator("svg.map .point").first.get_attribute("style") != before
    assert maps.locator(".legend button").count() == 4
    maps.get_by_role("button", name="voices").click()
    assert maps.locator(".legend button").count() == 2
    maps.get_by_role("button", name="sample").click()
    assert maps.locator("svg.map").count() == 1
    maps.locator(".legend button").first.click()
    assert maps.locator(".point.lit").count() > 0


def test_keyboard_walks_a_map_and_plays(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    page.locator("svg.map").first.focus()
    page.keyboard.press("ArrowRight")
    first = page.locator(".tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator(".tip").inner_text() != first
    page.keyboard.press("Enter")
    sounding(page)


def test_cells_of_a_confusion_matrix_show_their_clips(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    cell = page.locator(".matrix button").first
    cell.click()
    buttons = page.locator(".cell-clips").first.locator(".clips button")
    assert buttons.count() == int(cell.inner_text())
    buttons.first.click()
    sounding(page)
    page.locator(".clip-list summary").first.click()
    until(page, "document.querySelector('.clip-list').querySelectorAll('button').length == 16")


def test_cards_play_from_where_the_picture_is_touched(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    card = page.locator(".card").first
    card.locator(".play").click()
    sounding(page)
    box = card.locator(".plot").first.bounding_box()
    card.locator(".plot").first.click(position={"x": box["width"] * 0.5, "y": 20})
    until(page, "document.querySelector('audio').currentTime > 0.45")
    assert card.get_attribute("class") == "card playing"


def test_a_clip_without_player_offers_its_file(project, look):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("max_players: 18", "max_players: 3"))
    page_stage.main("scores")
    page = look(project / SCORES, viewport={"width": 1280, "height": 900})
    clips = "JSON.parse(document.getElementById('data').textContent)[0].clips"
    silent = page.evaluate(f"{clips}.findIndex(clip => clip.sound < 0)")
    page.mouse.click(*spot(page, silent))
    link = page.locator(".bar .whole")
    assert "open the file" in link.inner_text()
    assert (project / "reports/pages" / link.get_attribute("href").replace("%20", " ")).exists()


def test_a_clip_outside_the_project_is_played_and_not_linked(project, look):
    path = project / "data/manifests/scores.parquet"
    table = read_table(path, MANIFEST)
    table["path"] = [f"/music/{name}" for name in table["path"]]
    write_table(table, path, MANIFEST)
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("max_players: 18", "max_players: 3"))
    page_stage.main("scores")
    page = look(project / SCORES, viewport={"width": 1280, "height": 900})
    link, clips = page.locator(".bar .whole"), "JSON.parse(document.getElementById('data').textContent)[0].clips"
    page.mouse.click(*spot(page, page.evaluate(f"{clips}.findIndex(clip => clip.sound < 0)")))
    assert link.inner_text() == "no excerpt on this page" and link.get_attribute("href") is None
    page.locator(".card .play").first.click()
    sounding(page)
    assert link.is_hidden()


def test_a_mark_leads_to_its_row(pages_made, look):
    page = look(pages_made["scores"], viewport={"width": 1280, "height": 900})
    mark = page.locator("a.mark").first
    mark.click()
    row = page.locator("tr:target")
    assert mark.get_attribute("data-path") in row.inner_text()
    assert mark.get_attribute("data-hash")[:12] in row.inner_text()


@pytest.mark.parametrize(("name", "scheme"), [("scores", "light"), ("scores", "dark"), ("front", "light")])
def test_nothing_overflows_a_phone(pages_made, look, name, scheme):
    page = look(pages_made[name], viewport=PHONE, color_scheme=scheme, has_touch=True, is_mobile=True)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    heard = page.evaluate(
        "JSON.parse(document.getElementById('data').textContent)[0].clips.findIndex(clip => clip.sound >= 0)"
    )
    page.touchscreen.tap(*spot(page, heard))
    sounding(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_thirty_long_classes_fit(tmp_path, lay_out_in, look):
    lay_out_in(tmp_path, n_mine=150, labels=tuple(f"{'unbroken' * 4} and quite long name no. {i}" for i in range(30)))
    made = make_pages()
    for name, width in ((name, width) for name in ("front", "mine") for width in (390, 1280)):
        page = look(made[name], viewport={"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if name == "front":
            continue
        paths = "[...document.querySelectorAll('.legend path')]"
        shapes = page.evaluate(f"new Set({paths}.map(path => path.getAttribute('d') + path.classList)).size")
        assert shapes == 30  # colour and shape together tell every class


def test_the_front_page_plays_a_few_clips_and_leads_to_the_others(project, look):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("max_players: 18", "max_players: 3"))
    made = make_pages()
    page = look(made["front"], viewport={"width": 1280, "height": 900})
    clips = "JSON.parse(document.getElementById('data').textContent)[0].clips"
    page.mouse.click(*spot(page, page.evaluate(f"{clips}.findIndex(clip => clip.sound >= 0)")))
    sounding(page)
    silent = page.evaluate(f"{clips}.findIndex(clip => clip.sound < 0)")
    page.mouse.click(*spot(page, silent))
    title = page.locator(".bar .title").inner_text()
    page.locator(".bar .whole").click()
    page.wait_for_url("**/pages/scores.html#clip-*")
    assert page.locator(".bar .title").inner_text() == title


def test_what_a_table_hides_is_counted(pages_made, look):
    page = look(pages_made["front"], viewport=PHONE)
    sign = page.locator("#figures .more")
    columns = page.locator("[data-table=accuracies] thead th").count()
    hidden = int(sign.inner_text().split()[0])
    assert 0 < hidden < columns and "more columns" in sign.inner_text()
    first = page.locator("[data-table=accuracies] tbody th").first
    before = first.bounding_box()["x"]
    page.evaluate("document.querySelector('#figures .scroll').scrollLeft = 10000")
    until(page, "document.querySelector('#figures .more').hidden")
    assert first.bounding_box()["x"] == pytest.approx(before, abs=1), "the first column stays"


def test_tooltips_are_shown_to_a_finger(pages_made, look):
    page = look(pages_made["scores"], viewport=PHONE, has_touch=True, is_mobile=True)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    abbr = page.locator("abbr[title]").first
    abbr.scroll_into_view_if_needed()
    abbr.tap()
    assert page.locator(".tip").inner_text() == abbr.get_attribute("title")
    roll = page.locator(".roll rect").first
    roll.tap(force=True)
    assert page.locator(".tip").inner_text() == roll.locator("title").text_content()


def test_tables_are_saved_as_csv_and_latex(pages_made, look):
    page = look(pages_made["front"], viewport={"width": 1280, "height": 900}, accept_downloads=True)
    saved = {}
    for name in ("CSV", "LaTeX"):
        with page.expect_download() as download:
            page.locator("#figures .export").get_by_role("button", name=name).click()
        saved[download.value.suggested_filename] = Path(download.value.path()).read_text(encoding="utf-8")
    rows = list(csv.reader(saved["accuracies.csv"].splitlines()))
    records = read_json(pages_made["front"].parents[1] / "data/clusters/scores/scores.json")["style"]
    row = next(dict(zip(rows[0], row, strict=True)) for row in rows[1:] if row[:3] == ["scores", "style", "sample"])
    assert len(rows) == 1 + 9 and float(row["k_means"]) == records["sample"]["crossed"]["accuracy"]
    table = saved["accuracies.tex"]
    assert table.count(r"\\") == 10 and r"pooled\_pca" in table and "tabular}{lll" in table
