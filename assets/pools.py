"""Pools: which runs may go on at the same time.

One person's machine has one, "dvc", and one place in it. A team's has also those that CONSERVATORY_POOLS names, with as many
places as it says (`gpu=1 heavy=2`). A stage is in the pool that its `meta: {pool: ...}` in dvc.yaml names, if the deployment
has it, and else in "dvc".
"""

import os
from collections.abc import Mapping

DEFAULT = "dvc"
"""What runs stages, runs alone: dagster.yaml gives this pool one place. Checks and sensors do not wait for it."""
VARIABLE = "CONSERVATORY_POOLS"


def of(meta: Mapping) -> str:
    """The pool of a stage with this `meta`."""
    return meta["pool"] if meta.get("pool") in limits() else DEFAULT


def limits() -> dict[str, int]:
    """Pool -> places, of the deployment. Raises `ValueError` for what is not of that form."""
    text = os.environ.get(VARIABLE, "")
    found = {name: places for name, _, places in (word.partition("=") for word in text.split())}
    if not all(name and places.isascii() and places.isdigit() and int(places) for name, places in found.items()):
        raise ValueError(f"{VARIABLE}={text!r}: give names and numbers above 0, like 'gpu=1 heavy=2'")
    return {name: int(places) for name, places in found.items()}
