"""A Postgres of the test's: the distribution's, in a temporary cluster on a port of the loopback, with passwords asked for.

It refuses to be run by root, who therefore runs it as the user `postgres`.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import needs
from processes import Service, free_port


@dataclass
class Database(Service):
    """A cluster of Postgres with one database, and one user who has a password."""

    environ: dict[str, str] = field(default_factory=dict)  # what a client needs: PGHOST, PGPORT, ...


@contextmanager
def postgres():
    """A Postgres at work, in a folder of its own; skips the test, with the reason, where there is none."""
    found, options = needs.postgres()
    home = Path(tempfile.mkdtemp(prefix="postgres-"))  # not in tmp_path, which the user postgres may not enter
    try:
        password = home / "password"
        password.write_text(secrets.token_hex(16))
        if options:
            shutil.chown(home, "postgres", "postgres")
            shutil.chown(password, "postgres", "postgres")
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home)}
        cluster = home / "cluster"
        initdb = [
            found / "initdb",
            "-D",
            cluster,
            "-U",
            "conservatory",
            f"--pwfile={password}",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        done = subprocess.run(
            [*initdb, "--auth-host=scram-sha-256", "--auth-local=scram-sha-256"],
            **{"cwd": home, "env": environment, "capture_output": True, "text": True, **options},
        )
        assert done.returncode == 0, done.stderr
        port = free_port()
        client = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGUSER": "conservatory",
            "PGDATABASE": "postgres",
            "PGPASSWORD_FILE": str(password),
        }
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": home}
        command = [
            str(found / "postgres"),
            "-D",
            str(cluster),
            *(f"--{key}={value}" for key, value in settings.items()),
        ]
        database = Database(
            "Postgres",
            command,
            home / "log",
            environment,
            home,
            lambda: _answers_sql(client),
            options,
            stop_by=signal.SIGINT,  # a fast shutdown: clients are sent away
            environ=client,
        )
        database.start()
        try:
            yield database
        finally:
            database.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _answers_sql(client: dict[str, str]) -> bool:
    import psycopg2

    try:
        psycopg2.connect(
            host=client["PGHOST"],
            port=client["PGPORT"],
            user=client["PGUSER"],
            dbname=client["PGDATABASE"],
            password=Path(client["PGPASSWORD_FILE"]).read_text(),
        ).close()
    except psycopg2.OperationalError:
        return False
    return True
