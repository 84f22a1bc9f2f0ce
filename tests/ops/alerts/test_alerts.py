"""Alerts go out to real servers on this machine, once, and whatever those do, the run goes on."""

import base64
import json
import os
import subprocess
import sys
import time
from email import message_from_bytes, policy

import pytest
import servers
import yaml
from helpers import PROJECT
from typer.testing import CliRunner

from pipelines.ops.alerts import senders, settings
from pipelines.ops.alerts.commands import app
from pipelines.ops.alerts.message import Alert
from pipelines.ops.alerts.send import MEMORY, alert


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in (
        settings.OFF,
        settings.WEBHOOK,
        settings.COMMAND,
        settings.SMTP,
        settings.PASSWORD,
        settings.PASSWORD_FILE,
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(senders, "PAUSES", (0.0, 0.05, 0.05))


def configure(project, **alerts):
    (project / "params.yaml").write_text(yaml.safe_dump({"alerts": alerts}))


def url(server, scheme="http"):
    return f"{scheme}://127.0.0.1:{server.server_address[1]}"


def tell(project, number=0, about="raw@one", kind="failed", said=None, reason="there is no such file"):
    return alert(
        project,
        kind,
        about,
        reason,
        f"{kind} {about} {number}",
        "the end\nof the output",
        [].append if said is None else said.append,
    )


def test_nothing_is_configured_and_nothing_happens(in_tmp):
    assert tell(in_tmp) is False and list(in_tmp.iterdir()) == []
    configure(in_tmp)
    assert tell(in_tmp) is False


def test_webhook_and_mail_and_command(in_tmp, monkeypatch):
    monkeypatch.setenv(settings.COMMAND, f"cat > {in_tmp}/told.json")
    with servers.hook() as hook, servers.mail() as mail:
        to = ["a@example.org", "b@example.org"]
        configure(in_tmp, webhook=url(hook), email={"to": to, "from": "me@example.org", "server": url(mail, "smtp")})
        assert tell(in_tmp)
    (post,) = hook.posts
    assert post == json.loads((in_tmp / "told.json").read_text())
    assert post["text"] == f"[{in_tmp.name}] raw@one failed: there is no such file"
    assert (post["kind"], post["about"], post["detail"]) == ("failed", "raw@one", "the end\nof the output")
    (sent,) = mail.mails
    assert sent["from"].startswith("FROM:<me@example.org>") and sent["to"] == [
        "TO:<a@example.org>",
        "TO:<b@example.org>",
    ]
    message = message_from_bytes(sent["text"], policy=policy.default)
    assert message["Subject"].strip() == post["text"] and message.get_content_type() == "text/plain"
    assert "of the output" in message.get_content() and "conservatory logs" in message.get_content()


def test_one_event_is_told_once_and_of_a_kind_one_an_hour_with_a_count(in_tmp, monkeypatch):
    clock = time.time()
    monkeypatch.setattr(time, "time", lambda: clock)
    with servers.hook() as hook:
        configure(in_tmp, webhook=url(hook))
        assert tell(in_tmp, 0) and not tell(in_tmp, 0)
        for minute in range(1, 60):  # fails every minute
            clock += 60
            assert not tell(in_tmp, minute)
        assert tell(in_tmp, 0, about="another"), "another stage is another matter"
        clock += 61
        assert tell(in_tmp, 60)
        assert [post["repeated"] for post in hook.posts] == [0, 0, 59]
        clock -= 86_400  # a clock that is set back silences nobody
        assert tell(in_tmp, 61)


def test_many_at_once_are_one(in_tmp):
    from concurrent.futures import ThreadPoolExecutor

    with servers.hook() as hook:
        configure(in_tmp, webhook=url(hook))
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda number: tell(in_tmp, number), range(16))) == 1
    assert len(hook.posts) == 1


def test_what_could_not_be_sent_is_tried_with_the_next(in_tmp):
    said = []
    with servers.hook(503) as hook:
        configure(in_tmp, webhook=url(hook))
        assert not tell(in_tmp, 1, said=said) and hook.connections == 3
        assert said == ["The alert could not be sent by webhook: the webhook answered 503"]
        hook.manner = None
        assert tell(in_tmp, 2)


def test_a_server_that_recovers_is_tried_again(in_tmp):
    with servers.hook([500, 429, 204]) as hook, servers.mail("busy") as mail:
        configure(in_tmp, webhook=url(hook), email={"to": "a@example.org", "server": url(mail, "smtp")})
        outcome = senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d"))
        assert outcome == {"e-mail": "", "webhook": ""} and hook.connections == 3 and mail.connections == 2


