"""The version of a piece of code: a hash of its source, of what it imports from this project, and of the libraries it uses.

An entry cached under a version is found only while all of these are unchanged.
"""

import ast
import hashlib
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROJECT = Path(__file__).parents[2]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "yaml": "pyyaml", "umap": "umap-learn"}  # imported under another name
SETUP = ("pipelines.core", "pipelines.harness")
"""Packages that store results and do not change them."""
SHAPING = {"pipelines.core.pcm"}
"""Exceptions: they do change results."""


@cache
def code_version(module: str) -> str:
    """12 hex digits for a module of this project ("pipelines.features.log_mel").

    Covers the sources it reaches by imports within `pipelines`, at module level or inside functions (`SETUP` left out), and the
    versions of the other packages those sources name.
    """
    sources, packages = reached(module)
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name].read_bytes() + b"\0")
    for name in sorted(packages):
        digest.update(f"{name}={_version(name)}\0".encode())
    return digest.hexdigest()[:12]


def reached(module: str) -> tuple[dict[str, Path], set[str]]:
    """(module -> file of the project's modules that `module` reaches, names of the other packages they import)."""
    sources: dict[str, Path] = {}
    packages: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in sources or (name.startswith(SETUP) and name not in SHAPING):
            continue
        file = _file(name)
        if file is None:
            continue
        sources[name] = file
        for found in _imports(file):
            if found.split(".")[0] == "pipelines":
                waiting.append(found)
            else:
                packages.add(found.split(".")[0])
    return sources, packages


def _imports(file: Path) -> set[str]:
    """The modules a file names. Of `from package import module` the module alone: packages here say what is in them."""
    found = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in within if name.startswith("pipelines.") and _file(name)}
            found |= modules | ({node.module} if modules != within else set())
    return found


def _file(name: str) -> Path | None:
    path = PROJECT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _version(package: str) -> str:
    """The installed version of what is imported as `package`; "" for the standard library and for what is not installed."""
    if package in sys.stdlib_module_names:
        return ""
    try:
        return version(DISTRIBUTIONS.get(package, package))
    except PackageNotFoundError:
        return ""
