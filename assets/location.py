"""Which entries of Dagster's history belong to this project: several projects may share a DAGSTER_HOME."""

NAME = "conservatory"  # of the code location, in workspace.yaml and deploy/


def is_ours(origin) -> bool:
    """Is this the origin of a run, schedule or sensor of this code location? A run started by a command has none: true."""
    return origin is None or origin.location_name == NAME
