"""The keys of params.yaml and their allowed values, checked before anything is run. The error for an unknown key names the
nearest known one.

Everything that dvc.yaml reads must be present (`recipe.py`). The parameters of a feature or baseline are those of its function.
No stage imports this package, so a changed rule makes no stage stale.
"""

import math
import re
from pathlib import Path
from typing import Any

from pipelines.core import params
from pipelines.ops.settings import alerts, code, corpora, datasets, encoders, learning, recipe, tasks, views
from pipelines.ops.settings.kinds import (
    ANY,
    COUNT,
    RATE,
    SEED,
    SHARE,
    WORD,
    YES_OR_NO,
    missing,
    nearest,
    number,
    one_of,
    or_null,
    some_of,
    table,
    unknown,
    whole,
    wrong,
)  # fmt: skip

MAX_EMPTY = 0.05
"""Share of a feature's mel bands that may lie between two bins of its FFT. The published taggers' front end has 1 of 128."""
DRAWS = {"n_bootstrap": COUNT, "n_permutations": COUNT, "seed": SEED}


def _classes(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(names, list) and names for names in value.values())


def _margins(value: Any) -> bool:
    return isinstance(value, dict) and all(map(number(0, above=True)[1], value.values()))


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
        "sample_rate": RATE,
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
        "degradations": some_of("noise_20db", "noise_10db", "mp3_64", "pitch_up", "pitch_down", "excerpt_3s"),
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
    "registry": {
        "margins": dict.fromkeys(("roc_auc", "pr_auc", "probe"), number(0, 1, above=True)),
        "task_margins": ("margins by family of tasks, as in {notes: 0.03}", _margins),
        "probe": one_of("linear", "knn"),
        "drift": {"bins": whole(2), "max_clips": whole(2), "n_permutations": COUNT, "seed": SEED},
        "n_bootstrap": COUNT,
        "seed": SEED,
        "automatic": YES_OR_NO,
    },
    "report": {
        "excerpt_s": number(0, above=True),
        **dict.fromkeys(("max_players", "n_queries", "n_examples"), whole(0, "none")),
        "link_clips": YES_OR_NO,
        "training_sd": SHARE,
    },
}
"""Section -> key -> (what it must be, in words; the test), or the keys of a table in it."""

_AGE = {"keep_days": number(0, 1e6, below=True), "keep_last": number(0, 1e6, below=True)}
LEFT_OUT = {
    "alerts": alerts.RULES,
    "retention": {
        "experiments": _AGE,
        "retrainings": _AGE,
        "cache": {"keep_days": _AGE["keep_days"]},
        "runs": _AGE,
        "automatic": YES_OR_NO,
    },
}
"""Sections of the same form that may be left out or empty: the defaults hold, and no alert is sent."""

OPTIONAL = {
    "executor": ("kind", "workers", "address", "device"),
    "training": ("devices", "leave_out"),
    "registry": ("task_margins",),
}
"""Keys that stages do without."""

TABLES = {
    "withdrawn": ("a table from SHA-256 (64 hex digits) to why, {} for none", _contents),
    "max_quarantined": (
        "a table of shares from 0 to 1, with a default",
        lambda value: isinstance(value, dict) and "default" in value,
    ),
}
ENTRIES = (
    "datasets", "corpora", "features", "symbols", "recipes", "taggers", "baselines", "encoders", "views", "combined", "tasks",
    "runs", "cross_tests",
)  # fmt: skip
"""Sections whose keys are names."""

MOVED = {"audio.max_quarantined": "max_quarantined.default", "tagging": "tasks.tagging"}

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


def load_params(path: Path = params.PARAMS) -> dict[str, Any]:
    """All parameters, as `params.read` gives them, once `check` has passed them. Raises what both do."""
    settings = params.read(path)
    check(settings, path.parent)
    return settings


