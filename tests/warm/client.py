"""`python`, `dvc` or `conservatory` of a test: runs as a fork of the server, and ends as that ends."""

import json
import os
import signal
import socket
import struct
import sys

MODULES = {"dvc": "dvc", "conservatory": "pipelines.cli"}


def main() -> None:
    name, *arguments = sys.argv[1:]
    if name in MODULES:
        arguments = ["-m", MODULES[name], *arguments]
    address = os.environ.get("CONSERVATORY_WARM", "")
    runs_code = bool(arguments) and (arguments[0] == "-m" or arguments[0].endswith(".py"))
    if not runs_code or not os.path.exists(address):  # an option of the interpreter, or no server
        os.execv(sys.executable, [sys.executable, *arguments])
    server = socket.socket(socket.AF_UNIX)
    server.connect(address)
    task = json.dumps({"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    socket.send_fds(server, [struct.pack("!I", len(task))], [0, 1, 2])
    server.sendall(task)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: server.send(bytes([number])))
    answer = server.recv(4)
    if len(answer) < 4:
        sys.exit("the server of warm processes has ended")
    (status,) = struct.unpack("!i", answer)
    if status < 0:  # ended by a signal
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main()
