"""report: one self-contained page to look at, reports/index.html, and a card of each model, reports/cards/."""

from pathlib import Path

from pipelines.core.files import atomic
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.report import cards, page, state

PAGE = "reports/index.html"
CARDS = Path("reports/cards")


def main() -> None:
    log = start("report")
    found = state.read()
    html, figures = page.render(found)
    text = html.encode("utf-8", "replace")  # half a surrogate in a title must not cost the page
    with atomic(PAGE) as temporary:
        temporary.write_bytes(text)
    CARDS.mkdir(parents=True, exist_ok=True)
    for name, config in found.taggers.items():
        with atomic(CARDS / f"{name}.md") as temporary:
            temporary.write_text(cards.written(name, config, found.histories.get(name, [])), encoding="utf-8")
    write_record(
        "report",
        figures={"bytes": len(text), "datasets": len(found.datasets), **figures},
        checks={
            "every figure has its lineage": (
                figures["figures without lineage"] == 0,
                f"{figures['figures without lineage']} figures come from files that dvc.lock does not know",
            )
        },
    )
    log.info("%s: %.1f MB, %d clips with players", PAGE, len(text) / 1e6, figures["clips with players"])


if __name__ == "__main__":
    command.run(main, __doc__)
