"""The log, the progress and the record of a run, whether `conservatory run`, Dagster or a retraining started it.

`assets/` uses it too. The present state of a project is in `pipelines/ops/status`, alerts are in `pipelines/ops/alerts`.
"""
