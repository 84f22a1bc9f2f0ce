"""End a command with a message: one sentence on standard error, and exit status 2."""

import sys
from typing import NoReturn

import typer

from pipelines.core.plain import plain


def fail(message: str) -> NoReturn:
    print(plain(message), file=sys.stderr)
    raise typer.Exit(2)
