"""The content of an alert."""

import socket
from dataclasses import asdict, dataclass, field

from pipelines.core.plain import CONTROL, plain
from pipelines.ops.runs import log

LONGEST = 6000  # characters of detail: the end of what a stage printed


@dataclass(frozen=True)
class Alert:
    """kind: failed, check failed, refused or test. about: which stage, job, check or model; with `kind` what the limit of
    one an hour goes by. id: of this very event, which is told once. project: the folder's name."""

    kind: str
    about: str
    reason: str
    id: str
    project: str
    detail: str = ""
    time: str = field(default_factory=log.now)
    host: str = field(default_factory=socket.gethostname)
    repeated: int = 0  # how often it happened since the last alert, and was not told

    @property
    def key(self) -> str:
        return f"{self.kind} {self.about}"

    def subject(self) -> str:
        """One line, whatever names are in it."""
        return one_line(f"[{self.project}] {self.about} {self.kind}: {self.reason}")[:180]

    def body(self) -> str:
        """Plain text; nothing in it is HTML."""
        again = f"\n{self.repeated} more like it were not sent since the last alert.\n" if self.repeated else ""
        detail = plain(self.detail[-LONGEST:])
        return (
            f"{one_line(self.about)} {self.kind} in {one_line(self.project)} on {self.host}, {self.time}\n\n"
            f"{one_line(self.reason)}\n{again}\n{detail}\n\n"
            "To look: conservatory status; conservatory logs. To send no alerts: CONSERVATORY_ALERTS=off.\n"
        )

    def as_json(self) -> dict:
        """For a webhook or command. `text` is what Slack, Mattermost and their like show: `<` would begin a link or mention
        there."""
        text = self.subject().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        told = {**asdict(self), "detail": plain(self.detail[-LONGEST:])}
        return {"text": text, **told, "reason": one_line(self.reason), "about": one_line(self.about)}


def one_line(text: str) -> str:
    return " ".join(CONTROL.sub(" ", text.replace("\n", " ")).split())
