"""What other people's labels, file names and parameters can do to Dagster's page: be read there, and nothing else."""

import json
import sys

import pytest
import tiny_project
from helpers import run_in
from hypothesis import example, given
from hypothesis.strategies import text
from markdown_it import MarkdownIt
from test_ui import PATIENCE, browser, served

from assets import metadata

__all__ = ["browser"]  # a fixture

IMAGE = "http://127.0.0.1:9/tracked.png"
EVIL = (
    "<img src=x onerror=\"document.title='pwned'\"><script>document.title='pwned'</script>"
    f"<b id=planted>bold</b> ![pixel]({IMAGE}) [link](javascript:document.title='pwned') `tick` <{IMAGE}>"
)
TOKENS = {"html_inline", "html_block", "link_open", "image", "code_inline", "fence"}


def kinds(markdown: str) -> set[str]:
    """What a CommonMark reader with tables finds in a text (one kind of token each)."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return {inner.type for token in tokens for inner in (token, *(token.children or ()))}


@given(text(alphabet="<>[]()!`&\\|-:/ \nab", max_size=60))
@example(EVIL)
@example("[a][b]\n\n[b]: http://127.0.0.1:9")
@example("\\[x](javascript:y)")
def test_plain_is_nothing_but_text(words):
    assert not kinds(f"| a |\n| --- |\n| {metadata.plain(words)} |") & TOKENS
    assert not kinds("x " + metadata.plain(words)) & (TOKENS - {"fence"})


@given(text(alphabet="<>[]()!`&\\ ab", min_size=1, max_size=30).filter(str.strip))
@example(f"a`{EVIL}")
def test_code_stays_code(words):
    found = MarkdownIt("commonmark").parseInline(metadata.code(words))[0].children
    assert [token.type for token in found] == ["code_inline"] and found[0].content.strip() == words.strip()


def test_a_plot_is_an_image_and_no_address():
    shown = metadata.of_record({"plots": {"t": f"data:text/html,{EVIL}) ![x]({IMAGE}"}})
    assert IMAGE not in shown["t"].md_str and shown["t"].md_str.startswith("![t](data:image/svg+xml;base64,")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose record, parameters and check are hostile."""
    project = tiny_project.create(tmp_path_factory.mktemp("evil") / "project")
    step = project / "pipelines/step.py"
    code = step.read_text()
    code = code.replace('"source": "made here"', f'"source": {EVIL!r}, "examples": [{EVIL!r}]')
    code = code.replace('"no NaN and no infinity"', repr(EVIL)).replace('"curve":', f"{'curve ' + EVIL!r}:")
    code = code.replace("| 1 | 2 |", "| 1 | " + EVIL.replace('"', '\\"') + " |")
    assert code.count("planted") == 5
    step.write_text(code)
    tiny_project.edit(project / "params.yaml", "one: {n: 3}", f"one: {{n: 3, path: {json.dumps(EVIL)}}}")
    return project


@pytest.mark.system
@pytest.mark.cold
def test_in_the_real_page(project, browser):
    run_in(project, sys.executable, "-m", "dvc", "repro", "raw")
    with served(project) as url:
        page = browser.new_page(viewport={"width": 1600, "height": 3000})
        page.set_default_timeout(PATIENCE * 1000)
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/assets/raw?view=partitions&partition=one")
        page.get_by_text("made with", exact=True).wait_for()
        page.get_by_text("<b id=planted>bold</b>", exact=False).first.wait_for()
        harmless(page)
        page.goto(f"{url}/assets/raw?view=checks&checkDetail=finite")
        page.get_by_text("<b id=planted>bold</b>", exact=False).first.wait_for()
        harmless(page)
    assert not [address for address in asked if IMAGE in address]


def harmless(page):
    page.wait_for_load_state("networkidle")
    assert page.locator("#planted, a[href^='javascript:'], img[src='x']").count() == 0
    assert "pwned" not in page.title()
