"""All code that depends on internals of Dagster: one file for each internal, with its reason and the version it was written for.

Internals are modules, methods and tables that Dagster does not document: `dagster._core`, the storage of events, the classes of
its webserver, tags of its own. Other modules of `assets/` use `import dagster as dg` alone (`tests/test_private_parts.py`).
`pipelines/ops/patches/` is the same for DVC; the form of a file and the check of its version are described there.
"""
