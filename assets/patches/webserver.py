"""Dagster's webserver with middleware, routes and headers added.

Patches: `dagster_webserver.app.DagsterWebserver`, which `run` replaces in this process by a subclass that extends
`build_middleware`, `build_static_routes` and `make_security_headers`.

Why: Dagster has no authentication and no setting for middleware. Whatever page is open in the user's browser can send requests to
its address on the loopback, and Dagster executes them (`assets/page.py` says which are refused).

Written for: dagster-webserver 1.13.27

Without it: any page in the user's browser can launch runs. `run` therefore refuses to start another minor version of the
webserver.
"""

import sys
from collections.abc import Mapping

from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from pipelines.ops.patches.versions import INSTALL, fits

VERSION = "1.13.27"


def guarded(webserver: type, middleware: list[Middleware], routes: list[BaseRoute], headers: Mapping[str, str]) -> type:
    """A subclass of `DagsterWebserver` with these added: the middleware outermost, the routes before its own."""

    class Guarded(webserver):
        def build_middleware(self) -> list[Middleware]:
            return [*middleware, *super().build_middleware()]

        def build_static_routes(self) -> list[BaseRoute]:
            return [*routes, *super().build_static_routes()]

        def make_security_headers(self) -> dict:
            return {**super().make_security_headers(), **headers}

    return Guarded


def run(middleware: list[Middleware], routes: list[BaseRoute], headers: Mapping[str, str]) -> None:
    """`dagster-webserver`, with the options of the command line. Ends the process for an unknown version of it."""
    from dagster_webserver import app, cli

    if not fits("dagster-webserver", VERSION, "its page cannot be protected from other pages and is not opened"):
        sys.exit(f"Dagster's page is not opened: install the version that can be protected ({INSTALL})")
    app.DagsterWebserver = guarded(app.DagsterWebserver, middleware, routes, headers)
    cli.main()
