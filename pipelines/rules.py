"""What params.yaml may hold: every key of its sections with what it may be. A word that is none of them is an error, with the
nearest that is.

`datasets` and `taggers` have rules of their own (`params`), and so have `recipes` (`training/recipes.py`) and `alerts`
(`alerts/settings.py`). The parameters of a feature or baseline are those of its function.
"""

import ast
import difflib
import math
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
MAX_EMPTY = 0.05
"""Share of a feature's mel bands that may lie between two bins of its FFT. The published taggers' front end has 1 of 128."""


def whole(least: int, none: str = "") -> tuple:
    words = f"a whole number, {least} or more" + (f" ({least} for {none})" if none else "")
    return words, lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def number(least: float = -math.inf, most: float = math.inf, above: bool = False) -> tuple:
    words = "a number" + (f" above {least:g}" if above else f", {least:g} or more" if least > -math.inf else "")
    words += f", at most {most:g}" if most < math.inf else ""

    def test(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return (value > least if above else value >= least) and value <= most

    return words, test


def one_of(*words: Any) -> tuple:
    return " or ".join(map(str, words)), lambda value: not isinstance(value, bool) and value in words


def some_of(*words: str) -> tuple:
    return (
        f"a list of {', '.join(words)}, [] for none",
        lambda value: isinstance(value, list) and all(isinstance(word, str) and word in words for word in value),
    )


def or_null(rule: tuple) -> tuple:
    return f"{rule[0]}, or null", lambda value: value is None or rule[1](value)


YES_OR_NO = ("true or false", lambda value: isinstance(value, bool))
WORD = ("a word", lambda value: isinstance(value, str) and bool(value.strip()))
SHARE = ("a share from 0 to 1", number(0, 1)[1])
SEED = ("a whole number from 0 to 4294967295", lambda value: whole(0)[1](value) and value < 1 << 32)
COUNT, ANY = whole(1), ("anything", lambda value: True)
DRAWS = {"n_bootstrap": COUNT, "n_permutations": COUNT, "seed": SEED}


def _classes(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(names, list) and names for names in value.values())


def _contents(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) and re.fullmatch(r"[0-9a-f]{64}", key) for key in value)


SECTIONS = {
    "executor": {
        "kind": one_of("processes", "ray"),
        "workers": whole(0, "one a core"),
        "address": WORD,
        "device": ("cpu, cuda or cuda:N", lambda value: bool(re.fullmatch(r"cpu|cuda(:\d+)?", str(value)))),
    },
    "cache": {"limit_gb": number(0)},
    "audio": {
        "sample_rate": ("a rate in Hz from 2000 to 768000", lambda value: whole(2000)[1](value) and value <= 768_000),
        "channels": one_of(1, 2),
        "min_duration_s": number(0),
        "max_duration_s": number(0, above=True),
        "silence_dbfs": number(-200, 0),
        "shard_mb": number(0, above=True),
    },
    "training": {
        "dataset": WORD,
        "devices": ("auto, or a whole number above 0", lambda value: value == "auto" or COUNT[1](value)),
        "leave_out": ("classes by target, as in {style: [ryan]}, or {} for none", _classes),
        "seed": SEED,
    },
    "export": {"n_chunks": COUNT, "tolerance": number(0, above=True)},
    "clustering": {"maps": some_of("tsne", "umap"), "n_init": COUNT, "n_repeats": whole(0, "none"), **DRAWS},
    "study": {
        "clusterers": some_of("kmeans", "agglomerative", "gaussian_mixture"),
        "probes": some_of("linear", "knn"),
        "n_neighbours": COUNT,
        "n_init": COUNT,
        **DRAWS,
    },
    "robustness": {
        "degradations": (
            "a list of names, [] for none",
            lambda value: isinstance(value, list),
        ),  # the stage knows which
        "max_clips": COUNT,
        "n_init": COUNT,
        **DRAWS,
    },
    "leaks": {
        "near_cosine": ("learnt, or a cosine from -1 to 1", lambda value: value == "learnt" or number(-1, 1)[1](value)),
        **DRAWS,
    },
    "ood": {
        "maps": some_of("umap", "pca"),
        **dict.fromkeys(("k", "min_clips", "max_classes", "map_clips", "n_init"), COUNT),
        **DRAWS,
    },
    "tagging": {"n_bootstrap": COUNT, "seed": SEED},
    "registry": {
        "margins": (
            "a table of numbers, 0 or more",
            lambda value: isinstance(value, dict) and all(map(number(0)[1], value.values())),
        ),
        "probe": one_of("linear", "knn"),
        "drift": ("a table", lambda value: isinstance(value, dict)),
        "n_bootstrap": COUNT,
        "seed": SEED,
        "automatic": YES_OR_NO,
    },
    "report": {
        "excerpt_s": number(0, above=True),
        **dict.fromkeys(("max_players", "n_queries", "n_examples"), whole(0, "none")),
        "link_clips": YES_OR_NO,
    },
}
"""Section -> key -> (what it must be, in words; the test)."""

TABLES = {
    "withdrawn": ("a table from SHA-256 (64 hex digits) to why, {} for none", _contents),
    "max_quarantined": (
        "a table of shares from 0 to 1, with a default",
        lambda value: isinstance(value, dict) and "default" in value and all(map(SHARE[1], value.values())),
    ),
}
OTHERS = ("datasets", "features", "recipes", "taggers", "baselines", "alerts", "retention")
"""Sections that are checked elsewhere, or whose keys are names."""

