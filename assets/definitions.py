"""The definitions of the project that contains this file; `dagster dev`, `dagster-webserver` and `dg dev` load them."""

from pathlib import Path

from assets.build import build

defs = build(Path(__file__).parents[1])
