"""Internals of DVC and Dagster are used in `pipelines/ops/patches/` and `assets/patches/` only, and each file says why."""

import ast
import importlib.metadata
import re
import warnings

import pytest
from helpers import PROJECT

from pipelines.ops.patches import versions

FOLDERS = {PROJECT / "pipelines/ops/patches": "dvc", PROJECT / "assets/patches": "dagster"}
PATCHES = [
    path for folder in FOLDERS for path in sorted(folder.glob("*.py")) if path.stem not in ("__init__", "versions")
]
CODE = sorted(path for folder in ("pipelines", "assets") for path in (PROJECT / folder).rglob("*.py"))
ALLOWED = re.compile(
    r"dagster|dagster as dg|dvc\.repo\.Repo|dvc\.cli\.main|dvc\.exceptions\.DvcException|dvc\.fs\.RemoteMissingDepsError"
    r"|dvc\.config\.\w+Error"
)
"""What other modules may import: the documented package, the class of a repository, the command, and exceptions."""
THEIRS = re.compile(r"(dagster|dvc|dvc_\w+|dagster_\w+|scmrepo)(\.|$)")
REACHES = re.compile(r"\.event_log_storage|repo\.(cache|state|cloud|index|scm)\b|\.fs\.fs\b|_instance\._|\.oid_to_path")
"""Attributes behind which an internal lies, though nothing internal is imported."""
LABELS = re.compile(
    r"(?:Patches|Uses|Works around): .+\n\nWhy: .+\n\nWritten for: ([^\n]+)\n\nWithout it: .+", re.DOTALL
)
PINS = dict(
    line.split("==") for line in (PROJECT / "constraints.txt").read_text().splitlines() if re.match(r"[\w.-]+==", line)
)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(PROJECT)))
def test_internals_are_used_by_patches_only(path):
    if path.parent in FOLDERS:
        return
    names = [name for name in imported(path) if THEIRS.match(name) and not ALLOWED.fullmatch(name)]
    reached = [found[0] for found in REACHES.finditer(path.read_text())]
    assert names + reached == [], f"move what needs them into {' or '.join(f.name for f in FOLDERS)}"


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_each_patch_says_why_and_for_which_version(path):
    tree = ast.parse(path.read_text())
    found = LABELS.search(ast.get_docstring(tree))
    assert found, "its docstring lacks one of its four parts, or has them in another order"
    written_for = dict(each.split() for each in found[1].partition(". ")[0].split(", "))
    assert {name: PINS[name] for name in written_for} == written_for, "constraints.txt has another: review the patch"
    constants = [
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "VERSION"
    ]
    assert set(constants) <= set(written_for.values())
    assert constants or "no version is checked at run time" in found[1]


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_each_patch_has_a_test_of_what_it_relies_on(path):
    tests = (
        "tests/ops/patches/test_dvc_internals.py"
        if "ops" in path.parts
        else "tests/assets/patches/test_dagster_internals.py"
    )
    assert re.search(rf"\b{path.stem}\b", (PROJECT / tests).read_text())


@pytest.fixture
def installed(monkeypatch):
    """Let another version of DVC be installed."""

    def other(number):
        monkeypatch.setattr(importlib.metadata, "version", lambda package: number)

    caches = (versions.fits, versions._installed, versions._warn)
    for cached in caches:
        cached.cache_clear()
    yield other
    for cached in caches:
        cached.cache_clear()


def test_the_installed_version_is_the_one_that_is_pinned():
    for package in ("dvc", "dvc-data", "dagster", "dagster-webserver"):
        assert importlib.metadata.version(package) == PINS[package]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert versions.fits("dvc", PINS["dvc"], "nothing works")


def test_another_patch_release_is_used_with_one_warning(installed):
    installed("3.67.9")
    with pytest.warns(versions.PatchWarning, match="tested with 3.67.1.*pip install -c constraints.txt") as found:
        assert versions.fits("dvc", "3.67.1", "one thing fails") and versions.fits("dvc", "3.67.1", "another fails")
    assert len(found) == 1


@pytest.mark.parametrize("number", ["3.68.0", "4.0.0", "3.6.71"])
def test_another_minor_version_is_not_patched_and_the_effect_is_named(installed, number):
    installed(number)
    with pytest.warns(versions.PatchWarning, match=f"dvc {number} is installed, not 3.67.1, so one thing fails"):
        assert not versions.fits("dvc", "3.67.1", "one thing fails")