MOVED = {"audio.max_quarantined": "max_quarantined.default"}

OF_A_FUNCTION = {
    **dict.fromkeys(
        ("n_fft", "hop_length", "frame_length", "win_length", "win_len_smooth", "n_mels", "n_mfcc", "n_bins", "n_bands",
         "bins_per_octave", "n_chroma", "n_octaves", "lag", "kernel_size", "dimensions"), COUNT),
    "seed": SEED,
    "deltas": whole(0, "none"),
    "fmin": number(0),
    "fmax": or_null(number(0, above=True)),
    **dict.fromkeys(("roll_percent", "quantile"), SHARE),
    **dict.fromkeys(("start_bpm", "tightness", "margin"), number(0, above=True)),
    "tuning": or_null(number(-0.5, 0.5)),
    "trim": YES_OR_NO,
}  # fmt: skip
"""Parameters of features and baselines by name; others may be anything."""


def check(settings: dict) -> None:
    """Raise `SystemExit` with one sentence for the first key that is not known, or value that no stage takes."""
    known = [*SECTIONS, *TABLES, *OTHERS]
    for section, value in settings.items():
        if section not in known:
            _unknown(str(section), "", known)
        if section in TABLES and not TABLES[section][1](value):
            _wrong(section, value, TABLES[section][0])
        if section in SECTIONS:
            if value is not None and not isinstance(value, dict):
                _wrong(section, value, "a table")
            for key, found in (value or {}).items():
                if key not in SECTIONS[section]:
                    _unknown(str(key), section, list(SECTIONS[section]))
                words, is_right = SECTIONS[section][key]
                if not is_right(found):
                    _wrong(f"{section}.{key}", found, words)
    sample_rate = (settings.get("audio") or {}).get("sample_rate")
    for section, folder, function in (("features", "features", "compute"), ("baselines", "models/baselines", "embed")):
        for name, entry in (settings.get(section) or {}).items():
            _check_parameters(f"{section}.{name}", PROJECT / "pipelines" / folder / f"{name}.py", function, entry or {})
            if section == "features" and sample_rate:
                _check_spectrum(f"features.{name}", entry or {}, sample_rate)


def _check_parameters(where: str, file: Path, function: str, entry: dict) -> None:
    if not file.exists():
        return  # the stage says which file to write
    parameters = next(
        (
            [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
            for node in ast.parse(file.read_bytes()).body
            if isinstance(node, ast.FunctionDef) and node.name == function and not node.args.kwarg
        ),
        None,
    )
    for key, value in entry.items():
        if parameters is not None and key not in parameters[2:]:  # the first two are the sound, or the features
            _unknown(str(key), where, parameters[2:])
        words, is_right = OF_A_FUNCTION.get(key, ANY)
        if not is_right(value):
            _wrong(f"{where}.{key}", value, words)


def _check_spectrum(where: str, entry: dict, sample_rate: int) -> None:
    """Frequencies that the sample rate has, and mel bands that hold a bin of the FFT."""
    fmin, fmax, nyquist = entry.get("fmin") or 0, entry.get("fmax") or sample_rate / 2, sample_rate / 2
    if entry.get("fmax") and fmax > nyquist:
        _wrong(f"{where}.fmax", fmax, f"at most half of audio.sample_rate, {nyquist:g} Hz")
    if ("fmin" in entry or "fmax" in entry) and fmin >= fmax:
        _wrong(f"{where}.fmin", fmin, f"below fmax, {fmax:g} Hz")
    if "n_mels" in entry and "n_fft" in entry:
        empty = empty_bands(sample_rate, entry["n_fft"], entry["n_mels"], fmin, fmax)
        if empty > MAX_EMPTY * entry["n_mels"]:
            raise SystemExit(
                f"{where} in params.yaml: {empty} of {entry['n_mels']} mel bands lie between two bins of an FFT of "
                f"{entry['n_fft']} samples and would be empty: use fewer n_mels or a longer n_fft"
            )


def empty_bands(sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float) -> int:
    """How many triangles of a mel filter bank (HTK's scale: 2595 log10(1 + f / 700)) hold no bin of the FFT."""

    def mel(hz: float) -> float:
        return 2595 * math.log10(1 + hz / 700)

    low, high = mel(fmin), mel(fmax)
    edges = [700 * (10 ** ((low + (high - low) * n / (n_mels + 1)) / 2595) - 1) for n in range(n_mels + 2)]
    bin_hz, empty = sample_rate / n_fft, 0
    for left, right in zip(edges[:-2], edges[2:], strict=True):
        first = math.floor(left / bin_hz) + 1  # the first bin above the left edge
        empty += first * bin_hz >= right
    return empty


def _unknown(key: str, section: str, known: list[str]) -> None:
    name = f"{section}.{key}" if section else key
    if name in MOVED:
        raise SystemExit(f"{name} in params.yaml is {MOVED[name]} now: write it there")
    near = difflib.get_close_matches(key, known, 1, 0.5) or [word for word in known if word.startswith(key)]
    meant = f"; do you mean {near[0]}?" if near else f": there is {', '.join(known) or 'nothing to set'}"
    raise SystemExit(f"{name} in params.yaml is not known{meant}")


def _wrong(key: str, value: Any, words: str) -> None:
    hint = ""
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", value):
        hint = f" (YAML reads {value} as a word: write {value.lower().replace('e', '.0e')})"
    raise SystemExit(f"{key} in params.yaml is {value!r:.200}, and must be {words}{hint}")
