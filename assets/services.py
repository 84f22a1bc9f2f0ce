"""Start one service of a team's deployment: `python -m assets.services code|daemon|webserver|guests`, in the project's folder.

deploy/ starts these as systemd units or containers (docs/deployment.md). They are Dagster's own commands with the options they
need. Addresses and secrets come from the environment (deploy/conservatory.env lists all variables), so that no file of the
project contains a secret. For one person on one machine, use `conservatory ui` instead."""

import argparse
import importlib.util
import os
import runpy
import shutil
import sys
import threading
import time
from pathlib import Path

import dagster as dg

from assets import external_runs, lock, pools, recipe
from assets.patches import event_storage, run_server
from assets.serve import cut_off_runs
from pipelines.core import params
from pipelines.ops.settings import load_params

SETTINGS = Path(__file__).parents[1] / "deploy"
SERVICES = {
    "code": "loads the definitions and starts runs; the only service that needs the project's data",
    "daemon": "schedules, sensors, the queue of runs, retries",
    "webserver": "the page; runs can be launched in it",
    "guests": "the page, read-only",
}
DEFAULTS = {
    "CONSERVATORY_CODE_HOST": "127.0.0.1",
    "CONSERVATORY_CODE_PORT": "4266",
    "CONSERVATORY_HOST": "127.0.0.1",
    "CONSERVATORY_PORT": "3000",
    "CONSERVATORY_GUESTS_PORT": "3001",
}


def command(service: str, project: Path) -> list[str]:
    """The Python module of a service, which is run as a command, and its options."""
    of = os.environ
    workspace = ["-w", str(SETTINGS / "workspace.yaml")]
    page = ["assets.page", *workspace, "-h", of["CONSERVATORY_HOST"]]
    return {
        "code": [
            *("dagster", "code-server", "start", "-m", "assets.definitions", "-d", str(project)),
            *("--location-name", "conservatory", "--use-python-environment-entry-point"),
            *("-h", of["CONSERVATORY_CODE_HOST"], "-p", of["CONSERVATORY_CODE_PORT"]),
        ],
        "daemon": ["dagster._daemon", "run", *workspace],
        "webserver": [*page, "-p", of["CONSERVATORY_PORT"]],
        "guests": [*page, "-p", of["CONSERVATORY_GUESTS_PORT"], "--read-only"],
    }[service]


def prepare(project: Path) -> Path:
    """Set defaults in the environment, copy the team's settings to Dagster's home (DAGSTER_HOME, or .dagster), and return
    that."""
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    if secret := os.environ.get("PGPASSWORD_FILE"):
        os.environ["PGPASSWORD"] = Path(secret).read_text(encoding="utf-8").strip()
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(project / ".dagster"))).absolute()
    home.mkdir(parents=True, exist_ok=True)
    temporary = home / f"dagster.yaml.{os.getpid()}"  # each service writes it at its start
    shutil.copyfile(SETTINGS / "dagster.yaml", temporary)
    temporary.replace(home / "dagster.yaml")
    return home


def settle(service: str, project: Path) -> None:
    """Update Dagster's history when a service starts.

    Runs are child processes of the code server, so a new code server marks those of its predecessor as failed, and the daemon
    then tries them again. It also reports runs outside Dagster. The daemon sets the limits of the pools."""
    with dg.DagsterInstance.get() as instance:
        if service == "code":
            gone = cut_off_runs(instance)
            threading.Thread(target=fail, args=(gone,), daemon=True).start()
            load_params(project / params.PARAMS)  # before DVC reads it
            entries = lock.read(project)
            external_runs.report(instance, project, recipe.load(project), entries, set(entries))
        elif service == "daemon":
            for pool, limit in pools.limits().items():
                event_storage.limit_pool(instance, pool, limit)


def fail(gone: list[dg.DagsterRun]) -> None:
    """Mark runs as failed once the code server answers: the daemon tries each again at once, and only once."""
    for run in gone:
        while not run_server.answers(run):
            time.sleep(1)
        with dg.DagsterInstance.get() as instance:
            print(f"run {run.run_id} ended with the previous code server and is marked as failed", flush=True)
            instance.report_run_failed(run, "The code server ended while this ran. Finished stages are kept.")


def main() -> None:
    lines = "\n".join(f"  {name:10s} {what}" for name, what in SERVICES.items())
    parser = argparse.ArgumentParser(
        prog="python -m assets.services",
        description=f"{__doc__.partition(chr(10))[0]}\n\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("service", choices=SERVICES)
    service, project = parser.parse_args().service, Path.cwd()
    if importlib.util.find_spec("dagster_postgres") is None:
        sys.exit(
            "The Postgres driver is not installed: pip install -c constraints.txt -e '.[deploy]' (docs/deployment.md)"
        )
    home = prepare(project)
    # code is found from any folder, here and in what Dagster starts
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    settle(service, project)
    if service != "code":
        os.chdir(home)  # in the project's folder Dagster warns that it ignores that folder's dagster.yaml
    module, *sys.argv[1:] = command(service, project)
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
