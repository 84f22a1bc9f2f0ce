"""Lineage: trace a figure to its sources, find what a clip was used for, compare two results, withdraw a clip.

The modules read dvc.lock, git and DVC's cache at any revision, run no stage, and print or export the answers. They import neither
torch nor librosa, so an answer takes a second or two. The lineage table of the report (`pipelines/report/lineage.py`) uses the
same `recipe.Graph`."""
