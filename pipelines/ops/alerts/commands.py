"""`conservatory alerts`: show the recipients, and send a test alert."""

import sys
from pathlib import Path

import typer

from pipelines.ops.alerts import senders, settings
from pipelines.ops.alerts.message import Alert
from pipelines.ops.runs import log

app = typer.Typer(
    no_args_is_help=True,
    help="Alerts by e-mail, webhook or a command when a run fails or a promotion is refused. Nothing is sent until you set them "
    "up (docs/operations.md).",
)


@app.command("show")
def show() -> None:
    """Show the recipients of alerts, without secrets."""
    found = _settings()
    for way in found.described():
        print(way)
    print(
        f"at most one per kind every {found.every_s:g} s" if found else "No alerts are configured (docs/operations.md)."
    )


@app.command("test")
def test() -> None:
    """Send a test alert to every recipient. Exit status: 1 one of them failed; 2 there is none."""
    found = _settings()
    if not found:
        print("No alerts are configured (docs/operations.md says how).", file=sys.stderr)
        raise typer.Exit(2)
    trial = Alert("test", "alerts", "this is a test, nothing has failed", log.new_id(), Path().absolute().name)
    outcome = senders.deliver(found, trial)
    for way, why in outcome.items():
        print(f"{way}: {why or 'sent'}")
    raise typer.Exit(1 if any(outcome.values()) else 0)


def _settings() -> settings.Settings:
    try:
        return settings.load()
    except settings.AlertsError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
