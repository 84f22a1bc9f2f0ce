"""An S3-compatible server for tests: `s3_server.py PORT [--quota BYTES] [--die-at N] [--keep]`. Moto's, behind three faults.

With a quota, an object that does not fit is refused with 507 InsufficientStorage, as a full server does. With --die-at, the
process is gone in the middle of the N-th object: half of its bytes are read, and there is no answer. With --keep, nothing may be
deleted, as where the user has no right to. All is kept in memory.
"""

import argparse
import os
import signal
import threading

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

FULL = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>InsufficientStorage</Code><Message>The storage is full.</Message><Resource>/</Resource></Error>"""

DENIED = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>AccessDenied</Code><Message>Access Denied</Message><Resource>/</Resource></Error>"""


class Faulty:
    """A WSGI application in front of another."""

    def __init__(self, app, quota: float, die_at: int, keep: bool):
        self.app, self.quota, self.die_at, self.keep = app, quota, die_at, keep
        self.lock, self.stored, self.objects = threading.Lock(), 0, 0

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "PUT" and environ["PATH_INFO"].count("/") > 1:
            size = int(environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or 0)
            with self.lock:
                self.objects += 1
                if self.objects == self.die_at:
                    environ["wsgi.input"].read(size // 2)
                    os.kill(os.getpid(), signal.SIGKILL)
                fits = self.stored + size <= self.quota
                self.stored += size if fits else 0
            if not fits:
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start_response("507 Insufficient Storage", [("Content-Type", "application/xml")])
                return [FULL]
        if self.keep and environ["REQUEST_METHOD"] == "DELETE":
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [DENIED]
        return self.app(environ, start_response)


class Quiet(WSGIRequestHandler):
    """Keeps connections open, as S3 does, and says nothing."""

    protocol_version = "HTTP/1.1"

    def log(self, type, message, *args):
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--quota", type=float, default=float("inf"))
    parser.add_argument("--die-at", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    app = Faulty(DomainDispatcherApplication(create_backend_app), arguments.quota, arguments.die_at, arguments.keep)
    make_server("127.0.0.1", arguments.port, app, threaded=True, request_handler=Quiet).serve_forever()


if __name__ == "__main__":
    main()
