"""Read a process's output as lines of bounded length, so that an endless line uses no memory and blocks nothing."""

import io
import os
from collections.abc import Iterator
from typing import TextIO

LONGEST = 2000  # characters of a line that are kept
BLOCK = 1 << 16


def bounded(stream: TextIO, longest: int = LONGEST) -> Iterator[str]:
    """The lines of a text stream without their ends. What a line has beyond `longest` is read, counted and dropped."""
    while line := stream.readline(longest):
        dropped, piece = 0, line
        while not piece.endswith("\n") and (piece := stream.readline(BLOCK)):
            dropped += len(piece)
        dropped -= piece.endswith("\n") and dropped > 0
        yield line.rstrip("\n") + (f" ... ({dropped} characters more)" if dropped else "")


class Copied(io.RawIOBase):
    """Reads a file descriptor and writes all that it reads to another at once, as it came: a terminal's progress bar stays
    one."""

    def __init__(self, source: int, target: int):
        self.source, self.target = source, target

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            block = os.read(self.source, min(len(buffer), BLOCK))
        except OSError:  # a pseudo-terminal that nobody has open any more
            return 0
        rest = memoryview(block)
        while rest and self.target >= 0:
            try:
                rest = rest[os.write(self.target, rest) :]
            except OSError:  # the terminal was closed; the run goes on, and so does its log
                self.target = -1
        # at once, where text with universal newlines would wait for what comes after a carriage return
        buffer[: len(block)] = block.replace(b"\r", b"\n")
        return len(block)

    def text(self) -> TextIO:
        """This as text; carriage returns end a line too, as a progress bar uses them."""
        return io.TextIOWrapper(io.BufferedReader(self), encoding="utf-8", errors="replace")
