"""`datasets` in params.yaml: the options of each dataset module."""

import math
from typing import Any

from pipelines.ops.settings import code
from pipelines.ops.settings.kinds import (
    COUNT,
    FINGERPRINT,
    HASH,
    RATE,
    SEED,
    SHARE,
    WORD,
    YES_OR_NO,
    missing,
    nearest,
    number,
    one_of,
    some_of,
    table,
    unknown,
    whole,
    wrong,
)  # fmt: skip
from pipelines.ops.settings.recipe import Reads

FOLDER = "pipelines/datasets"
SIDES = ("train", "validation", "test")


def _shares(value: Any) -> bool:
    """Shares of the sides, which together are all."""
    if not isinstance(value, dict) or set(value) != set(SIDES) or not all(map(SHARE[1], value.values())):
        return False
    return math.isclose(sum(value.values()), 1, abs_tol=1e-6)


SHARES = ("shares of train, validation and test that add up to 1", _shares)
KEY = ("a MIDI note number, 0 to 127", lambda value: whole(0)[1](value) and value < 128)
WORDS = ("a list of words", lambda value: isinstance(value, list) and bool(value) and all(map(WORD[1], value)))
_OF_STEMS = {
    "sample_rate": RATE,
    "gain_db": number(-60, 0),
    "lengths": one_of("equal", "pad"),
    "local": WORD,
}
OPTIONS = {
    "folder": {"path": WORD, "fingerprint": WORD, "follow_links": YES_OR_NO},
    "scores": {
        "clips_per_style": COUNT,
        "duration_s": number(0, above=True),
        "sample_rate": RATE,
        "split": SHARES,
        "seed": SEED,
        "soundfont": WORD,
        "soundfont_sha256": HASH,
        "splits": some_of(*SIDES, none=False),
        "styles": WORDS,
        "words": YES_OR_NO,
    },
    "notes": {
        "lowest": KEY,
        "highest": KEY,
        "step": COUNT,
        "velocities": (
            "a list of whole numbers from 1 to 127",
            lambda value: (
                isinstance(value, list) and bool(value) and all(COUNT[1](each) and each < 128 for each in value)
            ),
        ),
        "duration_s": number(0, above=True),
        "sample_rate": RATE,
        "split": SHARES,
        "seed": SEED,
        "silence_dbfs": number(-180, 0),
        "soundfont": WORD,
        "soundfont_sha256": HASH,
    },
    "composers_audio": {
        "clips_per_composer": COUNT,
        "duration_s": number(0, above=True),
        "sample_rate": RATE,
        "split": SHARES,
        "seed": SEED,
    },
    "multitracks": {
        "clips": COUNT,
        "instruments": one_of("fixed", "families", "one"),
        "families": WORDS,
        "drums": SHARE,
        "absent": SHARE,
        "muted": SHARE,
        "level_db": number(0, 40),
        "duration_s": number(0, above=True),
        "sample_rate": RATE,
        "split": SHARES,
        "seed": SEED,
        "soundfont": WORD,
        "soundfont_sha256": HASH,
        "splits": some_of(*SIDES, none=False),
    },
    "multitrack_folder": {
        "path": WORD,
        "fingerprint": FINGERPRINT,
        "lengths": one_of("equal", "pad"),
        "stems": ("a list of words", lambda value: isinstance(value, list) and all(map(WORD[1], value))),
        "sample_rate": RATE,
        "split": SHARES,
        "seed": SEED,
    },
    "gtzan": {
        "split": one_of("fault_filtered", "full", "artist_folds"),
        "fold": one_of(1, 2, 3),
        "variant": one_of("published", "no_corrupt", "no_copies", "clean"),
        "checksums": one_of("index", "ignore"),
        "local": WORD,
        "artist_folds": WORD,
    },
    "jamendo": {
        "split": one_of(*range(5)),
        "subset": one_of("all", "top50tags", "genre", "instrument", "moodtheme"),
        "quality": one_of("low", "full"),
        "archives": (
            "all, or a list of whole numbers from 0 to 99",
            lambda value: value == "all" or some_of(*range(100), none=False)[1](value),
        ),
        "local": WORD,
    },
    "magnatagatune": {"untagged": one_of("leave_out", "keep"), "group": one_of("artist", "song"), "local": WORD},
    "real_notes": {"instruments": WORDS, "local": WORD},
    "nsynth": {
        "local": WORD,
        "sides": some_of(*SIDES, none=False),
        "families": WORDS,
        "defects": one_of("keep", "leave_out"),
    },
    "slakh": {
        "variant": one_of("redux", "baby"),
        "split": (
            "redux, original, or shares of train, validation and test that add up to 1",
            lambda value: value in ("redux", "original") or _shares(value),
        ),
        "seed": SEED,
        "stems": WORDS,
        "problems": one_of("keep", "leave_out"),
        "targets": some_of("instrument", "stem", "program", "note", none=False),
        "limit": whole(0),
        **_OF_STEMS,
    },
    "musdb18": {"defects": one_of("keep", "leave_out"), **_OF_STEMS},
    "medleydb": {
        "stems": one_of("four", "instruments"),
        "bleed": one_of("leave_out", "keep"),
        "split": SHARES,
        "seed": SEED,
        **_OF_STEMS,
    },
    "esc50": {"fold": one_of(*range(1, 6)), "subset": one_of("esc50", "esc10"), "local": WORD},
    "tinysol": {"fold": one_of(*range(5)), "local": WORD},
}
"""Module -> option -> rule. Options of a module that is not here are those of its `OPTIONS`, and may be anything."""
REQUIRED = {
    "medleydb": ("local", "split", "seed"),
    "folder": ("path", "fingerprint"),
    "scores": ("clips_per_style", "duration_s", "sample_rate", "split", "seed"),
    "notes": ("lowest", "highest", "step", "velocities", "duration_s", "sample_rate", "split", "seed", "silence_dbfs"),
    "composers_audio": ("clips_per_composer", "duration_s", "sample_rate", "split", "seed"),
    "multitracks": (
        "clips",
        "instruments",
        "absent",
        "muted",
        "level_db",
        "duration_s",
        "sample_rate",
        "split",
        "seed",
    ),
}
OF_ALL = {"module": WORD, "imports": WORD}
"""`params.read` has looked at them."""


