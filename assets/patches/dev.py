"""`dagster dev` with another module in place of `dagster_webserver`.

Patches: `dagster._cli.dev.open_ipc_subprocess`, by which `dagster dev` starts its webserver and its daemon.

Why: `dagster dev` always starts `python -m dagster_webserver`, whose page answers requests of any other page (`webserver.py`).

Written for: dagster 1.13.27

Without it: `conservatory ui` would open the unprotected page. `run` therefore refuses to start another minor version.
"""

import sys

from pipelines.ops.patches.versions import INSTALL, fits

VERSION = "1.13.27"


def run(webserver: str) -> None:
    """`dagster dev`, with the options of the command line. webserver: the module to start as the webserver."""
    from dagster._cli import dev, main

    if not fits("dagster", VERSION, "its page cannot be protected from other pages and is not opened"):
        sys.exit(f"Dagster's page is not opened: install the version that can be protected ({INSTALL})")
    start = dev.open_ipc_subprocess

    def started(command: list[str], **options):
        return start(with_webserver(command, webserver), **options)

    dev.open_ipc_subprocess = started
    main()


def with_webserver(command: list[str], webserver: str) -> list[str]:
    """A command line with the module `dagster_webserver` replaced."""
    return [webserver if word == "dagster_webserver" else word for word in command]
