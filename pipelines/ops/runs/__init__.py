"""The log, the progress and the record of a run, whether `conservatory run`, Dagster or a retraining started it.

Standard library only: `assets/` uses it too. Not here: what the present state is (`pipelines/ops/status`), and whom to tell
(`pipelines/ops/alerts`).
"""
