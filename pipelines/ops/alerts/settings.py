"""Recipients of alerts: `alerts` in params.yaml, and environment variables.

params.yaml is copied and merged between people. So it may name recipients, but no command and no secret: a command, and a mail
server that gets a password, are taken from the environment only.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

OFF = "CONSERVATORY_ALERTS"  # =off: nothing is sent
WEBHOOK = "CONSERVATORY_ALERTS_WEBHOOK"
COMMAND = "CONSERVATORY_ALERTS_COMMAND"
SMTP = "CONSERVATORY_ALERTS_SMTP"
PASSWORD = "CONSERVATORY_ALERTS_SMTP_PASSWORD"
PASSWORD_FILE = "CONSERVATORY_ALERTS_SMTP_PASSWORD_FILE"

KEYS = {"email", "webhook", "every_s"}
EMAIL_KEYS = {"to", "from", "server"}
EVERY_S = 3600
ADDRESS = re.compile(r"[^\s@<>,;:\"\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,255}")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SCHEMES = {"smtp": 587, "smtps": 465}


class AlertsError(ValueError):
    """Invalid settings; the message says what to write instead."""


@dataclass(frozen=True)
class Server:
    """A mail server. smtp: STARTTLS, required except for a server on this machine that gets no password; smtps: TLS from the
    first byte."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True)
class Settings:
    """An empty value means that this transport is not used."""

    webhook: str = ""
    command: str = ""
    to: tuple[str, ...] = ()
    sender: str = ""
    server: Server | None = None
    every_s: float = EVERY_S

    def __bool__(self) -> bool:
        return bool(self.webhook or self.command or self.to)

    def described(self) -> list[str]:
        """The recipients, without secrets (a webhook's address often is one)."""
        lines = []
        if self.to:
            login = " with a password" if self.server.password else ""
            lines.append(f"e-mail to {', '.join(self.to)} through {self.server}{login}")
        if self.webhook:
            lines.append(f"webhook at {urlsplit(self.webhook).hostname}")
        if self.command:
            lines.append(f"command of {COMMAND}")
        return lines


def off(environment: Mapping[str, str] = os.environ) -> bool:
    """Were alerts turned off in the environment of this process?"""
    return environment.get(OFF, "").lower() == "off"


def load(project: Path = Path(), environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a project; empty if nothing is configured, or CONSERVATORY_ALERTS is off. Raises `AlertsError`."""
    if off(environment):
        return Settings()
    return _settings(_section(project), environment)


def check(wanted: dict) -> None:
    """Raise `AlertsError` if `alerts` in params.yaml is invalid. The environment may name the mail server instead."""
    email = wanted.get("email")
    environment = {SMTP: "smtp://localhost"} if isinstance(email, dict) and "server" not in email else {}
    _settings(wanted, environment)


def _settings(wanted: dict, environment: Mapping[str, str]) -> Settings:
    if unknown := set(wanted) - KEYS:
        named = ", ".join(map(repr, sorted(map(str, unknown))))
        raise AlertsError(
            f"alerts in params.yaml has {named}; allowed are {', '.join(sorted(KEYS))}. (A command can be set in the environment "
            f"only, as {COMMAND}.)"
        )
    every = wanted.get("every_s", EVERY_S)
    if isinstance(every, bool) or not isinstance(every, int | float) or not 0 <= every < 1e9:
        raise AlertsError(
            f"alerts.every_s in params.yaml is {every!r:.60}; it must be a number of seconds, 0 for no limit"
        )
    webhook = environment.get(WEBHOOK) or wanted.get("webhook") or ""
    return Settings(
        webhook=_webhook(webhook) if webhook else "",
        command=environment.get(COMMAND, ""),
        every_s=float(every),
        **_email(wanted.get("email") or {}, environment),
    )


def _section(project: Path) -> dict:
    """`alerts` of params.yaml; empty if the file cannot be read, which other code reports."""
    try:
        settings = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    wanted = settings.get("alerts") if isinstance(settings, dict) else None
    if wanted is not None and not isinstance(wanted, dict):
        raise AlertsError("alerts in params.yaml must be a table (docs/operations.md)")
    return wanted or {}


def _webhook(url: str) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        port = parts and parts.port
    except ValueError:  # an unclosed bracket, or an invalid port
        parts = port = None
    local = parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK
    if (
        parts is None
        or port == 0
        or not parts.hostname
        or not (parts.scheme == "https" or local)
        or any(map(str.isspace, url))
    ):
        raise AlertsError("the webhook must be an https:// address, or http:// on this machine (127.0.0.1, localhost)")
    return url


def _email(entry: dict, environment: Mapping[str, str]) -> dict:
    if not entry:
        return {}
    if not isinstance(entry, dict) or not set(entry) <= EMAIL_KEYS:
        raise AlertsError(f"alerts.email in params.yaml allows only {', '.join(sorted(EMAIL_KEYS))}")
    to = entry.get("to")
    to = [to] if isinstance(to, str) else to
    if not isinstance(to, list) or not 1 <= len(to) <= 20:
        raise AlertsError("alerts.email.to in params.yaml must be an address, or a list of them")
    for address in (*to, entry.get("from", to[0])):
        if not isinstance(address, str) or not ADDRESS.fullmatch(address):
            raise AlertsError(
                f"alerts.email in params.yaml has {address!r:.80}, which is not an address like name@example.org"
            )
    own = environment.get(SMTP)
    where = f"{SMTP} in the environment" if own else "alerts.email.server in params.yaml"
    server = _server(own or entry.get("server") or "", where)
    password = _password(environment)
    if password and not own:
        # otherwise a changed params.yaml could send the password to another server
        raise AlertsError(
            f"a password is sent only to a server named in the environment too: {SMTP}=smtp://user@host:587"
        )
    return {
        "to": tuple(to),
        "sender": entry.get("from", to[0]),
        "server": Server(*server[:3], user=server[3] if own else "", password=password),
    }


def _server(url: object, where: str) -> tuple[str, str, int, str]:
    try:
        parts = urlsplit(str(url))
        port = parts.port or SCHEMES.get(parts.scheme)
    except ValueError:
        parts = port = None
    if (
        parts is None
        or parts.scheme not in SCHEMES
        or not parts.hostname
        or parts.password
        or any(map(str.isspace, str(url)))
    ):
        raise AlertsError(
            f"{where} must be smtp://host:587 (STARTTLS) or smtps://host:465, with a user before @ and without a password"
        )
    return parts.scheme, parts.hostname, port, parts.username or ""


def _password(environment: Mapping[str, str]) -> str:
    if file := environment.get(PASSWORD_FILE):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise AlertsError(f"{PASSWORD_FILE}: {error}") from error
    return environment.get(PASSWORD, "")
