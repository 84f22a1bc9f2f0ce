"""The page itself, in a headless browser: materialize one partition of an asset and see it succeed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import needs
import psutil
import pytest
from tiny_project import create, dvc_repro, edit

pytestmark = [pytest.mark.system, pytest.mark.cold]

PROJECT = Path(__file__).parents[2]
PATIENCE = 120  # seconds, on a busy machine
SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='123' height='45'/>"
LOADER = "from pathlib import Path\nfrom assets.build import build\ndefs = build(Path(__file__).parent)\n"


@pytest.fixture(scope="module")
def browser():
    playwright, found = needs.chromium()
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with (
        playwright.sync_playwright() as running,
        running.chromium.launch(executable_path=found, args=options) as opened,
    ):
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The tiny project opened as `conservatory ui` opens the large one."""
    with served(create(tmp_path_factory.mktemp("ui") / "project")) as url:
        yield url


@contextmanager
def served(project, *options):
    """The address of Dagster's page for a tiny project."""
    with started(project, "assets.serve", *options) as (_, url):
        yield url


@contextmanager
def started(project, *command):
    """(process, address) of a command that serves a tiny project's page, once it answers."""
    shutil.copy(PROJECT / "dagster.yaml", project)
    (project / "tiny.py").write_text(LOADER)
    loaded = "load_from:\n  - python_file: {relative_path: tiny.py, location_name: tiny}\n"
    (project / "workspace.yaml").write_text(loaded)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", *command, "--port", str(port)]
    with open(project / "log", "w") as log:
        server = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + PATIENCE
        while not ask(url, "{version}"):
            assert server.poll() is None and time.monotonic() < deadline, (project / "log").read_text()[-4000:]
            time.sleep(0.2)
        yield server, url
    finally:
        server.terminate()
        try:
            server.wait(timeout=PATIENCE)
        finally:
            server.kill()


def ask(url, query):
    """Dagster's answer to a GraphQL query, or None while it does not answer."""
    body = json.dumps({"query": query}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


def test_materialize_one_partition(address, browser, tmp_path):
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(PATIENCE * 1000)
    page.goto(f"{address}/asset-groups")
    for group in ("music", "features", "models", "evaluation"):
        page.get_by_text(group, exact=True).first.wait_for()
    page.goto(f"{address}/assets/raw?view=overview")
    page.get_by_text("Numbers, as published.").first.wait_for()
    page.get_by_text("Materialize…").first.click()
    page.get_by_text("Select a partition").click()
    page.get_by_text("one", exact=True).locator("visible=true").last.click()
    page.keyboard.press("Escape")
    page.get_by_text("Launch 1 run").click()
    page.get_by_text("View", exact=True).click()
    page.get_by_text("Success", exact=True).first.wait_for()
    page.screenshot(path=tmp_path / "run.png")
    page.goto(f"{address}/assets/raw?view=partitions&partition=one")
    page.get_by_text("ran in", exact=False).first.wait_for()
    page.get_by_role("img", name="curve").wait_for()
    page.screenshot(path=tmp_path / "asset.png")
    page.goto(f"{address}/assets/raw?view=checks&checkDetail=schema")
    page.get_by_text("Succeeded", exact=True).first.wait_for()
    page.get_by_text("3 rows, 1 columns", exact=False).first.wait_for()
    page.screenshot(path=tmp_path / "checks.png")


def test_a_run_outside_appears_without_a_switch(browser, tmp_path):
    """With its time, its checks, and a plot that is too long for Markdown that is shown at once."""
    project = create(tmp_path / "project")
    edit(project / "pipelines/step.py", "<svg xmlns='http://www.w3.org/2000/svg'/>", f"{SVG}<!--{'x' * 2000}-->")
    told = "{assetNodes{assetKey{path} assetMaterializations(limit:1){description}}}"
    with served(project) as url:
        dvc_repro(project)
        deadline = time.monotonic() + PATIENCE
        while not all(node["assetMaterializations"] for node in ask(url, told)["assetNodes"] if is_stage(node)):
            assert time.monotonic() < deadline, (project / "log").read_text()[-4000:]
            time.sleep(0.5)
        page = browser.new_page(viewport={"width": 1600, "height": 1600})
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(f"{url}/assets/raw?view=partitions&partition=one")
        page.get_by_text("run outside Dagster: its output was written", exact=False).first.wait_for()
        page.get_by_role("img", name="map").wait_for()
        page.wait_for_function("document.querySelector('img[alt=map]').naturalWidth == 123")
        page.goto(f"{url}/assets/raw?view=checks&checkDetail=balance")
        page.get_by_text("1 of 2 failed. two: 4 clips").first.wait_for()


def is_stage(node):
    return node["assetKey"]["path"] != ["champion"]


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGTERM, ()),
        (signal.SIGHUP, ()),
        (signal.SIGINT, ()),
        (signal.SIGKILL, ()),
        (signal.SIGTERM, ("--read-only",)),
    ],
)
def test_nothing_of_it_outlives_the_command(tmp_path, number, options):
    """The daemon least of all, which would go on with what is scheduled."""
    with started(create(tmp_path / "project"), "pipelines.cli", "ui", *options) as (server, _):
        below = psutil.Process(server.pid).children(recursive=True)
        assert options or any("dagster._daemon" in process.cmdline() for process in below)
        server.send_signal(number)
        server.wait(timeout=PATIENCE)
        # those that were killed with their parent's knowledge have ended by now
        _, alive = psutil.wait_procs(below, timeout=PATIENCE if number == signal.SIGKILL else 0)
        assert [process.cmdline() for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_another_page_is_not_answered(address):
    mutation = b'{"query": "mutation{setConcurrencyLimit(concurrencyKey:\\"dvc\\",limit:9){__typename}}"}'
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        request = urllib.request.Request(
            f"{address}/graphql", mutation, {"content-type": "application/json", **headers}
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request, timeout=60)
    limits = ask(address, "{instance{concurrencyLimits{limit}}}")["instance"]["concurrencyLimits"]
    assert {"limit": 9} not in limits


def test_read_only_shows_and_runs_nothing(tmp_path):
    launch = (
        'mutation{launchRun(executionParams:{selector:{repositoryLocationName:"tiny",repositoryName:"__repository__",'
        'jobName:"demo"}}){__typename}}'
    )
    with served(create(tmp_path / "project"), "--read-only") as url:
        assert ask(url, launch)["launchRun"]["__typename"] == "UnauthorizedError"
        assert ask(url, "{runsOrError{... on Runs{results{runId}}}}")["runsOrError"]["results"] == []
        names = ask(url, "{assetNodes{assetKey{path}}}")["assetNodes"]
        assert {"raw"} <= {name["assetKey"]["path"][0] for name in names}
