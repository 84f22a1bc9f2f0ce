"""Read params.yaml, and change it without losing its comments.

DVC writes the names in it into the commands of stages, which a shell runs. So `read` refuses a name that a shell could take for
anything but a word. In dvc.yaml each such command follows `python -m pipelines.ops.settings`, which checks every value of the
file, so that a plain `dvc repro` stops there too.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipelines.core.files import atomic

PARAMS = Path("params.yaml")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
NAMED = (
    "datasets",
    "corpora",
    "features",
    "symbols",
    "taggers",
    "baselines",
    "encoders",
    "views",
    "combined",
    "tasks",
    "runs",
    "cross_tests",
)
CODE = re.compile(r"pipelines(/[A-Za-z_][A-Za-z0-9_]*)+(\.py)?")  # what `imports` may be
MAX_VALUES = 100_000  # after `*aliases` are written out: nine lines can expand to a billion values


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a table names each key once; PyYAML lets the last one win, and DVC refuses with a traceback."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                continue  # no name of anything here
            if key.value in lines:
                raise SystemExit(
                    f"{PARAMS} names {key.value!r} twice, in lines {lines[key.value]} and {line}: keep one"
                )
            lines[key.value] = line
        return super().construct_mapping(node, deep)


def is_name(value: Any) -> bool:
    """Whether something can be called `value`: a-z, 0-9 and _, beginning with a letter, and no word of YAML's own."""
    return isinstance(value, str) and bool(NAME.fullmatch(value)) and isinstance(yaml.safe_load(value), str)


def read(path: Path = PARAMS) -> dict[str, Any]:
    """All parameters, for stages, before which `ops.settings` has checked them. Raises `FileNotFoundError` outside a project
    folder, `SystemExit` with a sentence for a file that cannot be one of parameters, or a name that could be more than a word
    to a shell."""
    if not path.exists():
        raise FileNotFoundError(f"{PARAMS} does not exist: run this in the project's folder (now in {Path.cwd()})")
    try:
        settings = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, no date, too long a number
        raise SystemExit(f"{PARAMS} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(settings, dict):
        raise SystemExit(f"{PARAMS} contains no table of parameters: restore it with git checkout {PARAMS}")
    if _n_values(settings, {}) > MAX_VALUES:
        raise SystemExit(f"{PARAMS} expands to more than {MAX_VALUES:,} values: remove its *aliases")
    _check_names(settings)
    return settings


def _n_values(value: Any, known: dict[int, float]) -> float:
    """Values in `value`, those behind aliases as often as they are named; endless where one stands for what it is in."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = float("inf")  # until it is counted: whoever meets it now is inside it
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_n_values(one, known) for one in inside)
    return known[id(value)]


def _check_names(settings: dict) -> None:
    """Sections are tables of tables, and their keys names; so is what names code, features and recipes in their entries."""
    for section in ("training", "recipes", *NAMED):
        found = settings.get(section)
        if found is not None and not isinstance(found, dict):
            raise SystemExit(f"{section} in {PARAMS} is {found!r:.60}, and must be a table, {{}} for an empty one")
        for name, entry in (found or {}).items() if section in NAMED else ():
            if not is_name(name):
                raise SystemExit(
                    f"{section} in {PARAMS} has {name!r:.60}, which cannot be a name: use a-z, 0-9 and _, beginning with a "
                    "letter, at most 40 of them; yes, no, on, off, true, false and null mean something else. Nothing was run."
                )
            if not isinstance(entry, dict):
                raise SystemExit(
                    f"{section}.{name} in {PARAMS} is {entry!r:.60}, and must be a table, {{}} for an empty one"
                )
            for key in ("module", "network"):
                if key in entry and not is_name(entry[key]):
                    raise SystemExit(f"{section}.{name}.{key} in {PARAMS} is {entry[key]!r:.60}: there is no such file")
            for key in ("reads", "recipe") if section == "taggers" else ():
                if key in entry and not is_name(entry[key]):
                    raise SystemExit(
                        f"{section}.{name}.{key} in {PARAMS} is {entry[key]!r:.60}, which cannot be a name"
                    )
            if "imports" in entry and not (isinstance(entry["imports"], str) and CODE.fullmatch(entry["imports"])):
                raise SystemExit(
                    f"{section}.{name}.imports in {PARAMS} is {entry['imports']!r:.60}, and must be a file or folder below "
                    "pipelines/"
                )


@contextmanager
def editing(path: Path = PARAMS) -> Iterator[Any]:
    """The document of a params.yaml, to be changed in place; it is then written, comments and all, in one rename. Nothing is
    written where the body raises."""
    from ruamel.yaml import YAML  # only here: reading, which every stage does, needs the faster library

    editor = YAML()
    editor.preserve_quotes, editor.width = True, 4096
    editor.indent(mapping=2, sequence=4, offset=2)
    document = editor.load(path.read_text(encoding="utf-8"))
    yield document
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        editor.dump(document, file)


def set_dataset(name: str, entry: dict[str, Any] | None, section: str = "datasets") -> None:
    """Write `<section>.<name>`, or with None remove it; the rest of the file, comments too, stays as it is."""
    if entry is None and (text := _without(PARAMS.read_text(encoding="utf-8"), section, name)):
        with atomic(PARAMS) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return
    with editing() as document:
        if entry is None:
            del document[section][name]
        elif name in document[section]:
            document[section][name].update(entry)
        else:
            # first, because a comment before the next section hangs on the last entry
            document[section].insert(0, name, entry)


def _without(text: str, section: str, name: str) -> str:
    """The text of a params.yaml without the lines of an entry; "" where the entry has no lines of its own.

    ruamel stores a comment with the entry before it, and would remove both.
    """
    lines, wanted = text.splitlines(keepends=True), yaml.safe_load(text)
    del wanted[section][name]
    heads = [n for n, line in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", line)]
    starts = [n for n, line in enumerate(lines) if heads and n > heads[0] and re.match(rf" +{name}:", line)]
    if not starts:
        return ""
    start = starts[0]
    depth = _depth(lines[start])
    end = start + 1
    for n in range(start + 1, len(lines)):
        if lines[n].strip() and _depth(lines[n]) > depth:
            end = n + 1
        elif lines[n].strip() and not lines[n].lstrip().startswith("#"):
            break
    del lines[start:end]
    if not wanted[section]:
        lines[heads[0]] = f"{section}: {{}}\n"
    found = "".join(lines)
    return found if yaml.safe_load(found) == wanted else ""


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def trained_names(settings: dict) -> list[str]:
    """The taggers that this project trains."""
    return [name for name, entry in settings["taggers"].items() if "weights" not in entry]


def model_names(settings: dict) -> list[str]:
    """The models that this project trains: taggers, then runs."""
    return trained_names(settings) + list(settings.get("runs") or {})


def tagger_names(settings: dict) -> list[str]:
    """Every tagger of the recipe: those trained here, then those with published weights."""
    trained = trained_names(settings)
    return trained + [name for name in settings["taggers"] if name not in trained]


def embedding_names(settings: dict) -> list[str]:
    """Every embedding that is computed for any sound: taggers first, then baselines. `embeddings.names` has encoders too."""
    return tagger_names(settings) + list(settings["baselines"])
