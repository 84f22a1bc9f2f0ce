"""raw: fill data/raw/<dataset>/ with what was published, built, or listed."""

import argparse
import shutil

from pipelines import datasets
from pipelines.core import params, paths
from pipelines.core.record import write_record
from pipelines.harness.logging import start


def main(name: str) -> None:
    log = start(f"raw {name}")
    entries = params.read()["datasets"]
    if name not in entries:
        raise SystemExit(f"there is no dataset {name!r} in params.yaml; there is {', '.join(entries)}")
    entry = entries[name]
    folder = paths.raw(name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        figures = datasets.load(entry).build(folder, entry)
    except ValueError as error:
        raise SystemExit(f"raw {name}: {error}") from error
    write_record("raw", name, figures=figures)
    log.info("%s", ", ".join(f"{value} {key}" for key, value in figures.items() if isinstance(value, int)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    main(parser.parse_args().dataset)
