"""Plots as files that Dagster's page loads.

The page shows Markdown of fewer than 1000 characters at once, and longer Markdown after a click ("Show Markdown"). An inline plot
is longer; its address is not. `conservatory ui` writes the files and its page serves them. A team's webserver has no access to
files of the code server, so there, and in `dg dev`, plots are inline.
"""

import base64
import hashlib
import os
import re
from pathlib import Path

FOLDER = "DAGSTER_PLOTS"
"""Environment variable: the folder of the files, set for the webserver and for the runs it starts."""
PATH = "/plots"
TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/svg+xml": "svg"}
DATA = re.compile(r"data:(image/[a-z+]+);base64,([A-Za-z0-9+/=]*)")


def source(plot: str) -> str:
    """The source of an image in Markdown: the address of its file if FOLDER is set, else the image itself (`data:`, base64).

    plot: `data:image/...;base64,` or SVG text.
    """
    found = DATA.fullmatch(plot)
    kind, content = (found[1], found[2]) if found else ("image/svg+xml", base64.b64encode(plot.encode()).decode())
    if not os.environ.get(FOLDER) or kind not in TYPES:
        return f"data:{kind};base64,{content}"
    data = base64.b64decode(content)
    path = Path(os.environ[FOLDER]) / f"{hashlib.sha256(data).hexdigest()[:32]}.{TYPES[kind]}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(data)
        temporary.replace(path)
    return f"{PATH}/{path.name}"
