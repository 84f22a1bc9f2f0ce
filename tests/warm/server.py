"""Imports the libraries once, and forks for each command of a client: `server.py SOCKET PYTHON`.

PYTHON is what commands find as `sys.executable`. The server says on its standard output when clients may come, and ends with
its standard input.
"""

import atexit
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
from contextlib import suppress

LIGHT = (
    *("numpy", "pandas", "pyarrow.parquet", "pyarrow.compute", "scipy.stats", "scipy.sparse", "sklearn.metrics"),
    *(
        "sklearn.linear_model",
        "sklearn.neighbors",
        "sklearn.preprocessing",
        "sklearn.decomposition",
        "yaml",
        "ruamel.yaml",
    ),
    *("typer", "rich", "psutil", "requests", "jinja2", "voluptuous", "tqdm", "smtplib", "dvc.cli", "dvc.cli.parser"),
    *("dvc.repo", "dvc.repo.reproduce", "dvc.repo.index", "dvc.stage.cache", "dvc.stage.run", "dvc.output", "dvc.fs"),
    *("dvc.dependency.param", "dvc_data.hashfile.hash", "dvc_data.index", "scmrepo.git", "concurrent.futures.process"),
)
HEAVY = (
    "skops.io",  # first, because it searches all modules that are loaded
    *("scipy.signal", "soundfile", "soxr", "librosa", "librosa.core.spectrum", "librosa.feature", "matplotlib.pyplot"),
    *(
        "sklearn.cluster",
        "sklearn.manifold",
        "sklearn.svm",
        "torch",
        "lightning",
        "safetensors.torch",
        "onnx",
        "onnxruntime",
    ),
)
"""What stages of the music need, imported when the first of them comes."""


def load(names: tuple[str, ...]) -> None:
    for name in names:
        importlib.import_module(name)


def receive(client: socket.socket) -> tuple[dict, list[int]]:
    """A client's task (arguments, folder, environment) and its three streams."""
    head, streams, _, _ = socket.recv_fds(client, 4, 3)
    (size,) = struct.unpack("!I", head)
    text = b""
    while len(text) < size:
        text += client.recv(size - len(text))
    return json.loads(text), streams


def run(task: dict, streams: list[int], python: str) -> None:
    """In the fork: become the command. Does not return."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(task["environment"])
    os.chdir(task["folder"])
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (until the process ends)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = _writer(1, "strict"), _writer(2, "backslashreplace")
    sys.executable, arguments = python, task["arguments"]
    named = [os.path.abspath(place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    first = task["folder"] if arguments[0] == "-m" else os.path.dirname(os.path.abspath(arguments[0]))
    sys.path[:] = [first, *named, *sys.path[1:]]
    status = 0
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = arguments
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    except KeyboardInterrupt:
        status = -signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    _end(status)


def _writer(number: int, errors: str) -> io.TextIOWrapper:
    """Standard output or error as a new interpreter opens it."""
    raw = open(number, "wb", 0, closefd=False)  # noqa: SIM115 (until the process ends)
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    lines = number == 2 or os.isatty(number)
    buffer = raw if unbuffered else io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, "utf-8", errors, line_buffering=lines, write_through=unbuffered)


def _end(status: int) -> None:
    """What the interpreter does when it ends: waits for threads, calls what is registered, writes what is buffered."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 120
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status & 0xFF)


def main() -> None:
    address, python = sys.argv[1:]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    print("listening", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever runs the tests
    load(LIGHT)
    gc.freeze()  # or the first collection in a fork would copy all pages
    bell, ringer = socket.socketpair()
    ringer.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)
    waiting = selectors.DefaultSelector()
    for source in (listener, bell, sys.stdin):
        waiting.register(source, selectors.EVENT_READ)
    clients: dict[int, socket.socket | None] = {}  # by the process that runs for it; None: it was killed
    while True:
        for key, _ in waiting.select():
            if key.fileobj is sys.stdin:
                signal.set_wakeup_fd(-1)  # the socket behind it is closed before the last of them has ended
                for process in clients:
                    os.kill(process, signal.SIGKILL)
                return
            if key.fileobj is bell:
                bell.recv(4096)
                for process in list(clients):
                    ended, status = os.waitpid(process, os.WNOHANG)
                    if ended and (client := clients.pop(process)):
                        waiting.unregister(client)
                        with suppress(OSError):  # killed meanwhile
                            client.send(struct.pack("!i", os.waitstatus_to_exitcode(status)))
                        client.close()
            elif key.fileobj is listener:
                client, _ = listener.accept()
                task, streams = receive(client)
                if any(word.startswith("pipelines.stages") for word in task["arguments"]):
                    load(HEAVY)
                    gc.freeze()
                process = os.fork()
                if not process:
                    run(task, streams, python)
                for stream in streams:
                    os.close(stream)
                clients[process] = client
                waiting.register(client, selectors.EVENT_READ, process)
            else:
                client, process = key.fileobj, key.data
                numbers = client.recv(64)
                for number in numbers or [signal.SIGKILL]:  # the client was killed, and so is what it stood for
                    os.kill(process, number)
                if not numbers:
                    waiting.unregister(client)
                    client.close()
                    clients[process] = None


main()