@pytest.mark.parametrize(
    "address", ["https://[x", "https://host:abc", "https://host:99999", "https://host:0", "ftp://h", 7]
)
def test_no_address_of_a_webhook(in_tmp, address):
    configure(in_tmp, webhook=address)
    with pytest.raises(settings.AlertsError, match=r"alerts\.webhook in params\.yaml must be an https:// address"):
        settings.load(in_tmp, {})


@pytest.mark.parametrize(
    ("manner", "why"), [(404, "the webhook answered 404"), (302, "the webhook answered 302"), ("endless", "")]
)
def test_answers_of_a_webhook(in_tmp, manner, why):
    """A redirect is not followed, and an answer without an end is not read."""
    with servers.hook(manner) as hook:
        configure(in_tmp, webhook=url(hook))
        assert senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d")) == {"webhook": why}
        assert hook.connections == 1


@pytest.mark.fault
def test_servers_that_hang_are_given_up(in_tmp, monkeypatch):
    monkeypatch.setattr(senders, "DEADLINE", 3.0)
    monkeypatch.setattr(senders, "TIMEOUT", 0.5)
    monkeypatch.setenv(settings.COMMAND, "sleep 600")
    with servers.hook("silent") as hook, servers.mail("drips") as mail:
        configure(in_tmp, webhook=url(hook), email={"to": "a@example.org", "server": url(mail, "smtp")})
        outcome = senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d"))
    assert outcome["e-mail"] == "no answer in 3 s" and "was killed" in outcome["command"]
    assert "cannot be reached (ReadTimeout)" in outcome["webhook"]


def test_nobody_there(in_tmp):
    said = []
    with servers.hook() as hook:
        pass
    configure(in_tmp, webhook=url(hook), email={"to": "a@example.org", "server": url(hook, "smtp")})
    assert not tell(in_tmp, said=said)
    assert any("Connection refused" in line for line in said) and any("ConnectionError" in line for line in said)
    assert not any(url(hook) in line for line in said), "a webhook's address may be a secret"


def test_tls(in_tmp, monkeypatch):
    """A certificate nobody trusts is refused; STARTTLS is demanded, and a password goes nowhere without it."""
    certificate, context = servers.certificate(in_tmp)
    monkeypatch.setenv(settings.PASSWORD, "s3cret")

    def outcome(server):
        monkeypatch.setenv(settings.SMTP, url(server, "smtp").replace("//", "//me@"))
        configure(in_tmp, email={"to": "a@example.org"})
        return senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d"))["e-mail"]

    with servers.mail(context=context) as mail:
        assert "no safe connection" in outcome(mail) and not mail.logins
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert outcome(mail) == "" and mail.mails[0]["secure"]
        assert base64.b64decode(mail.logins[0].split()[1]) == b"\0me\0s3cret"
        mail.manner = "no login"
        assert "refused: SMTPAuthenticationError 535" in outcome(mail)
    with servers.mail() as mail:
        assert "supports no STARTTLS" in outcome(mail) and not mail.logins and not mail.mails
    with servers.hook(tls=context) as hook:
        monkeypatch.setenv(settings.WEBHOOK, url(hook, "https"))
        (in_tmp / "params.yaml").unlink()
        found = senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d"))
        assert found == {"webhook": "the webhook's server has no trusted certificate"}


