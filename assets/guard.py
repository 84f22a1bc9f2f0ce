"""Run a command that must not outlive whoever asked for it: `python guard.py COMMAND...`, in a session of its own.

When standard input ends, because the asker closed it or is gone (a crash, a terminal closed, `kill -9`), the command and
all it started are ended: by Ctrl-C first, which lets DVC release its locks. The guard ends after the last of them. Standard
library only, and no import of the rest, so that it can be run by its path from any folder.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 10.0  # seconds between one signal and a harder one


def watch(group: int, asked: threading.Event) -> None:
    """Wait for the end of standard input, then end the group."""
    while os.read(0, 4096):
        pass
    asked.set()
    end(group)


def end(group: int) -> None:
    """End a process group, and wait until nobody of it is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        until = time.monotonic() + PATIENCE
        while lives(group):
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        else:
            return


def lives(group: int) -> bool:
    """Does anybody of a process group live? What is dead and only waits for its parent to hear of it does not."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # the latter is how macOS says that all of it is dead
        return False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            state, _, its = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its) == group and state not in "ZX":
                return True
    return not Path("/proc/self/stat").exists()


def main(command: list[str]) -> int:
    # not SIG_IGN, which the command would inherit: the guard stays to the end, the command goes when told
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # a group of its own, of which can be seen whether it is empty
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    asked = threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, asked), daemon=True)
    watcher.start()
    status = process.wait()
    if asked.is_set():
        watcher.join()
    elif status < 0:  # it was killed, and could end nobody
        end(process.pid)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
