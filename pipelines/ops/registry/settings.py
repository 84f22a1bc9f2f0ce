"""Check `registry` in params.yaml before anything is trained."""

from pipelines.evaluation.probes import PROBES
from pipelines.ops.registry.errors import RegistryError

GUARDED = ("roc_auc", "pr_auc", "probe")
NUMBERS = {"n_bootstrap": 1, "seed": 0}
DRIFT = {"bins": 2, "max_clips": 2, "n_permutations": 1, "seed": 0}
"""Setting -> its minimum."""


def options(settings: dict) -> dict:
    """`registry` of a params.yaml's settings. `RegistryError` if it is missing, guards no metric, or is invalid."""
    found = settings.get("registry")
    if found is not None and not isinstance(found, dict):
        raise RegistryError(f"registry in params.yaml is {found!r:.60}: it must be a table (docs/retraining.md)")
    if not found or not found.get("margins"):
        raise RegistryError(
            "params.yaml has no registry.margins: the gate needs the metrics to guard (docs/retraining.md)"
        )
    margins = found["margins"]
    if not isinstance(margins, dict):
        raise RegistryError(
            f"registry.margins in params.yaml is {margins!r:.60}: it must be a table, as in {{roc_auc: 0.03}}"
        )
    for metric, margin in margins.items():
        if metric not in GUARDED:
            raise RegistryError(
                f"registry.margins in params.yaml names {metric!r}; known metrics: {', '.join(GUARDED)}"
            )
        if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin <= 1:
            raise RegistryError(
                f"registry.margins.{metric} in params.yaml is {margin!r}: it must be above 0, at most 1"
            )
    if "probe" in margins and (not isinstance(found.get("probe"), str) or found["probe"] not in PROBES):
        raise RegistryError(
            f"registry.probe in params.yaml is {found.get('probe')!r}; known probes: {', '.join(PROBES)}"
        )
    drift = found.get("drift")
    if not isinstance(drift, dict):
        raise RegistryError(f"registry.drift in params.yaml is {drift!r:.60}: it must be a table of {', '.join(DRIFT)}")
    if unknown := [key for key in drift if key not in DRIFT]:
        raise RegistryError(f"registry.drift in params.yaml names {unknown[0]!r}; known settings: {', '.join(DRIFT)}")
    _numbers(found, NUMBERS, "registry")
    _numbers(drift, DRIFT, "registry.drift")
    return {"task_margins": {}} | found


def _numbers(table: dict, least: dict[str, int], where: str) -> None:
    for key, low in least.items():
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < low:
            raise RegistryError(
                f"{where}.{key} in params.yaml is {value!r}: it must be a whole number, {low} or more (docs/retraining.md)"
            )
