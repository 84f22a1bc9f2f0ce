"""A fall of less than the margin, again and again, is stopped by the best former champion on the same test set."""

import pytest
import small_models as small

from pipelines.ops.registry import gate, promotion, regression_guard, versions


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Three versions, each a little worse than the one before."""
    project = small.finished(tmp_path_factory.mktemp("slide") / "project")
    versions.register(project, "short")
    for old, new in (("2.0", "1.6"), ("1.6", "1.2")):
        small.edit(project, f"skill: {old}", f"skill: {new}")
        small.repro(project)
        versions.register(project, "short")
    return project


@pytest.mark.system
def test_a_slow_slide_is_refused(project):
    record = {number: versions.load(project, "short", number) for number in (1, 2, 3)}
    wide = {**small.options(), "margins": {"roc_auc": 0.5}}
    first, second, both = (
        gate.compare(project, record[a], record[b], wide)["metrics"]["roc_auc"] for a, b in ((1, 2), (2, 3), (1, 3))
    )
    margin = 1e-6 - min(first["difference_ci95"][0], second["difference_ci95"][0])  # either step alone just passes
    assert both["difference"] < -margin
    options = {**wide, "margins": {"roc_auc": margin}}
    promotion.promote(project, "short", 1, options)
    step = promotion.promote(project, "short", 2, options)
    assert step["event"] == "promoted" and step["comparison"]["best"]["roc_auc"]["version"] == 1
    refused = promotion.promote(project, "short", 3, options)
    assert refused["event"] == "refused" and refused["comparison"]["metrics"]["roc_auc"]["holds"]
    assert "worse than a former champion on the same test set: roc_auc" in refused["reason"]
    best = refused["comparison"]["best"]["roc_auc"]
    assert best["version"] == 1 and best["value"] == both["champion"]
    assert best["difference"] == pytest.approx(both["difference"])
    small.edit(project, "roc_auc: 0.05, pr_auc: 0.1, probe: 0.3", f"roc_auc: {margin}")
    said = small.conservatory(project, "models", "compare", "short", "2", "3").stdout
    assert "best former champion: version 1" in said and "would refuse version 3" in said


def decision(kind, version, champion, values, sha="a"):
    figures = {"champion": values[0], "challenger": values[1], "margin": 0.1, "holds": True}
    found = {"champion": champion, "challenger": version, "test_set": {"sha256": sha}, "metrics": {"roc_auc": figures}}
    return {"event": kind, "version": version, "comparison": found}


def test_the_best_is_a_champions_on_this_test_set_since_a_person_decided():
    began = {"event": "promoted", "version": 1}
    events = [
        began,
        decision("promoted", 2, 1, (0.7, 0.8)),
        decision("refused", 3, 2, (0.8, 0.99)),  # never champion
        decision("promoted", 4, 2, (0.95, 0.9), sha="another"),
    ]
    now = decision("refused", 5, 4, (0.72, 0.71))["comparison"]
    assert regression_guard.best(events, now)["roc_auc"] == {
        "version": 2,
        "value": 0.8,
        "difference": pytest.approx(-0.09),
    }
    for person in ({"event": "rolled_back", "version": 1}, {"event": "promoted", "version": 4}):
        assert regression_guard.best([*events, person], now)["roc_auc"]["version"] == 4
    assert regression_guard.best([], now)["roc_auc"]["version"] == 4
