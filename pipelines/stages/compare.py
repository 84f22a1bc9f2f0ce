"""compare: collect the scores of all runs, and compute paired differences between runs of a task on the same test clips."""

from itertools import combinations

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.core import params, paths
from pipelines.core.files import read_json, write_json
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.metrics.scores import difference


def main() -> None:
    log = start("compare")
    # of a run whose stages failed there is nothing, and the others go on; some have no scores (`tasks.NotScored`)
    settings = params.read()
    names = [
        name
        for name in [*settings["taggers"], *settings["runs"], *settings["cross_tests"]]
        if (paths.scores(name) / "scores.json").exists()
    ]
    about = {name: read_json(paths.scores(name) / "about.json") for name in names}
    scores = {name: read_json(paths.scores(name) / "scores.json") for name in names}
    resampled = {name: pq.read_table(paths.scores(name) / "resampled.parquet") for name in names}
    by_task: dict[str, dict] = {}
    for name in names:
        by_task.setdefault(about[name]["task"], {})[name] = scores[name]
    differences = {
        task: [
            {"a": a, "b": b, "metric": about[a]["lead"]} | _difference(a, b, about[a]["lead"], scores, resampled)
            for a, b in combinations(runs, 2)
            if all(about[a][key] == about[b][key] for key in ("fingerprint", "draws", "lead"))
        ]
        for task, runs in by_task.items()
    }
    write_json(paths.report("scores"), by_task)
    write_json(paths.report("differences"), differences)
    leading = {name: scores[name][about[name]["lead"]]["value"] for name in names}
    write_record(
        "compare",
        figures={
            f"{name}, {about[name]['lead']}": round(value, 4) for name, value in leading.items() if value is not None
        },
    )
    log.info("%d runs of %d tasks, %d differences", len(names), len(by_task), sum(map(len, differences.values())))


def _difference(a: str, b: str, metric: str, scores: dict[str, dict], resampled: dict[str, pa.Table]) -> dict:
    drawn = (resampled[name][metric].to_numpy() if metric in resampled[name].column_names else None for name in (a, b))
    return difference(scores[a][metric], scores[b][metric], *drawn)


if __name__ == "__main__":
    command.run(main, __doc__)
