"""`conservatory status`: the state of a project, without running anything."""
