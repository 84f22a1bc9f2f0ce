"""The lock: what is audited and listed in the SBOM is all that is installed."""

import json
import re
import subprocess
import sys
import tomllib

import needs
import pytest
from helpers import PROJECT

PINNED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def lock() -> dict[str, str]:
    lines = (PROJECT / "constraints.txt").read_text().splitlines()
    found = [PINNED.fullmatch(line) for line in lines if line and not line.startswith("#")]
    assert all(found), "every line pins one version"
    return {plain(match[1]): match[2] for match in found}


def test_every_dependency_is_pinned(lock):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    assert not {plain(re.match(r"[\w.-]+", text)[0]) for text in asked} - set(lock)


def test_the_sbom_lists_the_lock(lock, tmp_path):
    needs.package("cyclonedx_py", "audit")
    command = (PROJECT / "Makefile").read_text().split("$(BIN)/cyclonedx-py ")[1].split("\n\t@")[0]
    arguments = command.replace("\\\n", " ").replace("sbom.json", str(tmp_path / "sbom.json")).split()
    subprocess.run([sys.executable, "-m", "cyclonedx_py", *arguments], cwd=PROJECT, check=True, capture_output=True)
    found = json.loads((tmp_path / "sbom.json").read_text())
    assert found["bomFormat"] == "CycloneDX" and found["metadata"]["component"]["name"] == "conservatory"
    assert {plain(part["name"]): part["version"] for part in found["components"]} == lock
