"""compare: the scores of all runs in one file, and the differences between runs of a task on the same test clips."""

from itertools import combinations

import pyarrow.parquet as pq

from pipelines import tasks
from pipelines.core import params, paths
from pipelines.core.files import read_json, write_json
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.metrics.scores import difference


def main() -> None:
    log = start("compare")
    # of a run whose stages failed there is nothing, and the others go on
    settings = params.read()
    names = [
        name for name in [*settings["taggers"], *settings["runs"]] if (paths.scores(name) / "scores.json").exists()
    ]
    found = {name: read_json(paths.scores(name) / "scores.json") for name in names}
    found = {name: each for name, each in found.items() if each["scores"]}
    by_task: dict[str, dict] = {}
    for name, each in found.items():
        by_task.setdefault(each["task"], {})[name] = each["scores"]
    differences = {
        task: [
            {"a": a, "b": b, "metric": found[a]["lead"]} | _difference(a, b, found)
            for a, b in combinations(runs, 2)
            if found[a]["fingerprint"] == found[b]["fingerprint"]
        ]
        for task, runs in by_task.items()
    }
    tagging: dict[str, dict] = {}
    for name, each in found.items():
        if each["task"] == tasks.TAGGING:
            tagging.setdefault(each["dataset"], {})[name] = each["details"]
    write_json("reports/scores.json", by_task)
    write_json("reports/tagging.json", tagging)
    write_json("reports/differences.json", differences)
    write_record(
        "compare",
        figures={
            f"{name}, {each['lead']}": round(each["scores"][each["lead"]]["value"], 4)
            for name, each in found.items()
            if each["scores"][each["lead"]]["value"] is not None
        },
    )
    log.info("%d runs of %d tasks, %d differences", len(found), len(by_task), sum(map(len, differences.values())))


def _difference(a: str, b: str, found: dict[str, dict]) -> dict:
    metric = found[a]["lead"]
    resampled = (_resampled(name, metric) for name in (a, b))
    return difference(found[a]["scores"][metric], found[b]["scores"][metric], *resampled)


def _resampled(name: str, metric: str):
    table = pq.read_table(paths.scores(name) / "resampled.parquet")
    return table[metric].to_numpy() if metric in table.column_names else None


if __name__ == "__main__":
    command.run(main, __doc__)
