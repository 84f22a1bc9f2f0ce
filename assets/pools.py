"""Pools: which steps may run at the same time.

On one person's machine there is one pool, "dvc", with one slot. A team's deployment has also the pools of CONSERVATORY_POOLS,
with the slots it gives (`gpu=1 heavy=2`). A stage is in the pool that `meta: {pool: ...}` in dvc.yaml names, if the deployment
has it, and else in "dvc"."""

import os
from collections.abc import Mapping

DEFAULT = "dvc"
"""The default pool, with one slot (dagster.yaml): one run of stages at a time. Checks and sensors do not wait for it."""
VARIABLE = "CONSERVATORY_POOLS"


def of(meta: Mapping) -> str:
    """The pool of a stage with this `meta`."""
    return meta["pool"] if meta.get("pool") in limits() else DEFAULT


def limits() -> dict[str, int]:
    """Pool -> slots, of the deployment. Raises `ValueError` for another form."""
    text = os.environ.get(VARIABLE, "")
    found = {name: places for name, _, places in (word.partition("=") for word in text.split())}
    if not all(name and places.isascii() and places.isdigit() and int(places) for name, places in found.items()):
        raise ValueError(f"{VARIABLE}={text!r}: expected names and positive numbers, like 'gpu=1 heavy=2'")
    return {name: int(places) for name, places in found.items()}
