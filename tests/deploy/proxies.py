"""The documented proxies before a team's pages, with other ports and a certificate of the test's. What they are asked is in
test_access.py; the users `team` and `guests` have their names as passwords."""

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

import needs
import psutil
from helpers import PROJECT
from processes import free_port, listens, wait_for

PROXY = PROJECT / "deploy/proxy"
USERS = ("team", "guests")
SITES = ("dagster.example.org", "guests.example.org")


def changed(file: str, changes: dict[str, str]) -> str:
    """The text of a documented file with what is different here."""
    text = (PROXY / file).read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def at_work(command: list, port: int, log: Path, environment: dict[str, str] | None = None):
    with log.open("ab") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        wait_for(lambda: server.poll() is not None or listens(port), command[0], log.read_text)
        assert server.poll() is None, log.read_text()
        yield port
    finally:
        server.terminate()
        server.wait()


@contextmanager
def nginx(team, folder: Path):
    """Gives the port. The certificate is signed by itself."""
    program = needs.program("nginx-light", "nginx")
    needs.program("openssl", "openssl")
    key = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run([*key, "-days", "2", "-subj", f"/CN={SITES[0]}"], cwd=folder, check=True, capture_output=True)
    for who in USERS:
        secret = subprocess.run(["openssl", "passwd", "-6", who], capture_output=True, text=True, check=True).stdout
        (folder / f"{who}.passwords").write_text(f"{who}:{secret}")
    port = free_port()
    text = changed(
        "nginx.conf",
        {
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/ssl/conservatory": str(folder),
            "/etc/conservatory": str(folder),
            "http://127.0.0.1:3000": team.url,
            "http://127.0.0.1:3001": team.guests_url,
        },
    )
    user = "user root;\n" if psutil.Process().username() == "root" else ""
    settings = f"{user}daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\n"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"{settings}access_log off;\n{temporary}{text}\n}}\n")
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    tested = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    with at_work(command, port, folder / "log") as found:
        yield found


@contextmanager
def caddy(team, folder: Path):
    """Gives the port. The certificates are signed by an authority of Caddy's own, kept in `folder` and trusted nowhere."""
    program = needs.program("caddy", "caddy")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    for who in USERS:
        command = [program, "hash-password", "--plaintext", who]
        secret = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        environment[f"CONSERVATORY_{who.upper()}"] = secret.strip()
    port = free_port()
    text = changed(
        "Caddyfile",
        {
            **{f"\n{site} {{": f"\n{site}:{port} {{\n\ttls internal" for site in SITES},
            "127.0.0.1:3000": team.url.removeprefix("http://"),
            "127.0.0.1:3001": team.guests_url.removeprefix("http://"),
        },
    )
    settings = "admin off\nskip_install_trust\ndefault_bind 127.0.0.1\nauto_https disable_redirects\n"
    (folder / "Caddyfile").write_text(f"{{\n{settings}}}\n{text}")
    command = [program, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with at_work(command, port, folder / "log", environment) as found:
        yield found


PROXIES = {"nginx": nginx, "caddy": caddy}
