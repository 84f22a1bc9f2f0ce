"""Compute representations of whole datasets: tasks for workers, shards, and what a GPU computes in batches.

Not here: what a representation is; each is a file of `pipelines/features/`.
"""