def check(entries: dict, reads: Reads) -> None:
    for name, entry in entries.items():
        where = f"datasets.{name}"
        for key in sorted(reads.of_entries.get("datasets", set()) - set(entry)):
            if near := nearest(key, [str(other) for other in entry if other not in OF_ALL]):
                unknown(near, where, [key])
            words = f"the name of a file in {FOLDER}/" if key == "module" else "a file or folder below pipelines/"
            missing(f"{where}.{key}", (words, None))
        if reads.of_entries.get("datasets") and not (code.PROJECT / entry["imports"]).exists():
            wrong(f"{where}.imports", entry["imports"], "a file or folder below pipelines/ that is there")
        if "module" in entry:
            _check_entry(where, entry, reads)


def _check_entry(where: str, entry: dict, reads: Reads) -> None:
    module = entry["module"]
    if not (code.PROJECT / FOLDER / f"{module}.py").exists():
        if reads.files(FOLDER):
            code.no_file(f"{where}.module", FOLDER, module)
        return
    known = code.with_name(FOLDER, "clips")
    if module not in known:
        wrong(f"{where}.module", module, f"one that makes a dataset: {', '.join(known)}")
    options = OPTIONS.get(module)
    if options is None:
        own = code.constant(f"{FOLDER}/{module}.py", "OPTIONS")
        options = dict.fromkeys(own, ("anything", lambda value: True)) if own else None
    if options is not None:
        table(where, entry, {**options, **OF_ALL}, REQUIRED.get(module, ()))
