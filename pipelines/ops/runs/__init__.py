"""What a run says while it goes and leaves when it has ended, whoever began it (`conservatory run`, Dagster, a retraining):
its log, its progress, and a record of what became of each stage.

Standard library only: `assets/` uses it too. Not here: what the present state is (`pipelines/ops/status`), and whom to tell
(`pipelines/ops/alerts`).
"""