def check(settings: dict, project: Path) -> None:
    """Raise `SystemExit` with one sentence for the first key that is not known, value that no stage takes, or parameter that is
    missing though the recipe of `project` reads it."""
    known = [*SECTIONS, *TABLES, *ENTRIES, *LEFT_OUT]
    for section in settings:
        if section in MOVED:
            _moved(section)
        if section not in known:
            unknown(section, "", known)
    reads = recipe.reads(project / "dvc.yaml")
    for section, value in settings.items():
        if section in TABLES and not TABLES[section][1](value):
            wrong(section, value, TABLES[section][0])
        elif section in SECTIONS:
            if isinstance(value, dict):
                for key in set(value) & {name.partition(".")[2] for name in MOVED}:
                    _moved(f"{section}.{key}")
            required = [key for key in SECTIONS[section] if key not in OPTIONAL.get(section, ())]
            table(section, value, SECTIONS[section], required if section in reads.keys else ())
        elif section in LEFT_OUT and value is not None:
            table(section, value, LEFT_OUT[section])
        elif section in ENTRIES and not isinstance(value, dict):
            wrong(section, value, "a table, {} for an empty one")
    for key in reads.keys:
        _there(key, settings)
    named, there = (settings.get("training") or {}).get("dataset"), settings.get("datasets", {})
    if named is not None and named not in there:
        near = nearest(named, there)
        meant = f"; do you mean {near}?" if near else f": `datasets` has {', '.join(there) or 'none'}"
        raise SystemExit(f"training.dataset in params.yaml is {named!r}{meant}")
    alerts.check(settings.get("alerts") or {})
    for name, share in settings.get("max_quarantined", {}).items():
        if name not in {"default", *there, *(settings.get("corpora") or {})}:
            unknown(name, "max_quarantined", ["default", *there, *(settings.get("corpora") or {})])
        if not SHARE[1](share):
            wrong(f"max_quarantined.{name}", share, SHARE[0])
    datasets.check(there, reads)
    corpora.check(settings, reads)
    views.check(settings)
    audio = settings.get("audio") or {}
    shortest, longest, sample_rate = (audio.get(key) for key in ("min_duration_s", "max_duration_s", "sample_rate"))
    if shortest is not None and longest is not None and longest < shortest:
        wrong("audio.max_duration_s", longest, f"at least audio.min_duration_s, {shortest:g} s")
    for section, folder, function in (("features", "features", "compute"), ("baselines", "models/baselines", "embed")):
        for name, entry in settings.get(section, {}).items():
            _check_parameters(section, name, f"pipelines/{folder}", function, entry, reads)
            if section == "features" and sample_rate:
                _check_spectrum(f"features.{name}", entry, sample_rate)
    for name in reads.features - set(settings.get("features", {})):
        raise SystemExit(f"features.{name} is missing in params.yaml: stages of dvc.yaml read data/features/*/{name}")
    learning.check(settings, reads)
    encoders.check(settings)
    tasks.check(settings, reads)


def _there(key: str, settings: dict) -> None:
    """Raise `SystemExit` where a parameter that the recipe reads, as `audio.sample_rate`, is not there."""
    at, rule = settings, {**SECTIONS, **TABLES, **LEFT_OUT}
    for part in key.split("."):
        rule = rule.get(part, ANY) if isinstance(rule, dict) else ANY
        if not isinstance(at, dict) or part not in at:
            missing(key, rule if rule is not ANY else ("a table, {} for an empty one", None))
        at = at[part]


def _moved(name: str) -> None:
    raise SystemExit(f"{name} in params.yaml is {MOVED[name]} now: write it there")


def _check_parameters(section: str, name: str, folder: str, function: str, entry: dict, reads: recipe.Reads) -> None:
    where = f"{section}.{name}"
    if not (code.PROJECT / folder / f"{name}.py").exists():
        if reads.files(folder):
            code.no_file(where, folder, name)
        return
    if (found := code.parameters(f"{folder}/{name}.py", function)) is None:
        return
    known, required = found
    for key, value in entry.items():
        if key not in known:
            unknown(key, where, known)
        words, is_right = OF_A_FUNCTION.get(key, ANY)
        if not is_right(value):
            wrong(f"{where}.{key}", value, words)
    for key in required:
        if key not in entry:
            missing(f"{where}.{key}", OF_A_FUNCTION.get(key, ANY))


def _check_spectrum(where: str, entry: dict, sample_rate: int) -> None:
    """Frequencies that the sample rate has, and mel bands that hold a bin of the FFT."""
    fmin, fmax, nyquist = entry.get("fmin") or 0, entry.get("fmax") or sample_rate / 2, sample_rate / 2
    if entry.get("fmax") and fmax > nyquist:
        wrong(f"{where}.fmax", fmax, f"at most half of audio.sample_rate, {nyquist:g} Hz")
    if ("fmin" in entry or "fmax" in entry) and fmin >= fmax:
        wrong(f"{where}.fmin", fmin, f"below fmax, {fmax:g} Hz")
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
