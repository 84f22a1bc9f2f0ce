"""Open Dagster on this project: `python -m assets.serve [--host ADDRESS] [--port PORT]`, in the project's folder.

This is `dagster dev` with the folder of its history and the settings of dagster.yaml. First, runs that a crash cut off are marked
as failed, since Dagster would show them as running for ever and start no other; and runs outside Dagster (`make demo`) are
reported, so that the graph shows their results.
"""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import yaml

from assets import external_runs, lock, plots, recipe
from assets.patches import guard, run_server

UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def prepare(project: Path) -> Path:
    """Make Dagster's home, with the project's settings in it, and return it."""
    home = project / ".dagster"
    home.mkdir(exist_ok=True)
    settings = yaml.safe_load((project / "dagster.yaml").read_text(encoding="utf-8"))
    # relative folders in it are meant from the project's folder; Dagster runs in its home
    for place in (
        settings["storage"]["sqlite"],
        *(settings[key]["config"] for key in ("local_artifact_storage", "compute_logs")),
    ):
        place["base_dir"] = str(project / place["base_dir"])
    temporary = home / "dagster.yaml.tmp"
    temporary.write_text(yaml.safe_dump(settings), encoding="utf-8")
    temporary.replace(home / "dagster.yaml")
    return home


def fail_cut_off_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark the runs whose server is gone as failed. Returns their ids."""
    gone = cut_off_runs(instance)
    for run in gone:
        instance.report_run_failed(run, "Dagster ended while this ran. Finished stages are kept; launch it again.")
    return [run.run_id for run in gone]


def cut_off_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that are shown as running, and whose server is gone."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return [run for run in unfinished if not run_server.answers(run)]


def run(command: list[str], home: Path) -> int:
    """Run Dagster until it ends or this process gets a signal or is killed; then all processes of Dagster end
    (`patches/guard.py`).

    It runs in its home: in the project's folder it warns that it ignores that folder's dagster.yaml.
    """
    end, write = os.pipe()
    leash = os.fdopen(write, "wb", buffering=0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` ignores it
            signal.signal(number, lambda *_: leash.close())
    guarded = [sys.executable, "-I", guard.__file__, *command]
    process = subprocess.Popen(guarded, cwd=home, stdin=end, start_new_session=True)
    os.close(end)
    return process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assets.serve", description=__doc__.partition("\n\n")[0])
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; anyone who can connect to it can run jobs"
    )
    parser.add_argument("--port", default="3000", help="port to listen on")
    parser.add_argument(
        "--read-only", action="store_true", help="show only: launch no jobs, run no schedules and sensors"
    )
    arguments = parser.parse_args()
    project = Path.cwd()
    home = prepare(project)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[plots.FOLDER] = str(home / "plots")
    # so that this process and those Dagster starts import the project from any folder
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    # a warning to use `dg dev`, which does the same
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command`")
    workspace = ["-w", str(project / "workspace.yaml"), "--host", arguments.host, "--port", arguments.port]
    if arguments.read_only:  # the page alone; schedules and sensors run elsewhere
        sys.exit(run([sys.executable, "-m", "assets.page", *workspace, "--read-only"], home))
    with dg.DagsterInstance.get() as instance:
        fail_cut_off_runs(instance)
        entries = lock.read(project)
        external_runs.report(instance, project, recipe.load(project), entries, set(entries))
    sys.exit(run([sys.executable, "-m", "assets.page", "dev", *workspace, "--log-level", "warning"], home))


if __name__ == "__main__":
    main()
