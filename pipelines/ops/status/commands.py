"""`conservatory status`: the state of the project; `conservatory logs`: the output of runs."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.core.files import atomic
from pipelines.core.plain import plain
from pipelines.ops.runs import log

HERE = Path()


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
) -> None:
    """Show stages (up to date, stale, failed), quarantine, champions and disk usage. Read-only.

    fresh: up to date. stale: an input changed (stages after it are stale too). never run. failed: the last try failed, and no
    later run succeeded. gone: output files are missing (dvc pull or conservatory run restores them).

    Exit status: 0 all stages are fresh; 1 some are not; 2 the project cannot be read.
    """
    from pipelines.ops.dvc import freshness
    from pipelines.ops.status import gather, text

    try:
        found = gather.gather(HERE)
    except (freshness.StatusError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print("\n".join(text.lines(found, sys.stdout.isatty())))
    if html:
        from pipelines.ops.status import page

        with atomic(html) as temporary:
            temporary.write_text(page.render(found), encoding="utf-8")
        print(f"Written: {html}", file=sys.stderr)
    raise typer.Exit(0 if gather.healthy(found) else 1)


def logs(
    run: Annotated[str, typer.Option(help="Id of a run, or its beginning; by default the last run.")] = "",
    stage: Annotated[str, typer.Option(help="Only this stage, for instance cluster@mine.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until the run ends.")] = False,
    problems: Annotated[bool, typer.Option("--problems", help="Only warnings and errors.")] = False,
    runs: Annotated[bool, typer.Option("--list", help="List the runs that have a log, oldest first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the lines as JSON.")] = False,
) -> None:
    """Show the log of a run, started by `conservatory run`, a retraining or Dagster (.cache/logs keeps the newest)."""
    there = log.runs(log.folder(HERE))
    if runs:
        for path in there:
            first = next(log.read(path), {"time": "", "message": ""})
            print(f"{path.stem}  {first['time'][:19]}  {first['message']}")
        if not there:
            print("There is no log yet; conservatory run writes one", file=sys.stderr)
        return
    wanted = [path for path in there if path.stem.startswith(run)]
    if not wanted:
        known = (
            f"no log of a run {run!r}; conservatory logs --list shows all"
            if there
            else "no log yet; conservatory run writes one"
        )
        print(f"There is {known}", file=sys.stderr)
        raise typer.Exit(2)
    last, stages = None, {}
    try:
        for entry in log.read(wanted[-1], follow):
            last = entry.get("event")
            stages[entry.get("stage") or ""] = None
            of_stage = not stage or entry.get("stage") == stage
            if of_stage and (not problems or entry.get("level") in ("warning", "error")):
                shown = json.dumps(entry, ensure_ascii=False) if as_json else _line(entry)
                print(shown if as_json else plain(shown), flush=True)
        if follow and last != "ended":
            print("The run did not end properly: its process is gone.", file=sys.stderr)
        if stage and stage not in stages:
            there = ", ".join(filter(None, stages)) or "none"
            print(f"The log of {wanted[-1].stem} has no stage {stage!r}; it has {there}.", file=sys.stderr)
            raise typer.Exit(2)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()  # avoids Python's message about a closed pipe at exit


def _line(entry: dict) -> str:
    mark = {"warning": "!", "error": "x"}.get(entry.get("level", ""), " ")
    return f"{str(entry.get('time', ''))[11:19]} {mark} {entry.get('stage') or '-':28} {entry['message']}"


def register(app: typer.Typer) -> None:
    app.command("status")(status)
    app.command("logs")(logs)
