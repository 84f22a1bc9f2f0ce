"""Whether code of DVC or Dagster is as it was when a patch was written for it."""

import ast
import hashlib
import inspect
import pkgutil
import textwrap


def digest(name: str) -> str:
    """12 hex digits of the source of a function or class ("dvc.stage.Stage.changed"), but for comments, docstrings and layout."""
    found = pkgutil.resolve_name(name)
    found = inspect.unwrap(found.func if hasattr(found, "func") else getattr(found, "fget", None) or found)
    tree = ast.parse(textwrap.dedent(inspect.getsource(found)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]
