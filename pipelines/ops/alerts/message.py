"""The content of an alert."""

import socket
from dataclasses import asdict, dataclass, field

from pipelines.core.plain import CONTROL, plain
from pipelines.ops.runs import log

LONGEST = 6000  # characters of detail: the end of a stage's output


@dataclass(frozen=True)
class Alert:
    """kind: failed, check failed, refused or test. about: which stage, job, check or model; the rate limit is per kind and about.
    id: of the event, for which one alert is sent. project: the folder's name."""

    kind: str
    about: str
    reason: str
    id: str
    project: str
    detail: str = ""
    time: str = field(default_factory=log.now)
    host: str = field(default_factory=socket.gethostname)
    repeated: int = 0  # events of this kind since the last alert, for which none was sent

    @property
    def key(self) -> str:
        return f"{self.kind} {self.about}"

    def subject(self) -> str:
        """The subject: one line, even if a name contains line breaks."""
        return one_line(f"[{self.project}] {self.about} {self.kind}: {self.reason}")[:180]

    def body(self) -> str:
        """The alert as plain text."""
        again = (
            f"\n{self.repeated} more alerts of this kind were suppressed since the last one.\n" if self.repeated else ""
        )
        detail = plain(self.detail[-LONGEST:])
        return (
            f"{one_line(self.about)} {self.kind} in {one_line(self.project)} on {self.host}, {self.time}\n\n"
            f"{one_line(self.reason)}\n{again}\n{detail}\n\n"
            "For details: conservatory status; conservatory logs. To turn alerts off: CONSERVATORY_ALERTS=off.\n"
        )

    def as_json(self) -> dict:
        """The alert as JSON for a webhook or command. Slack and Mattermost show `text`, in which `<` would begin a link or
        mention."""
        text = self.subject().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        fields = {**asdict(self), "detail": plain(self.detail[-LONGEST:])}
        return {"text": text, **fields, "reason": one_line(self.reason), "about": one_line(self.about)}


def one_line(text: str) -> str:
    return " ".join(CONTROL.sub(" ", text.replace("\n", " ")).split())
