"""Kinds of values in params.yaml, each as `(description, test)` or `hidden` of one, and the error messages."""

import difflib
import math
import re
from collections.abc import Collection
from typing import Any, NoReturn


def whole(least: int, none: str = "") -> tuple:
    words = f"a whole number, {least} or more" + (f" ({least} for {none})" if none else "")
    return words, lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def number(least: float = -math.inf, most: float = math.inf, above: bool = False, below: bool = False) -> tuple:
    words = "a number" + (f" above {least:g}" if above else f", {least:g} or more" if least > -math.inf else "")
    words += f", {'below' if below else 'at most'} {most:,.10g}" if most < math.inf else ""

    def test(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return (value > least if above else value >= least) and (value < most if below else value <= most)

    return words, test


def one_of(*words: Any) -> tuple:
    return " or ".join(map(str, words)), lambda value: not isinstance(value, bool | float) and value in words


def some_of(*words: Any, none: bool = True) -> tuple:
    return (
        f"a list of {', '.join(map(str, words))}" + (", [] for none" if none else ""),
        lambda value: isinstance(value, list) and bool(value or none) and all(map(one_of(*words)[1], value)),
    )


def or_null(rule: tuple) -> tuple:
    return f"{rule[0]}, or null", lambda value: value is None or rule[1](value)


def hidden(rule: tuple) -> tuple:
    """The rule of a value that may be a secret: the message does not repeat it."""
    return *rule, "hidden"


YES_OR_NO = ("true or false", lambda value: isinstance(value, bool))
WORD = ("a word", lambda value: isinstance(value, str) and bool(value.strip()))
FINGERPRINT = ('16 hex digits, or "" before the first run', lambda value: isinstance(value, str))
SHARE = ("a share from 0 to 1", number(0, 1)[1])
SEED = ("a whole number from 0 to 4294967295", lambda value: whole(0)[1](value) and value < 1 << 32)
RATE = ("a rate in Hz from 2000 to 768000", lambda value: whole(2000)[1](value) and value <= 768_000)
HASH = (
    "a SHA-256, 64 hex digits",
    lambda value: isinstance(value, str) and bool(re.fullmatch(r"[0-9a-f]{64}", value)),
)
COUNT, ANY = whole(1), ("anything", lambda value: True)


def table(where: str, value: Any, keys: dict, required: Collection[str] = ()) -> None:
    """Raise `SystemExit` where `value` is no table of `keys` (key -> rule, or the keys of a table in it), has a key or value that
    is not allowed, or lacks a required key."""
    if not isinstance(value, dict):
        wrong(where, value, f"a table of {', '.join(keys)}")
    for key, found in value.items():
        if key not in keys:
            unknown(key, where, list(keys))
        rule = keys[key]
        if isinstance(rule, dict):
            table(f"{where}.{key}", found, rule)
        elif not rule[1](found):
            wrong(f"{where}.{key}", found, rule[0], show="hidden" not in rule)
    for key in required:
        if key not in value:
            missing(f"{where}.{key}", keys[key])


def unknown(key: object, section: str, known: list[str]) -> NoReturn:
    name = f"{section}.{key}" if section else str(key)
    near = nearest(str(key), known)
    meant = f"; do you mean {near}?" if near else f": there is {', '.join(known) or 'nothing to set'}"
    raise SystemExit(f"{name:.200} in params.yaml is not known{meant}")


def nearest(word: str, known: Collection[str]) -> str:
    """The word of `known` that was most likely meant; "" where none is near."""
    near = difflib.get_close_matches(word, known, 1) or [one for one in known if word and one.startswith(word)]
    return near[0] if near else ""


def suggestion(word: str, known: Collection[str], there: str = "there is") -> str:
    """For a message about an unknown word: the nearest known one, and all of them."""
    near = nearest(word, known)
    return f"{f' (do you mean {near}?)' if near else ''}; {there} {', '.join(known) or 'none'}"


def wrong(key: str, value: Any, words: str, show: bool = True) -> NoReturn:
    if not show:
        raise SystemExit(f"{key} in params.yaml must be {words}")
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
        hint = f" (YAML reads {value} as a word: write {value.lower().replace('e', '.0e')})"
    elif isinstance(value, str) and re.fullmatch(r"[+-]?\d+(\.\d*)?", value):
        hint = " (in quotes it is a word: write it without)"
    said = "empty" if value is None else f"{value!r:.200}"
    raise SystemExit(f"{key} in params.yaml is {said}, and must be {words}{hint}")


def missing(key: str, rule: Any) -> NoReturn:
    words = f"a table of {', '.join(rule)}" if isinstance(rule, dict) else rule[0]
    raise SystemExit(f"{key} is missing in params.yaml, and must be {words}")
