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
    """This process's environment, with this interpreter's folder first on PATH, since the commands of stages begin with
    `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONUNBUFFERED": "1"}


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the passwords of Postgres and alerts: stages read files of others and need none."""
    return {
        name: value
        for name, value in environment.items()
        if name != "PGPASSWORD" and not name.startswith("CONSERVATORY_ALERTS_")
    }


def call(command: list[str], env: dict[str, str], line: Callable[[str], None], error: Callable[[str], None]) -> int:
    """Run `command` and return its exit status. `line` is called with each line of its standard output, and may print it.

    Standard error is copied to that of this process at once, and `error` is called with its lines. If it is a terminal, the
    command gets a terminal too, so that it draws its progress bars. `line` and `error` are never called at the same time. A
    command that watches its parent (`runs/parent.py`) ends with this process."""
    alone = threading.Lock()

    def pass_on(receive: Callable[[str], None], text: str) -> None:
        with alone:
            receive(text)

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

    def copy() -> None:
        sys.stderr.flush()
        for text in bounded(Copied(ours, _number(sys.stderr)).text()):
            pass_on(error, text)

    copier = threading.Thread(target=copy, daemon=True)
    copier.start()
    try:
        for text in bounded(process.stdout):
            pass_on(line, text)
        status = process.wait()
        copier.join(timeout=5)  # a background process of the command may keep the pipe open
        return status
    finally:
        process.stdout.close()
        if not copier.is_alive():
            os.close(ours)


def _number(stream) -> int:
    """The file descriptor behind a stream; standard error's if there is none (in a test)."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        return stream.fileno()
    return 2


def _terminal() -> tuple[int, int]:
    """A pseudo-terminal as wide as ours: (our end, the command's)."""
    ours, theirs = pty.openpty()
    with contextlib.suppress(OSError):
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, fcntl.ioctl(sys.stderr.fileno(), termios.TIOCGWINSZ, b"\0" * 8))
    return ours, theirs
