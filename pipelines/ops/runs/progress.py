"""Parse the progress lines that stages print (`pipelines/harness/progress.py`, and one line per training epoch), and pass on few.

A stage has no other channel for its progress: the lines are the ones users see.
"""

import re
from dataclasses import dataclass

EVERY_S = 10.0  # seconds between two sentences, at least
STEP = 0.05  # share of the work between two sentences
SLOW_S = 300.0  # seconds after which a sentence is due without such a step

# features scores log_mel:  54%|#####     | 414/768 [00:09<00:08, 41.20clip/s]
BAR = re.compile(
    r"(?P<what>[^|]{1,200}?):\s+\d+%\|[^|]*\| *(?P<done>[\d.]+)/(?P<total>[\d.]+) "
    r"\[(?P<elapsed>[\d:]+)<(?P<left>[\d:?]+), *[\d.?]*(?:s/)?(?P<unit>[A-Za-z ]+)(?:/s)?\]$"
)
# unpack gtzan.tar.gz: 120file [00:05, 23.1file/s]
COUNT = re.compile(r"(?P<what>[^|]{1,200}?): (?P<done>[\d.]+)(?P<unit>[A-Za-z]+) \[(?P<elapsed>[\d:]+), .{1,40}\]$")
# train: short: epoch 3/10, loss 0.4126, validation ROC-AUC 0.7712, 12.3 s, at most 86 s left
EPOCH = re.compile(
    r"train: .*?: epoch (?P<done>\d+)/(?P<total>\d+), .*, (?P<took>[\d.]+) s, at most (?P<left>\d+) s left$"
)


@dataclass(frozen=True)
class Progress:
    """The state of one progress bar. `what` names the bar; `elapsed_s` and, if known, `left_s` are seconds."""

    what: str
    unit: str
    done: float
    total: float | None
    elapsed_s: float
    left_s: float | None = None

    @property
    def rate(self) -> float | None:
        """Units per second since the start; None while it is unknown."""
        return self.done / self.elapsed_s if self.done and self.elapsed_s >= 1 else None

    def sentence(self) -> str:
        """For instance: 384 of 768 clips, 41 a second, about 9 s left."""
        of = f" of {_number(self.total)}" if self.total is not None else ""
        parts = [f"{_number(self.done)}{of} {_plural(self.unit)}"]
        if self.rate:
            slow = self.rate < 1
            parts.append(f"{duration(1 / self.rate)} each" if slow else f"{_number(self.rate)} a second")
        if self.left_s and self.done != self.total:
            parts.append(f"about {duration(self.left_s)} left")
        return ", ".join(parts)


def parse(line: str) -> Progress | None:
    """The progress in a line, or None."""
    line = line.strip()  # tqdm overwrites a longer line with spaces
    if not line.endswith(("]", " left")):
        return None
    if found := EPOCH.match(line):
        done, took = int(found["done"]), float(found["took"])
        return Progress("train", "epoch", done, int(found["total"]), done * took, float(found["left"]))
    if found := BAR.match(line):
        left = None if "?" in found["left"] else _seconds(found["left"])
        elapsed = _seconds(found["elapsed"])
        return Progress(found["what"], found["unit"], float(found["done"]), float(found["total"]), elapsed, left)
    if found := COUNT.match(line):
        return Progress(found["what"], found["unit"], float(found["done"]), None, _seconds(found["elapsed"]))
    return None


class Pace:
    """Decides which progress lines to pass on: at most one per EVERY_S seconds, and only after another STEP of the work or SLOW_S
    seconds. A stage that takes hours gets about twenty, and one every five minutes."""

    def __init__(self):
        self.at: float | None = None
        self.last: Progress | None = None

    def due(self, progress: Progress, now: float) -> bool:
        if not progress.done or (self.at is not None and now - self.at < EVERY_S):
            return False
        step = self.last is None or progress.what != self.last.what or not progress.total
        step = step or abs(progress.done - self.last.done) >= STEP * progress.total
        if self.at is not None and not step and now - self.at < SLOW_S:
            return False
        self.at, self.last = now, progress
        return True


class Main:
    """The main progress bar of a stage: of several, the one that took longest."""

    def __init__(self):
        self.longest: Progress | None = None
        self.epochs_s = 0.0
        self.first_epoch: float | None = None

    def add(self, progress: Progress) -> Progress:
        """Returns `progress`; for epochs with the time of all epochs of this run, since a line gives the time of one."""
        if progress.unit == "epoch":
            if self.first_epoch is None:
                self.first_epoch = progress.done - 1  # a resumed training begins at a later epoch
            self.epochs_s += progress.elapsed_s / progress.done
            here = progress.done - self.first_epoch
            self.longest = Progress("train", "epoch", here, here, self.epochs_s)
        elif self.longest is None or progress.elapsed_s >= self.longest.elapsed_s or progress.what == self.longest.what:
            self.longest = progress
        return progress


def duration(seconds: float) -> str:
    """A time as text: 0.8 s, 42 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours} h {m} min" if hours else f"{m} min {s} s" if m else f"{s} s"


def _plural(unit: str) -> str:
    return unit if unit.endswith(("B", "s")) else f"{unit}s"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.2g}"


def _seconds(text: str) -> float:
    total = 0
    for part in text.split(":"):
        total = 60 * total + int(part or 0)
    return float(total)
