"""Stop a run when too many files of a dataset are unusable (`max_quarantined` of params.yaml)."""

import re

import pandas as pd

NOT_MUSIC = "not an audio file by its name"
NOT_NOTES = "no file of notes by its name"
WITHDRAWN = "withdrawn"
FLOOR = 10
"""This many are always allowed, up to half of a dataset: with few files, one is a large share."""


def faults(quarantine: pd.DataFrame) -> int:
    """Files that say something about the dataset's health: not covers and play lists, and not what was withdrawn."""
    reasons = quarantine["reason"]
    return int((~reasons.isin([NOT_MUSIC, NOT_NOTES]) & ~reasons.str.startswith(f"{WITHDRAWN}:")).sum())


def kind(reason: str) -> str:
    """What reasons of one kind have in common: the text before the first colon, without its numbers. A digit of a word (.m4a,
    UTF-8) is none."""
    return re.sub(r"(?<![\w.])(?<!\w-)\d[\d,.]*%?", "…", reason.partition(": ")[0])


def share(settings: dict, dataset: str) -> float:
    """The largest share of unusable files of a dataset: its own, or the default."""
    limits = settings["max_quarantined"]
    return limits.get(dataset, limits["default"])


def refuse(stage: str, dataset: str, bad: int, good: int, settings: dict, table: str) -> None:
    """Raise `SystemExit` with what to do where too many of a dataset's files cannot be used, or none can."""
    n, limit = bad + good, share(settings, dataset)
    if good and bad <= max(limit * n, min(FLOOR, n / 2)):
        return
    if not good:
        raise SystemExit(
            f"{stage} {dataset}: no file can be used. All are listed with reasons in {table}; repair or replace them, or take "
            f"the dataset out (conservatory remove {dataset})."
        )
    raise SystemExit(
        f"{stage} {dataset}: {bad} of {n} files cannot be used, more than max_quarantined allows ({limit:.0%}, or {FLOOR} "
        f"files). They are listed with reasons in {table}; repair or remove them, or raise max_quarantined.{dataset} in "
        f"params.yaml (to {bad / n + 0.005:.2f})."
    )
