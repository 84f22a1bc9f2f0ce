"""Open Dagster on this project: `python -m assets.serve [--host ADDRESS] [--port PORT]`, in the project's folder.

`dagster dev` with what it must be told: where its history is kept, and the settings of dagster.yaml. Runs that a crash cut
off are called failed first; Dagster would take them to be running for ever, and let no other begin. And what was run
without it (`make demo`) is reported, so that the graph shows it.
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
    # its folders are seen from where all is started (`dg dev`), which is elsewhere here
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
    """Call the runs failed whose server is gone. Returns their ids."""
    gone = cut_off_runs(instance)
    for run in gone:
        instance.report_run_failed(run, "Dagster was ended while this ran. What DVC finished is kept; launch it again.")
    return [run.run_id for run in gone]


def cut_off_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs that should be going on, and whose server is gone."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    return [run for run in unfinished if not run_server.answers(run)]


def run(command: list[str], home: Path) -> int:
    """Run Dagster until it ends, or this process is told to or killed; nothing of it is left then. Its daemon, which Dagster
    itself would leave behind, would go on with what is scheduled.

    It runs beside its settings; in the project's folder Dagster warns that it reads none of that folder's.
    """
    end, write = os.pipe()
    leash = os.fdopen(write, "wb", buffering=0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, lambda *_: leash.close())
    guarded = [sys.executable, "-I", guard.__file__, *command]
    process = subprocess.Popen(guarded, cwd=home, stdin=end, start_new_session=True)
    os.close(end)
    return process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m assets.serve", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; anyone who reaches it can run jobs")
    parser.add_argument("--port", default="3000", help="port on this machine")
    parser.add_argument("--read-only", action="store_true", help="to look at: nothing can be run, nothing is scheduled")
    arguments = parser.parse_args()
    project = Path.cwd()
    home = prepare(project)
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ[plots.FOLDER] = str(home / "plots")
    # code is found from any folder, here and in what Dagster starts
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH")]))
    # "use `dg dev` instead", which is another command for the same
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command`")
    workspace = ["-w", str(project / "workspace.yaml"), "--host", arguments.host, "--port", arguments.port]
    if arguments.read_only:  # the page alone, beside another that is not
        sys.exit(run([sys.executable, "-m", "assets.page", *workspace, "--read-only"], home))
    with dg.DagsterInstance.get() as instance:
        fail_cut_off_runs(instance)
        entries = lock.read(project)
        external_runs.report(instance, project, recipe.load(project), entries, set(entries))
    sys.exit(run([sys.executable, "-m", "assets.page", "dev", *workspace, "--log-level", "warning"], home))


if __name__ == "__main__":
    main()
