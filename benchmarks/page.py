"""Does Dagster's page stay usable over a wide recipe? In headless Chromium, beside the page of one dataset in the same run.

    python benchmarks/page.py [--datasets 200] [--pictures FOLDER] [--json FILE]

Both projects have ten taggers and every stage up to date (wide/project.py); `conservatory ui` is started in each. Seconds until

| key | |
| --- | --- |
| start | the server answers; the first time, every stage that ran outside Dagster is reported to it |
| again | it answers when it is started again |
| lineage | the graph of all assets is drawn |
| asset | the page of `embed` shows its partitions (datasets x seven taggers) |
| choose | the window in which partitions are chosen to materialize is open |

and the ratio to the one dataset's. Needs Chromium on PATH.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from figures import announce, show

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT)]
PATIENCE = 900  # seconds


@contextmanager
def served(project: Path):
    """(address, seconds until it answers) of Dagster's page for the project."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, url = [sys.executable, "-m", "assets.serve", "--port", str(port)], f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with open(project / "log", "w") as log:
        server = subprocess.Popen(command, cwd=project, stdout=log, stderr=log, start_new_session=True)
    try:
        while not _loaded(url):
            if server.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise SystemExit((project / "log").read_text()[-4000:])
            time.sleep(0.2)
        yield url, time.perf_counter() - began
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _loaded(url: str) -> bool:
    body = json.dumps({"query": "{assetNodes{id}}"}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bool((json.load(answer).get("data") or {}).get("assetNodes"))
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def look(browser, url: str, pictures: Path | None, name: str) -> Iterator[tuple[str, float]]:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    page.set_default_timeout(PATIENCE * 1000)

    def measured(key: str, begin: Callable, *texts: str) -> tuple[str, float]:
        began = time.perf_counter()
        begin()
        for text in texts:
            page.get_by_text(text, exact=True).locator("visible=true").first.wait_for()
        seconds = time.perf_counter() - began
        if pictures:
            page.screenshot(path=pictures / f"{name}-{key}.png")
        return key, seconds

    yield measured("lineage", lambda: page.goto(f"{url}/asset-groups"), "music", "features", "models", "evaluation")
    yield measured("asset", lambda: page.goto(f"{url}/assets/embed?view=partitions"), "fcn", "scores")
    yield measured("choose", lambda: page.get_by_text("Materialize…").first.click(), "tagger", "dataset")
    page.close()


def visit(browser, project: Path, pictures: Path | None, name: str) -> Iterator[tuple[str, float]]:
    """(key, seconds) of one project, each when it is measured."""
    with served(project) as (_, start):
        pass
    yield "start", start
    with served(project) as (url, again):
        yield "again", again
        yield from look(browser, url, pictures, name)


def main(n_datasets: int, pictures: Path | None) -> Iterator[tuple[str, float]]:
    from playwright.sync_api import sync_playwright

    from benchmarks.wide.project import make

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        print("page.py: nothing is measured, since there is no Chromium on PATH (apt-get install chromium)")
        return
    times = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]) as browser,
    ):
        for n in (1, n_datasets):
            project = Path(folder) / f"of-{n}"
            yield f"stages of {n}", make(project, n)
            for key, seconds in visit(browser, project, pictures, f"{n}"):
                times[key, n] = seconds
                yield f"{key} of {n} (s)", seconds
    for key in ("start", "again", "lineage", "asset", "choose"):
        yield key, times[key, n_datasets] / times[key, 1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--pictures", type=Path, help="an existing folder for screenshots")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    announce("page.py: seconds until Dagster's page over a wide recipe can be used", "7 minutes")
    show(main(arguments.datasets, arguments.pictures), arguments.json)
