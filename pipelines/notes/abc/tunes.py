"""The tunes of an ABC file: each from its `X:` to the first empty line, with the fields that stand before the first tune.

Source: The abc music standard 2.1 (December 2011), sections 2.2 and 4.14.
"""

import re
from typing import NamedTuple

from pipelines.notes.tables import Unreadable

START = re.compile(r"(?m)^(?=X:)")
EMPTY = re.compile(r"\n[ \t]*\n")
FIELD = re.compile(r"(?m)^([A-Za-z]):[ \t]*([^\n]*)")
FOR_ALL = "LMQRUm"
"""Fields of the file's header that hold for all its tunes."""


class Tune(NamedTuple):
    """number: of its `X:`, as written. title: its first `T:`, or "". text: the tune alone, from `X:` on."""

    number: str
    title: str
    text: str


def tunes(content: bytes) -> list[Tune]:
    """The tunes of a file, in its order. Raises `Unreadable` where there is none."""
    text = decoded(content)
    before, *found = START.split(text)
    if not found:
        raise Unreadable("no tune: a line `X:` begins one in ABC")
    shared = "".join(f"{name}:{value}\n" for name, value in FIELD.findall(before) if name in FOR_ALL)
    return [_tune(EMPTY.split(each, maxsplit=1)[0], shared) for each in found]


def decoded(content: bytes) -> str:
    """The text with line ends as `\\n`: UTF-8, or Latin-1 where it is none, as most older collections are."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _tune(text: str, shared: str) -> Tune:
    first, _, rest = text.rstrip("\n").partition("\n")
    title = next((value.strip() for name, value in FIELD.findall(rest) if name == "T"), "")
    return Tune(first.removeprefix("X:").partition("%")[0].strip(), title, f"{first}\n{shared}{rest}\n")
