"""Check the text of a dvc.lock with DVC's own schema.

Uses: `dvc.schema.COMPILED_LOCKFILE_SCHEMA`.

Why: a dvc.lock that DVC refuses stops every DVC command. `conservatory run` finds such a file before DVC does, and moves it
aside.

Written for: dvc 3.67.1

Without it: a dvc.lock that is valid YAML but misses a field is found only by DVC, which ends with a message about its schema.
"""

from functools import lru_cache

import yaml

from pipelines.ops.patches.versions import fits

VERSION = "3.67.1"


@lru_cache(maxsize=1 << 14)
def validate(text: str) -> None:
    """Raise `yaml.YAMLError` or `voluptuous.Invalid` if DVC would refuse the text of a dvc.lock."""
    from dvc.schema import (
        COMPILED_LOCKFILE_SCHEMA,  # half a second to import, which `conservatory --help` does not need
    )

    fits("dvc", VERSION, "a dvc.lock may be taken for damaged that is not")
    COMPILED_LOCKFILE_SCHEMA(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
