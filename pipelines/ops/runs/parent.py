"""End a command when its parent process is gone, even after `kill -9` or the out-of-memory killer.

`named` names this process to a command that it begins, `watched` lets the command look for it. It looks by number twice a second
and not by `prctl(PR_SET_PDEATHSIG)`, which is Linux's alone and also fires when only the thread that began the command ends.
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
PATIENCE = 8.0  # seconds that DVC and its stages get to end in order


def named() -> dict[str, str]:
    """What to add to a command's environment, that it ends with this process."""
    return {PARENT: str(os.getpid())}


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Work, and if whoever began this process is gone meanwhile, be interrupted as by Ctrl-C, with all that was begun here; what
    does not end in `PATIENCE` seconds is killed. Does nothing where no parent was `named`."""
    number = os.environ.pop(PARENT, "")  # it is our parent, and not that of what we begin
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
        thread.join()  # if it ends what was begun here, until it has


def _watch(number: int, over: threading.Event) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(number)
        while lives(parent):
            if over.wait(LOOK_S):
                return
    begun = psutil.Process().children(recursive=True)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    for process in begun:
        _send(process, signal.SIGINT)
    until = time.monotonic() + PATIENCE
    while any(map(lives, begun)) and time.monotonic() < until:
        time.sleep(0.05)
    for process in {*begun, *psutil.Process().children(recursive=True)}:
        _send(process, signal.SIGKILL)
    if not over.wait(PATIENCE):
        os.kill(os.getpid(), signal.SIGKILL)


def lives(process: psutil.Process) -> bool:
    """Is it at work? Not one that is dead and not yet waited for. (psutil's own `wait` would take the status of a child of ours
    from whoever waits for it.)"""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):  # it has ended
        process.send_signal(number)
