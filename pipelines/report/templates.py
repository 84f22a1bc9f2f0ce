"""Fill templates: untrusted text is escaped, private paths are shortened, and the same values give the same bytes."""

import re
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from pipelines.metrics.intervals import WITHHELD
from pipelines.report import charts, headline, metric_names, provenance

HERE = Path(__file__).parent
THIN = 5
"""Clips; a class with fewer is flagged."""


def filler(hide: Callable) -> Callable[..., Markup]:
    """`fill(template, **values) -> HTML`. template: a file, relative to this folder or absolute, or the text of a template that
    begins with `<`. hide: as `private.hider` gives it.

    A value that the template does not find is an error.
    """
    environment = Environment(
        loader=FunctionLoader(_source), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    # embeddings stay in the recipe's order
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    environment.filters.update(
        words=headline.words,
        metric=metric_names.title,
        metric_name=metric_names.name,
        yaml=provenance.plain_yaml,
        soft=soft,
    )
    environment.globals.update(percent=charts.percent, withheld=WITHHELD, thin=THIN)

    def fill(template: str | Path, **values) -> Markup:
        text = str(template)
        found = environment.from_string(text) if text.startswith("<") else environment.get_template(text)
        return Markup(found.render(hide(values)))

    return fill


def _source(name: str) -> tuple[str, str, Callable]:
    path = HERE / name
    return path.read_text(encoding="utf-8"), str(path), lambda: True


def soft(name: str) -> Markup:
    """A name or a path, in which a line may break after an underscore or a slash, before a dot, and nowhere else."""
    return Markup(re.sub(r"[_/@-]|(?=\.)", r"\g<0><wbr>", str(escape(name))))
