"""What a stage runs in and what shapes no result: workers, progress bars, log lines. No stage lists it as a dependency, so that a
change here makes nothing stale.

Not here: anything that a byte of an output depends on (`pipelines/core`).
"""
