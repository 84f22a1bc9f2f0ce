"""raw: fill data/raw/<dataset>/ with what was published, built, or listed."""

import shutil

from pipelines import datasets
from pipelines.core import params, paths
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start


def main(dataset: str) -> None:
    log = start(f"raw {dataset}")
    entries = params.read()["datasets"]
    if dataset not in entries:
        raise SystemExit(f"there is no dataset {dataset!r} in params.yaml; there is {', '.join(entries)}")
    entry = entries[dataset]
    folder = paths.raw(dataset)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        figures = datasets.load(entry).build(folder, entry)
    except ValueError as error:
        raise SystemExit(f"raw {dataset}: {error}") from error
    write_record("raw", dataset, figures=figures)
    log.info("%s", ", ".join(f"{value} {key}" for key, value in figures.items() if isinstance(value, int)))


if __name__ == "__main__":
    command.run(main, __doc__)
