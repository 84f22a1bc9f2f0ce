"""The promotion gate of runs (`runs` in params.yaml): a non-inferiority test on the leading metric of their task.

Both versions must have been scored on the same units with the same groups and labels, which their fingerprint says. Their scores
were resampled with the same draws of groups (`metrics/scores.py`), so the difference of the two is a paired bootstrap, and
nothing is computed again. The margin is `registry.task_margins.<family>`, in the metric's unit.
"""

import json
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.core import paths
from pipelines.metrics.intervals import equal_passes
from pipelines.metrics.scores import difference
from pipelines.ops.registry import objects
from pipelines.ops.registry.errors import Incomparable, RegistryError


def compare(project: Path, champion: dict, challenger: dict, margins: dict[str, float]) -> dict:
    """As `gate.compare`, for two versions of a run. margins: family -> margin. Raises `Incomparable` where the scored units or
    the draws differ, or there is no interval, and `RegistryError` where the family has no margin."""
    task = champion["task"]
    if task not in margins:
        raise RegistryError(
            f"registry.task_margins in params.yaml has no {task}: write there by how much a challenger may be worse than the "
            f"champion, in the unit of the task's leading metric, as in {{{task}: 0.03}}"
        )
    before, after = (_json(project, record, "about") for record in (champion, challenger))
    versions = f"{champion['name']}: versions {champion['version']} and {challenger['version']}"
    way_out = (
        "cannot be compared, and nothing was promoted. If the new test set is meant, begin again with it: conservatory models "
        f"promote {champion['name']} {challenger['version']} --no-gate --reason '...'"
    )
    if any(before[key] != after[key] for key in ("task", "fingerprint", "lead", "draws")):
        raise Incomparable(
            f"{versions} were scored on different test sets, labels, metrics or bootstrap draws: they {way_out}"
        )
    metric = before["lead"]
    old, new = (_json(project, record, "scores")[metric] for record in (champion, challenger))
    found = difference(new, old, _resampled(project, challenger, metric), _resampled(project, champion, metric))
    if found["ci95"] is None:
        raise Incomparable(f"{versions}: {metric} has no interval on this test set (too few groups): they {way_out}")
    low, high = found["ci95"]
    worst = low if new["higher_is_better"] else -high
    return {
        "champion": champion["version"],
        "challenger": challenger["version"],
        "test_set": {
            "sha256": before["fingerprint"],
            "n": new["n"],
            "n_groups": new["n_groups"],
            "n_tags": 0,
            "left_aside": 0,
        },
        "metrics": {
            metric: {
                "n": new["n"],
                "champion": old["value"],
                "challenger": new["value"],
                "difference": found["value"],
                "difference_ci95": [low, high],
                "margin": margins[task],
                "holds": worst > -margins[task],
                "equal_passes": equal_passes(high - low, margins[task]),
                "higher_is_better": new["higher_is_better"],
            }
        },
        "unmeasured": [],
        "drift": {"none": "it is measured for taggers only"},
    }


def _json(project: Path, record: dict, name: str) -> dict:
    where = str(paths.scores(record["name"]) / f"{name}.json")
    return json.loads(objects.file(project, record["hashes"], where).read_bytes())


def _resampled(project: Path, record: dict, metric: str):
    table = pq.read_table(
        objects.file(project, record["hashes"], str(paths.scores(record["name"]) / "resampled.parquet"))
    )
    return table[metric].to_numpy() if metric in table.column_names else None
