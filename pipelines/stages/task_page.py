"""task_page: the page of a family of tasks, reports/pages/task_<family>.html."""

from pipelines.core import paths
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.report import shell, state, task_page


def main(family: str) -> None:
    log = start("task_page")
    path = paths.task_page(family)
    html, lineage, figures = task_page.render(state.read(()), family)
    size = shell.write(path, html)
    shell.record("task_page", family, size, lineage, **figures)
    log.info("%s: %.1f MB, %d runs", path, size / 1e6, figures["runs"])


if __name__ == "__main__":
    command.run(main, __doc__)
