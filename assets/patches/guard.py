"""Run a command that ends when the process that started it ends: `python guard.py COMMAND...`, in a new session.

If standard input ends (its writer has closed it, crashed or was killed), the command and all its child processes are ended: by
SIGINT first, at which DVC releases its locks. The guard ends after the last of them.

Works around: Dagster and DVC leave child processes behind. A Dagster run that is terminated leaves its subprocesses;
`dagster dev` that is killed leaves its webserver and its daemon; a killed DVC leaves the stage's command.

Why: a daemon left behind would go on starting scheduled runs, and a stage left behind would write into outputs that another run
makes.

Written for: dagster 1.13.27, dvc 3.67.1. It uses no internals of either, so no version is checked at run time.

Without it: after a kill, processes go on, and the user has to find and end them before the next run.

Only the standard library is imported, so that the file can be run by its path from any folder.
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


def watch(group: int, closed: threading.Event) -> None:
    """Wait for the end of standard input, then end the process group."""
    while os.read(0, 4096):
        pass
    closed.set()
    end(group)


def end(group: int) -> None:
    """End a process group, and wait until no process of it is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(group, number)
        until = time.monotonic() + PATIENCE
        while is_alive(group):
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        else:
            return


def is_alive(group: int) -> bool:
    """Is any process of a group alive? Zombies are not."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS: PermissionError if all are zombies
        return False
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended since
            state, _, its = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its) == group and state not in "ZX":
                return True
    return not Path("/proc/self/stat").exists()


def main(command: list[str]) -> int:
    # not SIG_IGN, which the command would inherit: the guard must outlive the command
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    # its own process group, so that `is_alive` can tell when it is empty
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    closed = threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, closed), daemon=True)
    watcher.start()
    status = process.wait()
    if closed.is_set():
        watcher.join()
    elif status < 0:  # it was killed, and could not end its child processes
        end(process.pid)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
