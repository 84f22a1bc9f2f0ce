"""The music and the machine learning: pure functions, models, and one thin command a stage.

Nothing here imports dagster; Dagster's view is in `assets/`. docs/architecture.md lists the packages and the allowed direction of
imports between them.
"""
