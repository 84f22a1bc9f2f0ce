"""A service of a deployment as a process of the test's: to start, stop and kill."""

import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PATIENCE = 120  # seconds, on a busy machine


@dataclass
class Service:
    """A process that can be started, stopped (SIGTERM), killed (SIGKILL, with all it started) and started again."""

    name: str
    command: list[str]
    log: Path
    environment: dict[str, str]
    folder: Path
    ready: callable  # is it at work?
    options: dict = field(default_factory=dict)  # of Popen
    process: subprocess.Popen | None = None
    stop_by: int = signal.SIGTERM

    def start(self, wait: bool = True) -> "Service":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.options,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        def at_work():
            assert self.process.poll() is None, f"{self.name} ended:\n{self.tail()}"
            return self.ready()

        wait_for(at_work, f"{self.name} to be at work", self.tail)

    def kill(self) -> None:
        """As a crash, the kernel or `systemctl kill -s KILL` would: nothing of it is left, and nothing was told."""
        try:  # those too that made a session of their own: Postgres's backends, stages
            started = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            started = []
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for process in started:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        psutil.wait_procs(started, timeout=30)

    def stop(self) -> None:
        """As `systemctl stop` would: asked to end, and killed if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(self.stop_by)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=30)
        self.kill()

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""


def wait_for(true, what: str, explain=lambda: "", patience: float = PATIENCE):
    """Wait until `true()` is, and return that; fail after `patience` seconds, with what `explain()` says."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}\n{explain()}"
        time.sleep(0.2)
    return found


def listens(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(5)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
