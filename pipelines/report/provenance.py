"""Provenance of a run: commit, libraries, seeds, datasets by split, and unusable files with reasons."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

import pandas as pd
import yaml

from pipelines.core import max_quarantined
from pipelines.core.files import read_json
from pipelines.core.splits import is_grouped
from pipelines.report.state import Dataset, State

LIBRARIES = (
    "numpy", "scipy", "scikit-learn", "umap-learn", "torch", "lightning", "librosa", "soundfile", "soxr", "music21", "symusic",
    "pandas", "pyarrow", "dvc", "dagster",
)  # fmt: skip
SOURCES = ("pipelines", "params.yaml", "dvc.yaml", "constraints.txt", "pyproject.toml")  # what makes a figure
RESULTS = (
    "dvc.lock",
    "reports",
    ":!reports/index.html",
    ":!reports/pages",
)  # kept in git; a run changes them, and they say nothing about the code
# sections of params.yaml that the page does not show: they are no number of a stage's, or the manifests' alone
UNSHOWN = ("max_quarantined", "withdrawn", "registry", "retention", "alerts")
MAX_FILES = 500  # of the quarantine list on the page


def git() -> dict | None:
    """`{"commit", "changed": [path, ...], "results": [path, ...]}`: the commit, and which of its sources and results differ
    from it now. None outside git."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit.strip(), "changed": _changed(SOURCES), "results": _changed(RESULTS)}


def _changed(paths: tuple[str, ...]) -> list[str]:
    output = _git("status", "--porcelain", "--untracked-files=all", "-z", "--", *paths) or ""
    return sorted(line[3:] for line in output.split("\0") if line[2:3] == " ")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError:  # no git on this machine
        return None
    return done.stdout if done.returncode == 0 else None


def libraries() -> list[tuple[str, str]]:
    """(name, version) of what computes, as installed when the page is made."""
    found = [("python", platform.python_version())]
    for name in LIBRARIES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def seeds(settings: dict) -> list[tuple[str, int]]:
    """(dotted key, value) of every seed of the stages."""

    def walk(value: dict, prefix: str):
        for key, inner in value.items():
            if isinstance(inner, dict):
                yield from walk(inner, f"{prefix}{key}.")
            elif key == "seed":
                yield prefix + key, inner

    return list(walk(shown(settings), ""))


def parameters(settings: dict) -> list[tuple[str, str]]:
    """(section of params.yaml, its YAML)."""
    return [(name, plain_yaml(value)) for name, value in shown(settings).items()]


def shown(settings: dict) -> dict:
    """The sections that the page shows, and that dvc.yaml has it depend on."""
    return {name: value for name, value in settings.items() if name not in UNSHOWN}


def plain_yaml(value) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).removesuffix("...\n").strip()


def dataset_facts(dataset: Dataset, sample_rate: int) -> dict:
    """Counts, hours, sources, licences and quarantine of one dataset.

    `splits`: (split, clips) in the order train, validation, test, all; `tested`, `trained`: is there a test, a train split.
    `sources`: as `sources` gives them; `raw`: what the raw stage said of the dataset, YAML.
    `refused`: (reason, files); `files`: (path, stage, reason) of at most `MAX_FILES`, the rest counted in `more`.
    `classes`: (target, `class_counts`). `rendered`: is the sound a synthesizer's.
    """
    clips, quarantine = dataset.clips, dataset.quarantine
    splits = clips["split"].value_counts()
    reasons = quarantine["reason"].map(max_quarantined.kind).value_counts(sort=False).sort_index()
    listed = quarantine.sort_values(["stage", "path"]).head(MAX_FILES)
    return {
        "name": dataset.name,
        "module": dataset.entry["module"],
        "clips": len(clips),
        "scored": int(dataset.scored.sum()),
        "hours": int(clips["length"].sum()) / sample_rate / 3600,
        "tested": "test" in splits,
        "trained": "train" in splits,
        "splits": [(name, int(splits[name])) for name in ("train", "validation", "test", "all") if name in splits],
        "groups": int(clips["group"].nunique()) if is_grouped(clips) else None,
        "copies": int(clips["duplicate_of"].notna().sum()),
        "sources": sources(clips),
        "raw": plain_yaml(dataset.raw_figures) if dataset.raw_figures else "",
        "quarantined": len(quarantine),
        "refused": [(reason, int(n)) for reason, n in reasons.items()],
        "files": list(listed[["path", "stage", "reason"]].itertuples(index=False, name=None)),
        "more": max(0, len(quarantine) - MAX_FILES),
        "classes": [
            (column.removeprefix("target_"), class_counts(clips, dataset.scored, column))
            for column in clips.columns
            if column.startswith("target_")
        ],
        "rendered": rendered(dataset),
    }


def sources(clips: pd.DataFrame) -> list[tuple[str, str, int]]:
    """(source, licence, clips) by licence; of more than three sources under one licence, the first and how many more."""
    found = []
    for licence, part in clips.groupby("licence", sort=True):
        names = sorted(part["source"].unique())
        if len(names) > 3:
            found.append((f"{names[0]} and {len(names) - 1:,} more", licence, len(part)))
        else:
            found += [(name, licence, int((part["source"] == name).sum())) for name in names]
    return found


def class_counts(clips: pd.DataFrame, scored: pd.Series, column: str) -> list[tuple[str, int, int]]:
    """(class, clips, scored clips), by name."""
    every, tested = clips[column].value_counts(), clips.loc[scored, column].value_counts()
    return [(name, int(every[name]), int(tested.get(name, 0))) for name in sorted(every.index)]


def rendered(dataset: Dataset) -> bool:
    """Is the sound made from notes by a synthesizer? A dataset that brings notes as notated (`NOTES`) says so."""
    return dataset.notes is not None


def checks(records: list[tuple[str, str]]) -> list[dict]:
    """What the stages found true or false of their outputs, from their records (stage, path): `{"stage", "name", "passed",
    "detail"}` each."""
    return [
        {"stage": stage, "name": name, **found}
        for stage, path in records
        if Path(path).exists()
        for name, found in read_json(path).get("checks", {}).items()
    ]


def precisions(state: State) -> list[tuple[str, str]]:
    """(tagger, precision it was trained in)."""
    return [(name, config.get("figures", {}).get("precision", "unknown")) for name, config in state.taggers.items()]
