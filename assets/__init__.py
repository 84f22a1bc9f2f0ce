"""The Dagster face of Conservatory: when, why and the view.

Thin glue over the recipe. What an asset is, needs and makes stands in dvc.yaml; what it found stands in the record its
stage leaves. Nothing here computes: no sound, training or metric code, and no import of it. Of `pipelines` only
`recipe`, `recover` and `status.stages` are used, which read, mend and compare what DVC wrote, `params`, `runs` (progress, the
run's log) and `alerts`.
"""
