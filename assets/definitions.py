"""What `dagster dev`, `dagster-webserver` and `dg dev` load: the definitions of the project this file is in."""

from pathlib import Path

from assets.build import build

defs = build(Path(__file__).parents[1])
