"""Dagster's page, deaf to other pages: `python -m assets.page OPTIONS`, those of `dagster-webserver`, or `python -m assets.page
dev OPTIONS`, those of `dagster dev`.

Dagster asks nobody who they are. On the loopback that leaves the user's own browser, which any page it shows can make ask: by an
image (Dagster runs mutations that come by GET), by a form, by a socket, or, with a name that is made to point here (DNS
rebinding), by anything. So what did not come from Dagster's page, by its address or one of its names, is refused. Programs send
no `Origin` and are not hindered; who may ask at all is for the network and the proxy to say (docs/deployment.md).
"""

import ipaddress
import os
import socket
import sys
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from assets import plots
from assets.patches import dev, webserver

NAMES = "CONSERVATORY_NAMES"
"""Environment variable: the names, separated by spaces, under which the page is reached through a proxy or by others."""


class OwnPage:
    """Refuse what another page sent."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        why = refusal(scope) if scope["type"] in ("http", "websocket") else None
        if why is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await PlainTextResponse(f"Refused: {why}\n", status_code=403)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": why})  # before it is accepted: 403


def refusal(scope: Scope) -> str | None:
    """Why a request is refused, or None."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if not ours(host):
        return f"this page is not called {host!r}. If it should be, name that in {NAMES}."
    if origin is not None and urlsplit(origin).netloc != host:
        return f"sent by a page of {origin!r}."
    read = scope["type"] == "http" and scope["method"] != "POST"
    if read and scope["path"].endswith("/graphql") and "text/html" not in headers.get("accept", ""):
        return "queries are posted."  # a document is the page's own editor, and runs nothing
    return None


def ours(host: str) -> bool:
    """Is a `Host` header one that no stranger can make point here: an address, localhost, this machine's or a given name?"""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        names = {"localhost", socket.gethostname().lower(), *os.environ.get(NAMES, "").lower().split()}
        return name in names


class Images(StaticFiles):
    """Files that are shown and never run: an SVG opened by itself may hold scripts, and would be of Dagster's page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["content-security-policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def images() -> list[BaseRoute]:
    """The route to the files of plots, where there are any."""
    folder = os.environ.get(plots.FOLDER)
    return [Mount(plots.PATH, Images(directory=folder, check_dir=False))] if folder else []


def main() -> None:
    if sys.argv[1:2] == ["dev"]:
        dev.run("assets.page")
    else:
        # no frame of another page, where clicks could be stolen
        webserver.run([Middleware(OwnPage)], images(), {"X-Frame-Options": "DENY"})


if __name__ == "__main__":
    main()
