"""All code that depends on internals of DVC: one file for each internal, with its reason and the DVC version it was written for.

Internals are what DVC may change in any release: functions that are replaced, classes outside its documented API, the layout of
its own files, the wording of its output. Other modules use `dvc.repo.Repo` and DVC's exceptions directly, and nothing else of it
(`tests/test_private_parts.py`). `assets/patches/` is the same for Dagster.

The docstring of each file has four parts: what it patches or uses, why, the version it was written for, and what happens without
it. `versions.py` compares that version with the installed one. The tests in `tests/ops/patches/` fail if DVC changes the
internal.
"""
