"""Read the registry's JSON files, and refuse damaged ones (by a merge, an editor or a disk) with a way to repair them."""

from pathlib import Path
from typing import Any

from voluptuous import Invalid, Match, Schema

from pipelines.core.files import read_json
from pipelines.ops.registry.errors import RegistryError

COMMIT = Match(r"[0-9a-f]{40}([0-9a-f]{24})?\Z", "should be a commit's 40 hex digits")


def read(path: Path, schema: Schema, way_out: str) -> Any:
    """The content of the file. `RegistryError` names the file, the error and `way_out`."""
    try:
        return schema(read_json(path))
    except OSError as error:
        raise RegistryError(f"{path} cannot be read ({error.strerror or error}): {way_out}") from error
    except (ValueError, Invalid) as error:
        raise RegistryError(f"{path} is invalid ({error}): {way_out}") from error
