"""Write and read the record of a stage: figures, checks, table schema, plots, and hashes of its code."""

import ast
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.core import files, paths, tables

PROJECT = Path(__file__).parents[2]


def record_path(stage: str, key: str = "") -> Path:
    return paths.record(stage, key or "all")


def write_record(
    stage: str,
    key: str = "",
    *,
    figures: dict[str, Any] | None = None,
    table: str | Path | None = None,
    checks: dict[str, tuple[bool | None, str]] | None = None,
    plots: dict[str, dict] | None = None,
    note: str = "",
    code: dict[str, str] | None = None,
) -> None:
    """Write `data/records/<stage>/<key>.json`.

    figures: name -> number or string, what a person wants to know of this run.
    table: a Parquet output whose rows and columns are described.
    checks: name -> (passed, sentence): what the stage found true of its outputs; None: it cannot be known.
    plots: name -> what to draw, as numbers (`pipelines/report/drawing.py`).
    note: Markdown, for a small table.
    code: as `loaded_code` gives it; needed where what is loaded depends on what was cached.
    """
    value = {
        "stage": stage,
        "key": key,
        "figures": figures or {},
        "table": tables.describe(table) if table else None,
        "checks": {
            name: {"passed": None if passed is None else bool(passed), "detail": detail}
            for name, (passed, detail) in (checks or {}).items()
        },
        "plots": plots or {},
        "note": note,
        "code": loaded_code() if code is None else code,
    }
    files.write_json(record_path(stage, key), value)


def loaded_code(and_also: Iterable[Path] = ()) -> dict[str, str]:
    """Path -> hash of every file of `pipelines/` this process has loaded, `and_also` others: the code behind the outputs.

    A package's `__init__.py` that is a docstring alone does not count.
    """
    loaded = {
        Path(module.__file__)
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "pipelines" and getattr(module, "__file__", None)
    }
    loaded.update(and_also)
    main = getattr(sys.modules["__main__"], "__file__", None)
    if main and (PROJECT / "pipelines") in Path(main).resolve().parents:
        loaded.add(Path(main).resolve())
    texts = {path: path.read_bytes() for path in sorted(loaded)}
    return {
        path.relative_to(PROJECT).as_posix(): hashlib.sha256(text).hexdigest()[:12]
        for path, text in texts.items()
        if path.name != "__init__.py" or len(ast.parse(text).body) > 1
    }
