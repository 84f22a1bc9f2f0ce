"""Compute representations of whole datasets: tasks for workers, shards, and batches on a GPU.

Each representation is defined by a file of `pipelines/features/`.
"""
