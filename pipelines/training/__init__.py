"""Loops over data: crops from shards, fitting with Lightning, resuming, embedding. Networks live in `pipelines/models/`."""
