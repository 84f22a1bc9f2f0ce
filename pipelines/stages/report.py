"""report: one self-contained page to look at, reports/index.html."""

import argparse

from pipelines.report import page, state
from pipelines.stages.record import start, write_record
from pipelines.store.files import atomic

PAGE = "reports/index.html"


def main() -> None:
    log = start("report")
    found = state.read()
    html, figures = page.render(found)
    text = html.encode("utf-8", "replace")  # half a surrogate in a title must not cost the page
    with atomic(PAGE) as temporary:
        temporary.write_bytes(text)
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
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
