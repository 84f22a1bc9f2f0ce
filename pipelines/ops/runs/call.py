"""Call a command, pass its output through, and parse it on the way."""

import contextlib
import fcntl
import os
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.ops.runs import parent
from pipelines.ops.runs.lines import Copied, bounded


def environment() -> dict[str, str]:
    """This process's environment, with this interpreter's folder first on PATH: stages say `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for stages, which read other people's files and need no password: neither Postgres's nor those of alerts."""
    return {
        name: value
        for name, value in environment.items()
        if name != "PGPASSWORD" and not name.startswith("CONSERVATORY_ALERTS_")
    }


def call(command: list[str], env: dict[str, str], line: Callable[[str], None], error: Callable[[str], None]) -> int:
    """Run `command` and return its status. `line` gets each line of its standard output, to print or not.

    Its standard error is copied to ours as it comes, and `error` gets the lines as well. Where ours is a terminal the
    command gets a terminal too, so that it draws its progress bars. Both are called by one thread at a time. A command that
    watches its parent (`runs/parent.py`) ends with this process.
    """
    alone = threading.Lock()

    def tell(hear: Callable[[str], None], text: str) -> None:
        with alone:
            hear(text)

    ours, theirs = _terminal() if sys.stderr.isatty() else os.pipe()
    try:
        process = subprocess.Popen(
            command,
            env={**env, **parent.named()},
            stdout=subprocess.PIPE,
            stderr=theirs,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    finally:
        os.close(theirs)

    def listen() -> None:
        sys.stderr.flush()
        for text in bounded(Copied(ours, _number(sys.stderr)).text()):
            tell(error, text)

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        for text in bounded(process.stdout):
            tell(line, text)
        status = process.wait()
        listener.join(timeout=5)  # what it left running in the background may hold the pipe
        return status
    finally:
        process.stdout.close()
        if not listener.is_alive():
            os.close(ours)


def _number(stream) -> int:
    """The file descriptor behind a stream; where there is none (a test's), standard error's."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        return stream.fileno()
    return 2


def _terminal() -> tuple[int, int]:
    """A pseudo-terminal as wide as ours: (our end, the command's)."""
    ours, theirs = pty.openpty()
    with contextlib.suppress(OSError):
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8))
    return ours, theirs
