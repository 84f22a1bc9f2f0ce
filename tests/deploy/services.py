"""The services of a team's deployment over a project's folder, as real processes: to start, stop and kill.

    folder = services.project(tmp_path / "project")
    with services.postgres() as database, services.team(folder, database) as team:
        team.launch("demo")
        team.code.kill()

Postgres is the distribution's, in a temporary cluster on a port of the loopback, with passwords asked for. It refuses to be
run by root, who therefore runs it as the user `postgres`. Every service is the head of a process group of its own, and `kill`
ends that whole group by SIGKILL, as systemd or a container's end does. What it printed stands in `log`.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import tiny_project

PROJECT = Path(__file__).parents[2]
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
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

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


# --- Postgres --------------------------------------------------------------------------------------------------------


@dataclass
class Database(Service):
    """A cluster of Postgres with one database, and one user who has a password."""

    environ: dict[str, str] = field(default_factory=dict)  # what a client needs: PGHOST, PGPORT, ...


@contextmanager
def postgres():
    """A Postgres at work, in a folder of its own; skips the test, with the reason, where there is none."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    found = programs[-1].parent if programs else Path(shutil.which("postgres") or "").parent
    if not (found / "initdb").exists():
        pytest.skip("no Postgres here (apt-get install postgresql)")
    pytest.importorskip("dagster_postgres", reason="dagster-postgres is not installed (pip install -e '.[deploy]')")
    options = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
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


# --- Dagster ---------------------------------------------------------------------------------------------------------


@dataclass
class Team:
    """A deployment's services: `code`, `daemon`, `webserver`, `guests` (not started until asked for)."""

    folder: Path
    url: str
    guests_url: str
    environment: dict[str, str]
    code: Service
    daemon: Service
    webserver: Service
    guests: Service

    def all(self) -> list[Service]:
        return [self.code, self.daemon, self.webserver, self.guests]

    def ask(self, query: str, **variables) -> dict:
        """Dagster's answer to a GraphQL query."""
        answer = post(f"{self.url}/graphql", {"query": query, "variables": variables})
        assert answer and not answer.get("errors"), answer
        return answer["data"]

    def launch(self, job: str, tags: dict[str, str] | None = None) -> str:
        """Launch a job as the page does. Returns the run's id."""
        selector = {**REPOSITORY, "jobName": job}
        return self._launch(selector, tags or {})

    def materialize(self, asset: str, partition: str | None = None) -> str:
        """Materialize one partition of an asset, without its checks, as the page does. Returns the run's id."""
        selector = {
            **REPOSITORY,
            "jobName": "__ASSET_JOB",
            "assetSelection": [{"path": [asset]}],
            "assetCheckSelection": [],
        }
        dimensions = {}
        if partition and "|" in partition:  # of two dimensions; dataset|feature
            names = ("dataset", "feature")
            dimensions = {
                f"dagster/partition/{name}": key for name, key in zip(names, partition.split("|"), strict=True)
            }
        return self._launch(selector, {"dagster/partition": partition, **dimensions} if partition else {})

    def _launch(self, selector: dict, tags: dict[str, str]) -> str:
        found = self.ask(LAUNCH, selector=selector, tags=[{"key": key, "value": value} for key, value in tags.items()])
        assert found["launchRun"]["__typename"] == "LaunchRunSuccess", found
        return found["launchRun"]["run"]["runId"]

    def runs(self) -> list[dict]:
        """All runs, the oldest first: runId, status, jobName, tags, startTime, endTime."""
        runs = self.ask(RUNS)["runsOrError"]["results"]
        return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in reversed(runs)]

    def run(self, run_id: str) -> dict:
        return next(run for run in self.runs() if run["runId"] == run_id)

    def said(self, run_id: str) -> str:
        """What the events of a run say."""
        asked = "query($run: ID!) {logsForRun(runId: $run) {... on EventConnection {events {... on MessageEvent {message}}}}}"
        return "\n".join(event.get("message", "") for event in self.ask(asked, run=run_id)["logsForRun"]["events"])

    def wait(self, run_id: str, *statuses: str, patience: float = PATIENCE) -> dict:
        """Wait until a run has one of `statuses`; by default until it has ended."""
        wanted = statuses or ("SUCCESS", "FAILURE", "CANCELED")

        def there():
            run = self.run(run_id)
            return run if run["status"] in wanted else None

        return wait_for(there, f"run {run_id} to be {' or '.join(wanted)}", self.tails, patience)

    def tails(self) -> str:
        return "\n".join(f"--- {service.name}\n{service.tail()}" for service in self.all())


