"""report: the front page, reports/index.html, and a card of each model, reports/cards/."""

from pathlib import Path

from pipelines.core import paths
from pipelines.core.files import atomic, read_json
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.report import cards, front, shell, state

PAGE = paths.page()
CARDS = Path(paths.REPORTS, "cards")


def main() -> None:
    log = start("report")
    found = state.read()
    html, lineage, figures = front.render(found)
    size = shell.write(PAGE, html)
    CARDS.mkdir(parents=True, exist_ok=True)
    for name, config in found.taggers.items():
        with atomic(CARDS / f"{name}.md") as temporary:
            temporary.write_text(cards.written(name, config, found.histories.get(name, [])), encoding="utf-8")
    for name in found.settings.get("runs") or {}:
        if (paths.scores(name) / "scores.json").exists():
            about, scores = (read_json(paths.scores(name) / f"{part}.json") for part in ("about", "scores"))
            with atomic(CARDS / f"{name}.md") as temporary:
                temporary.write_text(cards.of_run(name, about, scores), encoding="utf-8")
    shell.record("report", "", size, lineage, datasets=len(found.datasets), **figures)
    log.info("%s: %.1f MB", PAGE, size / 1e6)


if __name__ == "__main__":
    command.run(main, __doc__)
