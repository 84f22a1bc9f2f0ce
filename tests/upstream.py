"""Whether code of DVC or Dagster is as it was when a patch was written for it."""

import ast
import hashlib
import inspect
import pkgutil
import textwrap


def digest(name: str) -> str:
    """12 hex digits of the source of a function or class ("dvc.stage.Stage.changed"), but for comments, docstrings and layout."""
    around, _, own = name.rpartition(".")
    written = ast.parse(textwrap.dedent(inspect.getsource(pkgutil.resolve_name(around))))
    body = written.body[0].body if isinstance(pkgutil.resolve_name(around), type) else written.body
    # by the text of its class or module: a test before this one may have put a patch in the place of the function itself
    tree = ast.Module([node for node in body if getattr(node, "name", "") == own][-1:], [])
    if not tree.body:  # it is defined elsewhere
        found = pkgutil.resolve_name(name)
        found = inspect.unwrap(found.func if hasattr(found, "func") else getattr(found, "fget", None) or found)
        tree = ast.parse(textwrap.dedent(inspect.getsource(found)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:12]
