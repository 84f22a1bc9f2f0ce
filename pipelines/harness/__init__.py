"""Workers, progress bars, log lines and the command line of stages.

None of it affects results, so no stage lists it as a dependency, and a change here makes nothing stale. Code that an output
depends on is in `pipelines/core`.
"""
