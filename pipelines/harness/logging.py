"""Logging of stages: log lines on standard error, and one sentence in place of a traceback when the disk is full."""

import errno
import logging
import shutil
import sys
from pathlib import Path


def start(stage: str) -> logging.Logger:
    """A stage's logger, writing lines to standard error; a full disk ends the stage with a sentence, not a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    sys.excepthook = _explain
    return logging.getLogger(stage)


def _explain(kind: type[BaseException], error: BaseException, traceback) -> None:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = Path(error.filename or ".").absolute()
        place = next(folder for folder in (place, *place.parents) if folder.is_dir())
        free = shutil.disk_usage(place).free / 1e9
        print(
            f"The disk is full ({free:.2f} GB free in {place}): {error}. Finished outputs are kept, and incomplete ones are "
            "not used: free space (conservatory cache --prune, conservatory prune) and run again.",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, traceback)
