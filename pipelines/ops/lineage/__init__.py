"""Lineage: trace a figure to its sources, find what a clip was used for, compare two results, withdraw a clip.

Belongs here: whatever reads dvc.lock, git and DVC's cache to answer such questions, at any revision, without running a stage, and
shows or exports the answers. Not here: the lineage table in the report (`pipelines/report/lineage.py`, over the same
`recipe.Graph`), anything of Dagster, and anything that loads torch or librosa: an answer takes a second or two.
"""