REPOSITORY = {"repositoryLocationName": "conservatory", "repositoryName": "__repository__"}
LAUNCH = """
mutation($selector: JobOrPipelineSelector!, $tags: [ExecutionTag!]) {
  launchRun(executionParams: {selector: $selector, executionMetadata: {tags: $tags}}) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
RUNS = """
{ runsOrError { ... on Runs { results { runId status jobName startTime endTime tags { key value } } } } }"""


def project(folder: Path) -> Path:
    """The tiny project with the code beside it, as in a checkout. Its stages wait while there is a file `hold-<stage>`, and
    `hold-<stage>` can be made and removed at any time."""
    for name in ("assets", "pipelines", "deploy"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(PROJECT / name, folder)
    tiny_project.create(folder)
    recipe, step = folder / "dvc.yaml", folder / "pipelines/step.py"
    tiny_project.edit(recipe, "meta: {group: features,", "meta: {group: features, pool: heavy,")
    tiny_project.edit(recipe, "meta: {group: models,", "meta: {group: models, pool: gpu,")
    tiny_project.edit(step, "import json, sys", "import json, sys, time")
    tiny_project.edit(step, 'print(f"{stage} {key}: 100%")', HOLD)
    return folder


HOLD = """\
while Path(f"hold-{stage}").exists():
    time.sleep(0.1)
print(f"{stage} {key}: 100%")"""


@contextmanager
def team(folder: Path, database: Database | None = None, start: bool = True, **environment: str):
    """Code server, daemon and webserver over the project in `folder`; without a database, with SQLite.

    `environment` is added to theirs: CONSERVATORY_POOLS="gpu=1 heavy=2". With `start=False` nothing is started yet.
    """
    ports = {name: str(free_port()) for name in ("CODE_PORT", "PORT", "GUESTS_PORT")}
    mine = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DAGSTER", "PG", "CONSERVATORY"))},
        **{f"CONSERVATORY_{name}": port for name, port in ports.items()},
        "PYTHONPATH": str(folder),
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
        "DAGSTER_HOME": str(folder / ".dagster"),
        **(database.environ if database else {}),
        **environment,
    }
    if database is None:  # the settings of one person, and the services of a team
        settings = (folder / "dagster.yaml").read_text().replace("base_dir: .dagster", f"base_dir: {folder}/.dagster")
        (folder / "deploy/dagster.yaml").write_text(settings)
    logs = folder.with_name(f"{folder.name}-logs")
    logs.mkdir(parents=True, exist_ok=True)

    def service(name: str, ready) -> Service:
        command = [sys.executable, "-m", "assets.services", name]
        return Service(name, command, logs / name, mine, folder, ready)

    url, guests_url = (f"http://127.0.0.1:{ports[name]}" for name in ("PORT", "GUESTS_PORT"))
    made = Team(
        folder,
        url,
        guests_url,
        mine,
        service("code", lambda: listens(int(ports["CODE_PORT"]))),
        service("daemon", lambda: _daemon_beats(url)),
        service("webserver", lambda: post(f"{url}/graphql", {"query": "{version}"})),
        service("guests", lambda: post(f"{guests_url}/graphql", {"query": "{version}"})),
    )
    try:
        if start:
            made.code.start()
            made.webserver.start()
            made.daemon.start()
        yield made
    finally:
        for one in reversed(made.all()):
            one.stop()


def _daemon_beats(url: str) -> bool:
    answer = post(
        f"{url}/graphql", {"query": "{instance{daemonHealth{allDaemonStatuses{daemonType required healthy}}}}"}
    )
    states = answer["data"]["instance"]["daemonHealth"]["allDaemonStatuses"] if answer else []
    return bool(states) and all(state["healthy"] for state in states if state["required"])


def post(url: str, body: dict | bytes, **headers: str) -> dict | None:
    """The JSON answer to a POST, or None while nobody answers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


def listens(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(5)
        return connection.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
