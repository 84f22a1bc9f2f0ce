"""Dagster's webserver with a filter against requests from other pages: `python -m assets.page OPTIONS`, with the options of
`dagster-webserver`, or `python -m assets.page dev OPTIONS`, with those of `dagster dev`.

Dagster has no authentication. On the loopback that leaves the user's own browser, in which any open page can send it requests: by
an image (Dagster executes mutations in a GET), a form, a WebSocket, or in any way under a host name that resolves to this machine
(DNS rebinding). So a request is refused if its `Origin` is not Dagster's own page, or its `Host` is not a known name. Programs
send no `Origin` and are let through; the network and the proxy decide who may connect at all (docs/deployment.md).
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
"""Environment variable: further host names under which the page is reached, separated by spaces."""


class OwnPage:
    """Middleware that refuses requests from other pages."""

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
        return f"{host!r} is not a known name of this page. If it should be, add it to {NAMES}."
    if origin is not None and urlsplit(origin).netloc != host:
        return f"the request comes from a page of {origin!r}."
    read = scope["type"] == "http" and scope["method"] != "POST"
    if read and scope["path"].endswith("/graphql") and "text/html" not in headers.get("accept", ""):
        return "GraphQL queries must be sent by POST."  # a document is the page's own editor, which executes nothing
    return None


def ours(host: str) -> bool:
    """Is a `Host` header a name that nobody else can make resolve here: an address, localhost, this machine's or a name in
    NAMES?"""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
        return True
    except ValueError:
        names = {"localhost", socket.gethostname().lower(), *os.environ.get(NAMES, "").lower().split()}
        return name in names


class Images(StaticFiles):
    """Static files with scripts disabled: an SVG opened by itself may contain scripts, which would run as Dagster's page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["content-security-policy"] = "sandbox; default-src 'none'; style-src 'unsafe-inline'"
        response.headers["x-content-type-options"] = "nosniff"
        return response


def images() -> list[BaseRoute]:
    """The route to the files of plots, if the folder of plots is set."""
    folder = os.environ.get(plots.FOLDER)
    return [Mount(plots.PATH, Images(directory=folder, check_dir=False))] if folder else []


def main() -> None:
    if sys.argv[1:2] == ["dev"]:
        dev.run("assets.page")
    else:
        # against clickjacking, in a frame of another page
        webserver.run([Middleware(OwnPage)], images(), {"X-Frame-Options": "DENY"})


if __name__ == "__main__":
    main()
