"""Silence libmpg123, with which libsndfile reads MP3.

It writes remarks to standard error ("Note: Illegal Audio-MPEG-Header 0x00000000 at offset 12060.") that name no file, and
libsndfile cannot switch them off. `probe` and `decode` find the defects that matter.
"""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

REMARK = re.compile(rb"(Note|Warning|WARNING): |\[src/libmpg123/|\s*$")
"""How its lines begin."""
TURN = threading.Lock()


@contextlib.contextmanager
def without_remarks() -> Iterator[None]:
    """Keep libmpg123's lines off standard error in this block, which calls libsndfile and neither yields nor starts a process.

    Descriptor 2 is the whole process's: what others write meanwhile (tqdm's thread redraws its bar) comes out at the end of the
    block. Of several threads in such blocks one keeps lines off, and none waits.
    """
    with contextlib.ExitStack() as stack:
        # where Python began without standard error, descriptor 2 may be the sound file
        if sys.__stderr__ is not None and TURN.acquire(blocking=False):
            stack.callback(TURN.release)
            with contextlib.suppress(OSError):  # no place for a file: then remarks come through
                stderr = os.dup(2)
                stack.callback(os.close, stderr)
                caught = stack.enter_context(tempfile.TemporaryFile())
                stack.callback(_let_out, caught, stderr)
                os.dup2(caught.fileno(), 2)
                stack.callback(os.dup2, stderr, 2)
        yield


def _let_out(caught, stderr: int) -> None:
    """Write to descriptor `stderr` what is caught and no remark."""
    caught.seek(0)
    with contextlib.suppress(OSError):
        os.write(stderr, b"".join(line for line in caught.read().splitlines(keepends=True) if not REMARK.match(line)))
