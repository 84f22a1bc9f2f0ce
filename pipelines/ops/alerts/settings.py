"""Recipients of alerts: `alerts` in params.yaml, and environment variables.

params.yaml is copied and merged between people. So it may name recipients, but no command and no secret: a command, and a mail
server that gets a password, are taken from the environment only.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from pipelines.ops.settings import alerts as rules

OFF = "CONSERVATORY_ALERTS"  # =off: nothing is sent
WEBHOOK = "CONSERVATORY_ALERTS_WEBHOOK"
COMMAND = "CONSERVATORY_ALERTS_COMMAND"
SMTP = "CONSERVATORY_ALERTS_SMTP"
PASSWORD = "CONSERVATORY_ALERTS_SMTP_PASSWORD"
PASSWORD_FILE = "CONSERVATORY_ALERTS_SMTP_PASSWORD_FILE"

EVERY_S = 3600


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


def _settings(wanted: dict, environment: Mapping[str, str]) -> Settings:
    try:
        rules.check(wanted, server_elsewhere=bool(environment.get(SMTP)))
    except SystemExit as error:
        hint = (
            f". A command can be set in the environment only, as {COMMAND}"
            if isinstance(wanted, dict) and "command" in wanted
            else ""
        )
        raise AlertsError(f"{error}{hint}") from error
    webhook = _own(environment, WEBHOOK, rules.RULES["webhook"]) or wanted.get("webhook") or ""
    return Settings(
        webhook=webhook,
        command=environment.get(COMMAND, ""),
        every_s=float(wanted.get("every_s", EVERY_S)),
        **_email(wanted.get("email") or {}, environment),
    )


def _own(environment: Mapping[str, str], variable: str, rule: tuple) -> str:
    """The value of an environment variable by the rule of the same setting; empty if it is not set."""
    value = environment.get(variable, "")
    if value and not rule[1](value):
        raise AlertsError(f"{variable} in the environment must be {rule[0]}")
    return value


def _section(project: Path) -> dict:
    """`alerts` of params.yaml; empty if the file cannot be read, which other code reports."""
    try:
        settings = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    wanted = settings.get("alerts") if isinstance(settings, dict) else None
    return wanted if wanted is not None else {}


def _email(entry: dict, environment: Mapping[str, str]) -> dict:
    if not entry:
        return {}
    to = entry["to"] if isinstance(entry["to"], list) else [entry["to"]]
    own = _own(environment, SMTP, rules.EMAIL["server"])
    parts = rules.split(own or entry["server"])
    password = _password(environment)
    if password and not own:
        # otherwise a changed params.yaml could send the password to another server
        raise AlertsError(
            f"a password is sent only to a server named in the environment too: {SMTP}=smtp://user@host:587"
        )
    user = (parts.username or "") if own else ""
    port = parts.port or rules.SCHEMES[parts.scheme]
    return {
        "to": tuple(to),
        "sender": entry.get("from", to[0]),
        "server": Server(parts.scheme, parts.hostname, port, user=user, password=password),
    }


def _password(environment: Mapping[str, str]) -> str:
    if file := environment.get(PASSWORD_FILE):
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise AlertsError(f"{PASSWORD_FILE}: {error}") from error
    return environment.get(PASSWORD, "")
