"""The commands of dvc.yaml, one file per stage: read inputs, call the packages that compute, write outputs and a record.

A stage's command is `python -m pipelines.stages.<stage> [KEY ...]`, run in the project's folder. Nothing is computed here.
Each run leaves a record, `data/records/<stage>/<key>.json`, which is an output like any other: the same whether
the stage ran or DVC fetched it from its cache. Dagster's metadata and checks, and the report's lineage, come from records.
"""
