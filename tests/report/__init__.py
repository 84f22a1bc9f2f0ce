"""A package, so that its conftest is `report.conftest` and does not stand in the way of `from helpers import ...`."""
