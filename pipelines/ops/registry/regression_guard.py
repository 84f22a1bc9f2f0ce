"""Guard against gradual decline: a series of challengers, each worse than its champion by less than the margin.

The gate compares with the present champion only; here the challenger is also compared with the best former champion on the same
test set. Its scores are in the history, with the decisions they were part of; nothing is computed again.
"""

from pipelines.ops.registry import gate, history


def best(events: list[dict], comparison: dict) -> dict[str, dict]:
    """Metric -> `{"version", "value", "difference"}`: the best value of any champion, the present one included, on this test
    set (by its hash), and the challenger's difference to it, as a point estimate.

    Only champions since the last decision by a person count (without the gate, or a rollback), which accepts a lower value.
    """
    asked = [event for event in events[_begin(events) :] if _test_set(event) == comparison["test_set"]["sha256"]]
    found = {}
    for name, figures in comparison["metrics"].items():
        known = [(figures["champion"], comparison["champion"])]
        for event in asked:
            then = event["comparison"]["metrics"].get(name)
            if then is None:
                continue
            known.append((then["champion"], event["comparison"]["champion"]))
            if event["event"] == "promoted":
                known.append((then["challenger"], event["version"]))
        value, version = max(known, key=lambda pair: _sign(figures) * pair[0])
        found[name] = {"version": version, "value": value, "difference": figures["challenger"] - value}
    return found


def decide(comparison: dict, events: list[dict]) -> tuple[bool, str]:
    """As `gate.decide`, but no promotion if a metric is below the best former champion's by more than its margin. Writes `best`
    into the comparison."""
    comparison["best"] = best(events, comparison)
    passed, why = gate.decide(comparison)
    fallen = [
        f"{name} {comparison['metrics'][name]['challenger']:.4f} against {found['value']:.4f} of version {found['version']}, "
        f"difference {found['difference']:+.4f}, margin {comparison['metrics'][name]['margin']:g}"
        for name, found in comparison["best"].items()
        if _sign(comparison["metrics"][name]) * found["difference"] < -comparison["metrics"][name]["margin"]
    ]
    if passed and fallen:
        return False, (
            f"not worse than version {comparison['champion']}, but worse than a former champion on the same test set: "
            f"{'; '.join(fallen)}. Many small losses, each within the margin, would add up. To accept this one, "
            f"decide yourself: conservatory models promote NAME {comparison['challenger']} --no-gate --reason '...'"
        )
    return passed, why


def _sign(figures: dict) -> int:
    return 1 if figures.get("higher_is_better", True) else -1


def _begin(events: list[dict]) -> int:
    """Index in the history of the last decision by a person."""
    return max(
        (
            place
            for place, event in enumerate(events)
            if event["event"] in history.PROMOTING and "comparison" not in event
        ),
        default=0,
    )


def _test_set(event: dict) -> str | None:
    return event.get("comparison", {}).get("test_set", {}).get("sha256")
