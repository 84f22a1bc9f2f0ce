"""The three transports of alerts. Each raises `Undelivered` with a reason, and none takes longer than DEADLINE."""

import json
import os
import signal
import smtplib
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY

from pipelines.ops.alerts.message import Alert
from pipelines.ops.alerts.settings import Server, Settings
from pipelines.ops.settings.alerts import LOOPBACK

DEADLINE = 20.0  # seconds for one transport, with all its tries
TIMEOUT = 5.0  # seconds that a server may be silent
PAUSES = (0.0, 1.0, 3.0)  # seconds before each try


class Undelivered(Exception):
    """An alert was not sent; the message says why."""


def ways(settings: Settings) -> dict[str, Callable[[Alert], None]]:
    """The configured transports: name -> function that sends."""
    found: dict[str, Callable[[Alert], None]] = {}
    if settings.to:
        found["e-mail"] = lambda alert: email(settings, alert)
    if settings.webhook:
        found["webhook"] = lambda alert: webhook(settings.webhook, alert)
    if settings.command:
        found["command"] = lambda alert: command(settings.command, alert)
    return found


def deliver(settings: Settings, alert: Alert) -> dict[str, str]:
    """Send by all transports at once; returns transport -> "" or why it failed. One that hangs (a server that sends a byte per
    second, say) is given up after DEADLINE."""
    outcome = {name: f"no answer in {DEADLINE:g} s" for name in ways(settings)}
    threads = []
    for name, send in ways(settings).items():

        def attempt(name=name, send=send) -> None:
            outcome[name] = _tried(send, alert)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        threads.append(thread)
    until = time.monotonic() + DEADLINE
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(outcome)


def _tried(send: Callable[[Alert], None], alert: Alert) -> str:
    why = ""
    for pause in PAUSES:
        time.sleep(pause)
        try:
            send(alert)
            return ""
        except Undelivered as error:
            why = str(error)
            if error.__cause__ is None:  # an answer: another try would get the same
                return why
        except Exception as error:  # of any kind: a run must not fail because of an alert
            return f"{type(error).__name__}: {error}"
    return why


def email(settings: Settings, alert: Alert) -> None:
    message = EmailMessage(policy=SMTP_POLICY)
    message["Subject"], message["From"], message["To"] = alert.subject(), settings.sender, ", ".join(settings.to)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(alert.body())
    server = settings.server
    try:
        with _connect(server) as connection:
            if server.scheme == "smtp" and (server.password or server.host not in LOOPBACK):
                connection.starttls(context=ssl.create_default_context())
                connection.ehlo()
            if server.user and server.password:
                connection.login(server.user, server.password)
            connection.send_message(message)
    except smtplib.SMTPNotSupportedError:
        raise Undelivered(f"{server} supports no STARTTLS or no login: nothing was sent") from None
    except (smtplib.SMTPAuthenticationError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused) as error:
        raise Undelivered(f"{server} refused: {type(error).__name__} {_code(error)}") from None
    except ssl.SSLError as error:
        raise Undelivered(f"{server}: no safe connection ({error.reason or error})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Undelivered(f"{server}: {error}") from error


def _connect(server: Server) -> smtplib.SMTP:
    if server.scheme == "smtps":
        context = ssl.create_default_context()
        connection = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=context)
    else:
        connection = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)
    connection.ehlo_or_helo_if_needed()
    return connection


def _code(error: smtplib.SMTPException) -> str:
    return str(getattr(error, "smtp_code", "") or "")


def webhook(url: str, alert: Alert) -> None:
    import requests

    try:
        # no redirects: they could lead anywhere. The body of the answer is not read: it may be endless
        with requests.post(url, json=alert.as_json(), timeout=TIMEOUT, allow_redirects=False, stream=True) as reply:
            status = reply.status_code
    except requests.exceptions.SSLError:
        raise Undelivered("the webhook's server has no trusted certificate") from None
    except requests.RequestException as error:  # its message would contain the address, which may be a secret
        raise Undelivered(f"the webhook cannot be reached ({type(error).__name__})") from error
    if 200 <= status < 300:
        return
    answer = Undelivered(f"the webhook answered {status}")
    if status >= 500 or status == 429:
        raise answer from ConnectionError(str(status))
    raise answer


def command(line: str, alert: Alert) -> None:
    """Run the user's command in a shell, with the alert as JSON on standard input, so that names in it are never part of a
    command line."""
    process = subprocess.Popen(
        line,
        shell=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.communicate(json.dumps(alert.as_json()).encode(), timeout=DEADLINE - 2)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Undelivered(f"the command did not end in {DEADLINE - 2:g} s and was killed") from None
    if process.returncode:
        raise Undelivered(f"the command failed with exit status {process.returncode}")
