"""The sections of a dataset's page: each module of this folder is one, and there is no list of them.

A section's module has `TITLE` (its heading and its line in the contents), `ORDER` (a number, its place on the page) and
`render(context) -> Markup | None`; None: there is nothing to show. Its template is beside it: `context.fill(TEMPLATE, ...)`.
A family of tasks has the same three names in pipelines/tasks/<family>/section.
"""

import importlib
import pkgutil
from collections.abc import Iterable
from types import ModuleType

from pipelines.report.context import Context


def found() -> list[ModuleType]:
    """The modules of this folder in the order of the page."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted((importlib.import_module(f"{__name__}.{name}") for name in names), key=lambda one: one.ORDER)


def render(modules: Iterable[ModuleType], context: Context) -> list[dict]:
    """`{"id", "title", "html"}` of each section that has something to show. id: the module's own name."""
    drawn = [(module, module.render(context)) for module in modules]
    return [
        {"id": module.__name__.rpartition(".")[2], "title": module.TITLE, "html": html}
        for module, html in drawn
        if html is not None
    ]
