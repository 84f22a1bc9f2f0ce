"""Read a process's output as lines of bounded length, so that an endless line uses no memory and blocks nothing."""

import io
import os
from collections.abc import Iterator
from typing import TextIO

LONGEST = 2000  # characters kept of a line
BLOCK = 1 << 16


def bounded(stream: TextIO, longest: int = LONGEST) -> Iterator[str]:
    """The lines of a text stream without line ends. Characters beyond `longest` are counted and dropped."""
    while line := stream.readline(longest):
        dropped, piece = 0, line
        while not piece.endswith("\n") and (piece := stream.readline(BLOCK)):
            dropped += len(piece)
        dropped -= piece.endswith("\n") and dropped > 0
        yield line.rstrip("\n") + (f" ... ({dropped} characters more)" if dropped else "")


class Copied(io.RawIOBase):
    """Reads a file descriptor and copies the bytes to another at once, so that a progress bar still works on a terminal."""

    def __init__(self, source: int, target: int):
        self.source, self.target = source, target

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            block = os.read(self.source, min(len(buffer), BLOCK))
        except OSError:  # a pseudo-terminal that its last user has closed
            return 0
        rest = memoryview(block)
        while rest and self.target >= 0:
            try:
                rest = rest[os.write(self.target, rest) :]
            except OSError:  # the terminal was closed; the run and its log continue
                self.target = -1
        # universal newlines would wait for the character after a carriage return
        buffer[: len(block)] = block.replace(b"\r", b"\n")
        return len(block)

    def text(self) -> TextIO:
        """The bytes as text; a carriage return ends a line too, since progress bars use it."""
        return io.TextIOWrapper(io.BufferedReader(self), encoding="utf-8", errors="replace")
