"""Read facts from the project's source files without importing them: imports take seconds, and params.yaml is checked before
every stage."""

import ast
from pathlib import Path
from typing import Any, NoReturn

from pipelines.ops.settings.kinds import nearest

PROJECT = Path(__file__).parents[3]


def parameters(path: str, function: str) -> tuple[list[str], list[str]] | None:
    """(parameters that params.yaml may set, those of them without a default) of a file's function. The first two are not among
    them: they are the sound, or the features. None where the function is not there, or takes any."""
    for node in ast.parse((PROJECT / path).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == function and not node.args.kwarg:
            by_place = [argument.arg for argument in node.args.args]
            by_name = [argument.arg for argument in node.args.kwonlyargs]
            bare = by_place[: len(by_place) - len(node.args.defaults)]
            bare += [name for name, value in zip(by_name, node.args.kw_defaults, strict=True) if value is None]
            known = (by_place + by_name)[2:]
            return known, [name for name in known if name in bare]
    return None


def constant(path: str, name: str) -> Any:
    """A constant of a file that is written out on a line of its own; None where there is none."""
    for node in ast.parse((PROJECT / path).read_bytes()).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == [name]:
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def with_name(folder: str, name: str) -> list[str]:
    """The modules of a folder that have this name: a function, or what they import or assign under it."""
    return [path.stem for path in sorted((PROJECT / folder).glob("[!_]*.py")) if name in _names(path)]


def _names(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return found


def no_file(where: str, folder: str, name: str) -> NoReturn:
    """Raise `SystemExit`: `where` in params.yaml means a file that is not there."""
    known = [path.stem for path in sorted((PROJECT / folder).glob("[!_]*.py"))]
    near = nearest(name, known)
    raise SystemExit(
        f"{where} in params.yaml: there is no {folder}/{name}.py"
        + (f"; do you mean {near}?" if near else f"; there is {', '.join(known)}")
    )
