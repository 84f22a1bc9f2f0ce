"""metrics: the scores of all datasets and taggers as small files in git, for `dvc metrics` and `dvc plots`."""

import csv
from pathlib import Path

from pipelines.core import params, paths
from pipelines.core.files import atomic, read_json, write_json
from pipelines.core.record import write_record
from pipelines.evaluation.crossed import lead
from pipelines.harness import command
from pipelines.harness.logging import start

PLOTS = Path(paths.REPORTS, "plots")
# reports/<name>.json: what these stages found, of all datasets
FOUND = {
    "clustering": lambda name: paths.clusters(name) / "scores.json",
    "leaks": paths.leaks,
    "ood": lambda name: paths.ood(name) / "scores.json",
    "robustness": paths.robustness,
    "study": lambda name: paths.study(name) / "scores.json",
}


def main() -> None:
    log = start("metrics")
    settings = params.read()
    # of a dataset whose stages failed there is nothing, and the others go on
    found_by = {
        part: {name: read_json(path(name)) for name in settings["datasets"] if path(name).exists()}
        for part, path in FOUND.items()
    }
    for part, found in found_by.items():
        write_json(paths.report(part), found)
    scores = found_by["clustering"]
    confusions = {name: read_json(paths.clusters(name) / "confusions.json") for name in scores}
    tasks = read_json(paths.report("scores"))
    # per-class figures would bury what `dvc metrics diff` is asked for
    write_json(
        paths.report("summary"),
        {
            "clustering": {
                dataset: {
                    target: {
                        name: {"held_out_accuracy": round(lead(found)["accuracy"], 4)}
                        | {key: round(found[key], 4) for key in ("hungarian_accuracy", "chance", "macro_f1", "nmi")}
                        for name, found in names.items()
                    }
                    for target, names in targets.items()
                }
                for dataset, targets in scores.items()
            },
            "probes": {
                dataset: {
                    target: {
                        probe: {name: round(found["accuracy"], 4) for name, found in names.items()}
                        for probe, names in parts["probes"].items()
                    }
                    for target, parts in found["targets"].items()
                }
                for dataset, found in found_by["study"].items()
            },
            "tasks": {
                task: {
                    name: {metric: round(one["value"], 4) for metric, one in found.items() if one["value"] is not None}
                    for name, found in runs.items()
                }
                for task, runs in tasks.items()
            },
        },
    )
    for dataset, targets in confusions.items():
        for target, names in targets.items():
            for name, confusion in names.items():
                classes = confusion["classes"]
                rows = [
                    (classes[row], classes[column])
                    for row, counts in enumerate(confusion["counts"])
                    for column, count in enumerate(counts)
                    for _ in range(count)
                ]
                _write_csv(PLOTS / "confusion" / f"{dataset}-{target}-{name}.csv", ["actual", "predicted"], rows)
    for name in params.trained_names(settings):
        with open(paths.trained(name) / "history.csv", newline="") as file:
            header, *rows = csv.reader(file)
        _write_csv(PLOTS / "training" / f"{name}.csv", header, rows)
    accuracies = [
        (f"{dataset}, {target}: {name}, held-out accuracy", lead(found)["accuracy"])
        for dataset, targets in scores.items()
        for target, names in targets.items()
        for name, found in names.items()
    ]
    write_record("metrics", figures={label: round(value, 4) for label, value in accuracies})
    log.info("%d datasets, %d clusterings, %d runs", len(scores), len(accuracies), sum(map(len, tasks.values())))


def _write_csv(path: Path, header: list[str], rows: list) -> None:
    with atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_text(cell) for cell in row] for row in rows)


def _text(cell: str) -> str:
    """A label as a cell that a spreadsheet shows and does not run: what looks like a formula is led by an apostrophe."""
    try:
        float(cell)
    except ValueError:
        cell = cell.replace("\r", " ")  # csv does not quote it, and what follows would begin a row
        return f"'{cell}" if cell.lstrip().startswith(("=", "+", "-", "@")) else cell
    return cell


if __name__ == "__main__":
    command.run(main, __doc__)
