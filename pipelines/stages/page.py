"""page: the page of a dataset's study, reports/pages/<dataset>.html."""

from pipelines.core import paths
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.report import dataset_page, shell, state


def main(dataset: str) -> None:
    log = start("page")
    path = paths.page(dataset)
    html, lineage, figures = dataset_page.render(state.read({dataset}), dataset)
    size = shell.write(path, html)
    shell.record("page", dataset, size, lineage, **figures)
    log.info("%s: %.1f MB, %d clips with players", path, size / 1e6, figures["clips with players"])


if __name__ == "__main__":
    command.run(main, __doc__)