def test_names_make_no_headers_and_no_links(in_tmp):
    about = "x\r\nBcc: thief@example.org\r\n\r\n<script>\u202e\x1b[2J"
    with servers.hook() as hook, servers.mail() as mail:
        configure(in_tmp, webhook=url(hook), email={"to": "a@example.org", "server": url(mail, "smtp")})
        assert tell(in_tmp, about=about, reason="<!channel> & <b>bold</b>\n.\r\nMAIL FROM:<x@example.org>")
    (sent,) = mail.mails
    message = message_from_bytes(sent["text"], policy=policy.default)
    assert message["Bcc"] is None and len(sent["to"]) == 1 and not set("\r\n\x1b\u202e") & set(message["Subject"])
    assert sorted(message.keys()) == sorted(
        ["Subject", "From", "To", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"]
    )
    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in hook.posts[0]["text"] and "\n" not in hook.posts[0]["about"]


def test_a_refused_recipient_is_not_tried_again(in_tmp):
    with servers.mail("refuses") as mail:
        configure(in_tmp, email={"to": "a@example.org", "server": url(mail, "smtp")})
        outcome = senders.deliver(settings.load(in_tmp), Alert("test", "a", "b", "c", "d"))
    assert "SMTPRecipientsRefused" in outcome["e-mail"] and mail.connections == 1


@pytest.mark.parametrize(
    ("alerts", "said"),
    [
        ({"webhook": "http://example.org/x"}, "https://"),
        ({"webhook": "file:///etc/passwd"}, "https://"),
        ({"webhook": 7}, "https://"),
        ({"command": "touch pwned"}, "CONSERVATORY_ALERTS_COMMAND"),
        ({"email": {"to": "a@example.org\nBcc: b@example.org", "server": "smtp://h"}}, "must be an address like"),
        ({"email": {"to": [], "server": "smtp://h"}}, "a list of 1 to 20 of them"),
        (
            {"email": {"to": "a@example.org"}},
            "alerts.email.server is missing in params.yaml, and must be smtp://host:587",
        ),
        ({"email": {"to": "a@example.org", "server": "smtp://me:pass@h"}}, "without a password"),
        ({"email": {"to": "a@example.org", "password": "x"}}, "alerts.email.password in params.yaml is not known"),
        ({"every_s": "often"}, "is 'often', and must be a number, 0 or more"),
        ({"sms": "0123"}, "alerts.sms in params.yaml is not known"),
        ("everybody", "must be a table"),
    ],
)
def test_settings_that_cannot_be_used(in_tmp, alerts, said):
    (in_tmp / "params.yaml").write_text(yaml.safe_dump({"alerts": alerts}))
    with pytest.raises(settings.AlertsError, match=said):
        settings.load(in_tmp)
    said = []
    assert alert(in_tmp, "failed", "a", "b", "c", say=said.append) is False
    assert said and said[0].startswith("No alert was sent: ") and not (in_tmp / "pwned").exists()


def test_a_password_goes_only_where_the_environment_says(in_tmp, monkeypatch):
    """params.yaml of a stranger must not get it."""
    (in_tmp / "secret").write_text("s3cret\n")
    monkeypatch.setenv(settings.PASSWORD_FILE, str(in_tmp / "secret"))
    configure(in_tmp, email={"to": "a@example.org", "server": "smtp://thief.example.org"})
    with pytest.raises(settings.AlertsError, match="CONSERVATORY_ALERTS_SMTP"):
        settings.load(in_tmp)
    monkeypatch.setenv(settings.SMTP, "smtp://me@mail.example.org:587")
    found = settings.load(in_tmp)
    assert (found.server.host, found.server.user, found.server.password) == ("mail.example.org", "me", "s3cret")
    assert "s3cret" not in str(found.described()) + str(found.server)


def test_off(in_tmp, monkeypatch):
    configure(in_tmp, webhook="http://127.0.0.1:9")
    assert settings.load(in_tmp)
    monkeypatch.setenv(settings.OFF, "off")
    assert not settings.load(in_tmp)


def test_a_sender_that_was_killed_has_told_nobody_and_one_at_work_is_left_alone(in_tmp, monkeypatch):
    for end in ("begun", "go"):
        os.mkfifo(in_tmp / end)
    script = "from pathlib import Path; from test_alerts import tell; tell(Path())"
    path = os.pathsep.join(map(str, (PROJECT, PROJECT / "tests", PROJECT / "tests/ops/alerts")))
    slow = {"PYTHONPATH": path, settings.COMMAND: "echo > begun; read line < go"}
    process = subprocess.Popen([sys.executable, "-c", script], cwd=in_tmp, env={**os.environ, **slow})
    (in_tmp / "begun").read_text()
    monkeypatch.setenv(settings.COMMAND, f"(cat; echo) >> {in_tmp}/told")
    assert not tell(in_tmp), "it is being sent"
    process.kill()
    process.wait()
    (in_tmp / "go").write_text("")  # the end of the slow command
    assert tell(in_tmp) and not tell(in_tmp), "it was told nobody, and now is"
    assert not tell(in_tmp, 1), "and counts as one of its kind"
    assert len((in_tmp / "told").read_text().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ids": 3, "kinds": {"a": []}}'])
def test_a_spoilt_memory_is_begun_anew(in_tmp, text):
    (in_tmp / MEMORY).parent.mkdir()
    (in_tmp / MEMORY).write_text(text)
    with servers.hook() as hook:
        configure(in_tmp, webhook=url(hook))
        assert tell(in_tmp) and not tell(in_tmp)


def test_a_memory_that_cannot_be_written_is_no_error(in_tmp):
    said = []
    (in_tmp / ".cache").write_text("a file")
    configure(in_tmp, webhook="http://127.0.0.1:9")
    assert not tell(in_tmp, said=said) and said[0].startswith("No alert was sent")


def test_trial(in_tmp):
    def call(*arguments):
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.output

    assert call("test")[0] == 2 and "No alerts are configured" in call("show")[1]
    with servers.hook() as hook:
        configure(in_tmp, webhook=url(hook) + "/secret-token")
        assert call("test") == (0, "webhook: sent\n") and hook.posts[0]["kind"] == "test"
        assert call("test")[0] == 0, "trials are not counted"
        hook.manner = 403
        assert call("test") == (1, "webhook: the webhook answered 403\n")
        status, text = call("show")
        assert status == 0 and "webhook at 127.0.0.1" in text and "secret-token" not in text
