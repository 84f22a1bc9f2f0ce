"""Whether the process that runs a Dagster run still exists.

Uses: the tag `.dagster/grpc_info` of a run, JSON with `socket`, or with `host` and `port`, of the code server that started it.

Why: a run here is a child process of the code server. If that was killed, Dagster shows the run as running for ever, and the pool
lets no other begin; Dagster's own launcher cannot ask a server that is gone.

Written for: dagster 1.13.27

Without it: after a crash, the user has to mark such runs as failed in the page before anything else can run.
"""

import json
import socket

import dagster as dg

from pipelines.ops.patches.versions import fits

VERSION = "1.13.27"
TAG = ".dagster/grpc_info"


def answers(run: dg.DagsterRun) -> bool:
    """Does the server that started a run accept connections? A run without the tag may be of a command line: true."""
    fits("dagster", VERSION, "runs that a crash cut off may be shown as running")
    server = run.tags.get(TAG)
    if not server:
        return True
    found = json.loads(server)
    address = found.get("socket") or (found.get("host"), found.get("port"))
    with socket.socket(socket.AF_UNIX if found.get("socket") else socket.AF_INET) as connection:
        try:
            connection.connect(address)
        except OSError:
            return False
    return True
