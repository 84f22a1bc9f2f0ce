"""Check the options of a retraining, `--set` and `--stage`, before anything is fetched or trained."""

from collections.abc import Iterable
from pathlib import Path

import yaml

from pipelines.core import params
from pipelines.ops.patches import resolver
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import load_params

INSTEAD = {int: (None, "auto", "learnt"), float: (None, "auto", "learnt"), list: (None, "all"), dict: (None,)}
"""Words allowed in place of a number, a list or a table: none, as many as there are, estimated from the data, everything."""


def set_parameter(path: Path, change: str) -> None:
    """Write one "key.of.table=value" (YAML) into a params.yaml, and keep its comments. `RegistryError` if there is no such key,
    or its value has another type."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    key, equals, text = change.partition("=")
    *tables, last = key.split(".")
    with params.editing(path) as document:
        table = document
        for part in tables:
            table = table.get(part) if isinstance(table, dict) else None
        if not equals or not isinstance(table, dict) or last not in table:
            raise RegistryError(f"--set {change}: params.yaml has no {key!r}; the form is training.seed=7")
        try:
            value = YAML(typ="safe", pure=True).load(text)  # 1.2, as DVC: 1e-3 is a number
        except YAMLError as error:
            raise RegistryError(f"--set {change}: {text!r} is not YAML") from error
        if not text.strip():
            raise RegistryError(f"--set {change}: the value is missing; null is a value")
        if wanted := _wanted(table[last], value):
            raise RegistryError(
                f"--set {change}: {key} must be {wanted}, as in params.yaml; {text.strip()!r:.60} is not"
            )
        table[last] = value


def check(path: Path, stages: Iterable[str]) -> None:
    """Raise `RegistryError` if the tree in `path`, with its changed parameters, or one of these stages cannot be run."""
    from dvc.exceptions import DvcException

    try:
        load_params(path / params.PARAMS)
        known = resolver.stages(path)
    except SystemExit as error:
        raise RegistryError(str(error)) from error
    except (DvcException, yaml.YAMLError) as error:
        raise RegistryError(f"DVC cannot read the recipe of the retraining: {' '.join(str(error).split())}") from error
    groups = {name.partition("@")[0]: None for name in known}
    for stage in stages:
        if stage not in known and stage not in groups:
            of_group = [name for name in known if name.partition("@")[0] == stage.partition("@")[0]]
            raise RegistryError(f"There is no stage {stage!r}; known stages: {', '.join(of_group or groups)}")


def _wanted(old: object, new: object) -> str:
    """The type that `new` must have to replace `old`, if it has another; "" if it fits. Text and null may be replaced by
    anything."""
    if isinstance(old, bool):
        return "" if isinstance(new, bool) else "true or false"
    for kind, name in ((int, "a number"), (float, "a number"), (list, "a list"), (dict, "a table")):
        if isinstance(old, kind):
            same = (
                isinstance(new, int | float) and not isinstance(new, bool)
                if kind in (int, float)
                else isinstance(new, kind)
            )
            return "" if same or new in INSTEAD[kind] else name
    return ""
