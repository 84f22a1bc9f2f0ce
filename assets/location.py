"""Whose something in Dagster's history is: DAGSTER_HOME may be that of other projects too."""

NAME = "conservatory"  # of the code location, in workspace.yaml and deploy/


def is_ours(origin) -> bool:
    """Is this the origin of a run, a schedule or a sensor of this code location? What a command began has none, and may be."""
    return origin is None or origin.location_name == NAME
