"""End a command when its parent process is gone, even after `kill -9` or the out-of-memory killer.

`named` passes the number of this process to a command it starts; in the command, `watched` looks for that process twice a second.
`prctl(PR_SET_PDEATHSIG)` exists on Linux only, and also fires when the thread that started the command ends.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

import psutil

PARENT = "CONSERVATORY_PARENT"
LOOK_S = 0.5
PATIENCE = 8.0  # seconds for DVC and its stages to end after SIGINT


def named() -> dict[str, str]:
    """Variables for the environment of a command that must end with this process."""
    return {PARENT: str(os.getpid())}


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """While in this context: if the parent process is gone, interrupt this process and its child processes as by Ctrl-C, and kill
    those that do not end within `PATIENCE` seconds. Does nothing if no parent was `named`."""
    number = os.environ.pop(PARENT, "")  # removed: processes started here have another parent
    if not number.isdecimal():
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_watch, args=(int(number), over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()  # wait, if it is ending child processes


def _watch(number: int, over: threading.Event) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(number)
        while lives(parent):
            if over.wait(LOOK_S):
                return
    children = psutil.Process().children(recursive=True)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    for process in children:
        _send(process, signal.SIGINT)
    until = time.monotonic() + PATIENCE
    while any(map(lives, children)) and time.monotonic() < until:
        time.sleep(0.05)
    for process in {*children, *psutil.Process().children(recursive=True)}:
        _send(process, signal.SIGKILL)
    if not over.wait(PATIENCE):
        os.kill(os.getpid(), signal.SIGKILL)


def lives(process: psutil.Process) -> bool:
    """Is it alive, and no zombie? (psutil's `wait` would take the exit status of a child from the code that waits for it.)"""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):  # it has ended
        process.send_signal(number)
