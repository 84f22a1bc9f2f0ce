"""Dagster's view of the pipeline: assets, checks, jobs, schedules and sensors, derived from dvc.yaml.

dvc.yaml defines what an asset is, what it needs and what it makes; the record of a stage has its figures and checks. Nothing here
computes: no signal processing, training or metrics, and no import of them. Of `pipelines`, only `recipe`, `ops`, `core.params`
and, to draw plots, `report.drawing` are imported."""
