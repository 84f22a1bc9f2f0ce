"""Check `registry` in params.yaml before anything is trained: what the gate needs must be there."""

from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.settings import SECTIONS
from pipelines.ops.settings.kinds import missing, table

RULES = SECTIONS["registry"]
NEEDED = ("drift", "n_bootstrap", "seed")


def options(settings: dict) -> dict:
    """`registry` of a params.yaml's settings. `RegistryError` if it is missing, guards no metric, or is invalid."""
    found = settings.get("registry")
    if not found or (isinstance(found, dict) and not found.get("margins")):
        raise RegistryError(
            "params.yaml has no registry.margins: the gate needs the metrics to guard (docs/retraining.md)"
        )
    try:
        table("registry", found, RULES, NEEDED)
        table("registry.drift", found["drift"], RULES["drift"], RULES["drift"])
        if "probe" in found["margins"] and "probe" not in found:
            missing("registry.probe", RULES["probe"])
    except SystemExit as error:
        raise RegistryError(str(error)) from error
    return {"task_margins": {}} | found
