"""A web server on this machine that behaves badly when told to."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Host(NamedTuple):
    """`files` {path: bytes}; `behaviours` {path: [one a request, the last for all that follow]}; `asked` [(path, Range)]."""

    url: str
    files: dict
    behaviours: dict
    asked: list


@contextlib.contextmanager
def serving():
    """A `Host` at work. Behaviours: good, no_range, shifted, truncated, stalled, wrong, page, <status>, redirect:<path>."""
    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.over = over
    server.host = Host(f"http://127.0.0.1:{server.server_port}", {}, {}, [])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.host
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        host = self.server.host
        asked = self.headers.get("Range")
        host.asked.append((self.path, asked))
        listed = host.behaviours.get(self.path, ["good"])
        behaviour = listed.pop(0) if len(listed) > 1 else listed[0]
        with contextlib.suppress(ConnectionError):
            self._answer(behaviour, host.files.get(self.path), asked)

    def _answer(self, behaviour, body, asked):
        kind, _, to = behaviour.partition(":")
        if kind == "redirect":
            return self._send(302, b"", {"Location": to})
        if kind.isdigit() or body is None:
            return self._send(int(kind) if kind.isdigit() else 404, b"")
        if kind == "page":
            return self._send(200, b"<html>please log in</html>", {"Content-Type": "text/html"})
        if kind == "wrong":
            return self._send(200, bytes(255 - byte for byte in body))
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and kind != "no_range" else 0
        if first >= len(body) > 0 and asked and kind != "no_range":
            return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        status, headers = 200, {}
        if asked and kind != "no_range":
            said = first + (10 if kind == "shifted" else 0)
            status, headers = 206, {"Content-Range": f"bytes {said}-{len(body) - 1}/{len(body)}"}
        rest = body[first:]
        sent = rest[: len(rest) // 2] if kind in ("truncated", "stalled") else rest
        self._send(status, sent, headers, len(rest))
        if kind == "stalled":
            self.wfile.flush()
            self.server.over.wait()

    def _send(self, status, body, headers=None, length=None):
        self.send_response(status)
        for name, value in ({"Content-Length": len(body) if length is None else length} | (headers or {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
