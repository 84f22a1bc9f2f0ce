"""Guard against gradual decline: a series of challengers, each worse than its champion by less than the margin.

So the gate's decision is held against the best former champion too, on the same test set. Its figures stand in the history,
beside the decisions they were part of; nothing is computed again.
"""

from pipelines.ops.registry import gate, history


def best(events: list[dict], comparison: dict) -> dict[str, dict]:
    """Metric -> `{"version", "value", "difference"}`: the best value that a champion had on this very test set (its hash), the
    present one included, and how far the challenger is from it, as a point estimate.

    Counted since a person last decided (without the gate, or by a rollback): what was accepted there is where one begins anew.
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
    """What `gate.decide` says; and where that is to promote, no: if a metric is below the best former champion's by more than its
    margin. Writes `best` into the comparison."""
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
            f"not worse than version {comparison['champion']}, and worse than a former champion on the same test set: "
            f"{'; '.join(fallen)}. Where each gives way a little, the margin is given away many times; if that is accepted, "
            f"decide yourself: conservatory models promote NAME {comparison['challenger']} --no-gate --reason '...'"
        )
    return passed, why


def _sign(figures: dict) -> int:
    return 1 if figures.get("higher_is_better", True) else -1


def _begin(events: list[dict]) -> int:
    """Where in the history the last decision stands that was a person's."""
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
