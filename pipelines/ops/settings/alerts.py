"""`alerts` in params.yaml: recipients, and no command and no secret, since the file is copied and merged between people.

The message about an address of a webhook or a mail server does not repeat it, because such an address may hold a secret.
"""

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pipelines.ops.settings.kinds import hidden, missing, number, table

ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,255}")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SCHEMES = {"smtp": 587, "smtps": 465}
MAX_RECIPIENTS = 20


def split(url: Any) -> SplitResult | None:
    """The parts of an address; None for what is none."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        whole = parts is not None and parts.port != 0 and bool(parts.hostname) and not any(map(str.isspace, url))
    except ValueError:  # an unclosed bracket, or an invalid port
        return None
    return parts if whole else None


def _webhook(url: Any) -> bool:
    if url in (None, ""):
        return True  # none is used
    parts = split(url)
    return bool(parts) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))


def _server(url: Any) -> bool:
    parts = split(url)
    return bool(parts) and parts.scheme in SCHEMES and not parts.password


def _address(value: Any) -> bool:
    return isinstance(value, str) and bool(ADDRESS.fullmatch(value))


def _addresses(value: Any) -> bool:
    found = value if isinstance(value, list) else [value]
    return 1 <= len(found) <= MAX_RECIPIENTS and all(map(_address, found))


EMAIL = {
    "to": (f"an address like name@example.org, or a list of 1 to {MAX_RECIPIENTS} of them", _addresses),
    "from": ("an address like name@example.org", _address),
    "server": hidden(
        ("smtp://host:587 (STARTTLS) or smtps://host:465, with a user before @ and without a password", _server)
    ),
}
RULES = {
    "webhook": hidden(("an https:// address, or http:// on this machine (127.0.0.1, localhost)", _webhook)),
    "email": EMAIL,
    "every_s": number(0, 1e9, below=True),
}


def check(section: Any, server_elsewhere: bool = True) -> None:
    """Raise `SystemExit` if `alerts` in params.yaml is invalid. server_elsewhere: the mail server may be left out, because the
    environment names it."""
    table("alerts", section, RULES)
    if email := section.get("email"):
        for key in ("to",) if server_elsewhere else ("to", "server"):
            if key not in email:
                missing(f"alerts.email.{key}", EMAIL[key])
