"""Run a command that must not outlive whoever asked for it: `python guard.py COMMAND...`, in a session of its own.

When standard input ends, because the asker closed it or is gone (a crash, a terminal closed, `kill -9`), the command and
all it started are ended: by Ctrl-C first, which lets DVC release its locks. Standard library only, and no import of the
rest, so that it can be run by its path from any folder.
"""

import os
import signal
import subprocess
import sys
import threading
import time

PATIENCE = 10.0  # seconds between one signal and a harder one


def watch() -> None:
    """Wait for the end of standard input, then end this process group."""
    while os.read(0, 4096):
        pass
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        os.killpg(0, number)
        time.sleep(PATIENCE)


def main(command: list[str]) -> int:
    # not SIG_IGN, which the command would inherit: the guard stays to the end, the command goes when told
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=watch, daemon=True).start()
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
