"""Python processes that start with their imports done: tests start hundreds, and each would import pandas, DVC or torch anew.

`activate` starts a server (`server.py`) that imports the libraries once and forks for every command that it is given. Nothing of
the project is imported before the fork, so that what runs is the code of the folder that it runs in. `sys.executable`, and
`python`, `dvc` and `conservatory` on PATH, become a client (`client.py`), which gives its arguments, streams, folder and
environment to the server, passes signals on, and ends as the command ended. Whatever is started from there is warm too.

A client is an ordinary interpreter for `python -c` and for other options than `-m`, and where CONSERVATORY_WARM is not set. The
marker `cold` takes that away. A test needs it
- if it asks what a process is (its parent, group, children or memory) or kills one: the command is a child of the server;
- if a variable must be there before a library is imported (OMP_NUM_THREADS, OPENBLAS_CORETYPE, NUMBA_CACHE_DIR, PYTHONHASHSEED);
- if the command is given other open files than its three streams, or other signals than INT, TERM, HUP and KILL.
"""

import atexit
import multiprocessing.spawn
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

HERE = Path(__file__).parent
SOCKET = "CONSERVATORY_WARM"
"""Names the server's socket to clients."""


def activate() -> None:
    """Start a server for this process and let `sys.executable` and PATH name its clients. It ends with this process."""
    folder = Path(mkdtemp(prefix="warm-"))
    for name in ("python", "dvc", "conservatory"):
        # -I and -S: the client needs the standard library alone, and starts in a few hundredths of a second
        command = shlex.join([sys.executable, "-I", "-S", str(HERE / "client.py"), name])
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    socket, python = str(folder / "socket"), str(folder / "python")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    server = subprocess.Popen(
        [sys.executable, str(HERE / "server.py"), socket, python],
        stdin=subprocess.PIPE,  # the server ends when this is closed, however this process ends
        stdout=subprocess.PIPE,
        env=environment,
    )
    with server.stdout as said:
        said.readline()  # clients may come, and wait until the imports are done
    atexit.register(_end, server, folder)
    multiprocessing.spawn.set_executable(sys.executable)  # workers of a pool hand over pipes, which a client does not
    os.environ["PATH"] = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    os.environ[SOCKET] = socket
    sys.executable = python


def _end(server: subprocess.Popen, folder: Path) -> None:
    server.stdin.close()
    server.wait()
    shutil.rmtree(folder, ignore_errors=True)
