"""Remotes of three kinds for a test: a folder, SSH on localhost, and an S3-compatible server; each with what DVC must be told."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import needs
from helpers import run_in

PATIENCE = 60.0  # seconds until a server must listen


@dataclass
class Remote:
    url: str
    options: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    path: Path | None = None  # where its files can be looked at

    def add(self, project: Path, *level: str) -> None:
        """Make it the project's default remote."""
        run_in(project, *DVC, "remote", "add", "-q", "-f", "-d", *level, "shelf", self.url)
        for name, value in self.options.items():
            run_in(project, *DVC, "remote", "modify", "-q", *level, "shelf", name, value)


DVC = (sys.executable, "-m", "dvc")


def folder(place: Path) -> Remote:
    return Remote(str(place / "shelf"), path=place / "shelf")


@contextmanager
def ssh(place: Path) -> Iterator[Remote]:
    """A private sshd on a high port of the loopback interface, with keys of its own."""
    needs.package("dvc_ssh", "ssh")
    program = needs.program("openssh-server", "sshd")
    needs.program("openssh-client", "ssh-keygen")
    place.mkdir(parents=True)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / key], check=True)
    shutil.copy(place / "user.pub", place / "authorized")
    port = free_port()
    settings = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": place / "host", "AuthorizedKeysFile": place / "authorized",
        "PidFile": place / "pid", "StrictModes": "no", "UsePAM": "no", "PasswordAuthentication": "no",
        "PermitRootLogin": "prohibit-password", "Subsystem": "sftp internal-sftp", "MaxStartups": "100", "MaxSessions": "100",
    }  # fmt: skip
    (place / "config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd of root wants it
    command = [program, "-D", "-e", "-f", place / "config"]
    with serving(command, port, place / "log"):
        (place / "shelf").mkdir()
        yield Remote(f"ssh://127.0.0.1:{port}{place / 'shelf'}", {"keyfile": str(place / "user")}, path=place / "shelf")


@contextmanager
def s3(place: Path, port: int = 0, quota: int = 0, die_at: int = 0, keep: bool = False) -> Iterator[Remote]:
    """Moto's server in a process of its own, with an empty bucket; `s3_server.py` says what its faults are."""
    needs.package("dvc_s3", "s3")
    needs.package("moto.server", "dev")
    boto3 = needs.package("boto3", "dev")

    place.mkdir(parents=True, exist_ok=True)
    (place / "none").touch()
    port = port or free_port()
    faults = ["--quota", str(quota)] if quota else []
    faults += ["--die-at", str(die_at)] if die_at else []
    faults += ["--keep"] if keep else []
    command = [sys.executable, Path(__file__).with_name("s3_server.py"), str(port), *faults]
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
                 "AWS_CONFIG_FILE": str(place / "none"), "AWS_SHARED_CREDENTIALS_FILE": str(place / "none")}  # fmt: skip
    with serving(command, port, place / "log"):
        url = f"http://127.0.0.1:{port}"
        boto3.client("s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test",
                     region_name="us-east-1").create_bucket(Bucket="music")  # fmt: skip
        yield Remote("s3://music/shelf", {"endpointurl": url}, variables)


@contextmanager
def serving(command: list, port: int, log: Path) -> Iterator[subprocess.Popen]:
    """A server while the block lasts; it begins when something listens on the port."""
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0
