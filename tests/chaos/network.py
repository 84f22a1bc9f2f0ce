"""The network goes away in the middle of a download, in the ways that servers and connections have; the downloader is killed."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

from misbehaving import serving

from chaos import project

ROUNDS = 3
FETCH = """
import sys
from pipelines.datasets.sources.download import fetch

url, checksum, place = sys.argv[1:]
fetch([url], [checksum], place, waits_s=(0.0, 0.0), timeout_s=1.0, spare_bytes=0)
"""


def one(seed: int, reference: Path, folder: Path) -> str:
    draw = random.Random(seed)
    body = draw.randbytes(3_000_000)
    checksum, place = f"sha256:{hashlib.sha256(body).hexdigest()}", folder / "downloads" / "archive.tar"
    bad = ["truncated", "stalled", "503", "429", "shifted", "no_range", "page", "wrong"]
    told = []
    with serving() as host:
        host.files["/a"] = body
        command = [sys.executable, "-c", FETCH, f"{host.url}/a", checksum, str(place)]
        for _ in range(ROUNDS):
            host.behaviours["/a"] = [draw.choice(bad) for _ in range(3)]
            limit = draw.choice([None, 0.5 + 2 * draw.random()])
            try:
                done = subprocess.run(
                    command, env=project.environment(folder) | HERE, capture_output=True, timeout=limit
                )
                told.append(f"{', '.join(host.behaviours['/a'])}: {'came' if done.returncode == 0 else 'gave up'}")
            except subprocess.TimeoutExpired:  # killed
                told.append(f"{', '.join(host.behaviours['/a'])}: killed")
            assert not place.exists() or place.read_bytes() == body, "half a file under the name of the whole"
        host.behaviours["/a"] = ["good"]
        done = subprocess.run(command, env=project.environment(folder) | HERE, capture_output=True, text=True)
    assert done.returncode == 0 and place.read_bytes() == body, f"after {told}: {done.stderr[-2000:]}"
    return "; ".join(told)


HERE = {"PYTHONPATH": str(project.PROJECT)}
