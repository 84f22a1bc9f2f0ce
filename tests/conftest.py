"""What holds for all tests: their markers and order, the warm server, numba's cache; and fixtures of small real sound files."""

import gc
import importlib
import os
import signal
from pathlib import Path

import compiled
import numpy as np
import pandas as pd
import pytest
import soundfile
import warm

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # as in the background of a script; what tests start would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.pop("DAGSTER_HOME", None)  # `make` names the project's own, and tests make theirs
# Set here, before anything imports numba.
os.environ["NUMBA_CACHE_DIR"] = str(compiled.folder(os.environ.get("PYTEST_XDIST_WORKER", "main")))


KINDS = ("unit", "stage", "system", "fault")
STAGE = {
    *("stages", "assets", "ops", "harness"),
    *("test_end_to_end.py", "test_hostile_params.py", "test_wide_recipe.py"),
}
"""Folders and files whose tests run stages, commands or Dagster on a small project: unmarked they are `stage`, others `unit`."""

LONGEST = (
    "test_end_to_end.py",
    "deploy/test_team.py",
    "ops/registry/test_retrain.py",
    "ops/registry/test_undecided.py",
    "chaos/test_chaos.py",
    "ops/remotes/test_round_trip.py",
    "stages/test_robustness.py",
    "stages/test_ood.py",
    "tasks/test_a_new_family.py",
    "tasks/fusion/test_fusion_run.py",
    "tasks/classification/test_notes_run.py",
    "test_wide_recipe.py",
    "training/test_training.py",
)
"""Files that take a minute or more in `make test-all`, the longest first. They begin first (see the Makefile's `test`): most of
the last five would otherwise be among the last of all, and one process would end alone with one of them."""


def pytest_configure(config):
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        warm.activate()  # in the processes that run tests, not in the one that starts them
    if hasattr(config, "workerinput"):
        # It searches every loaded module for each type that it trusts: 5 s now, 15 s after collection.
        importlib.import_module("skops.io")


def pytest_collection():
    gc.disable()  # the collector would search the growing heap again and again: a quarter of collection


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    place = {str(here / name): number for number, name in enumerate(LONGEST)}
    assert all(map(os.path.exists, place)), "LONGEST names a file that is not there"
    items.sort(key=lambda item: place.get(str(item.path), len(place)))
    # where warnings are errors, what an earlier test left open is not one of this test's: it comes when garbage is collected
    for module in {item.getparent(pytest.Module) for item in items if item.get_closest_marker("filterwarnings")}:
        for name in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
            module.add_marker(pytest.mark.filterwarnings(f"ignore::{name}"))
    for item in items:
        kinds = [kind for kind in KINDS if item.get_closest_marker(kind)]
        if len(kinds) > 1:
            raise pytest.UsageError(
                f"{item.nodeid} is marked {' and '.join(kinds)}: choose one of {', '.join(KINDS)} (helpers.some adds system)"
            )
        if not kinds:
            item.add_marker("stage" if item.path.relative_to(here).parts[0] in STAGE else "unit")


def pytest_collection_finish():
    gc.enable()
    gc.collect()
    gc.freeze()  # what is imported by now stays: the collector need not look at millions of objects again and again


@pytest.fixture(autouse=True)
def _cold(request, monkeypatch):
    if request.node.get_closest_marker("cold"):
        monkeypatch.delenv(warm.SOCKET, raising=False)


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    """An empty working folder: stages and the hash cache write relative to it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def chord():
    """`chord(frequencies, seconds, rate)`: a decaying chord with a little seeded noise, float32."""

    def make(frequencies=(261.6, 329.6, 392.0), seconds=2.0, rate=16_000, seed=0):
        t = np.arange(int(seconds * rate)) / rate
        tones = sum(np.sin(2 * np.pi * f * t) for f in frequencies) * np.exp(-t)
        noise = np.random.default_rng(seed).standard_normal(len(t))
        return (0.2 * tones + 0.005 * noise).astype(np.float32)

    return make


@pytest.fixture
def songs(tmp_path, chord):
    """A folder as a user might have it: two labels with odd names, five formats, and every kind of bad file.

    Returns (folder, {bad file: a word its reason must have}).
    """
    root = tmp_path / "my songs"
    good = root / "rock 'n' roll", root / "Übung"
    for number, folder in enumerate(good):
        folder.mkdir(parents=True)
        for place, suffix in enumerate(("wav", "flac", "ogg", "mp3", "au")):
            y = chord((220 * (number + 1), 275 * (number + 1), 330), seconds=4 + place / 2, rate=22_050, seed=place)
            soundfile.write(folder / f'a "quoted" näme {place}.{suffix}', np.stack([y, y * 0.5], axis=1), 22_050)
    bad = good[1]
    y = chord(seconds=3)
    (bad / "text.wav").write_text("this is not sound")
    (bad / "empty.wav").touch()
    (bad / "cover.jpg").write_bytes(b"\xff\xd8\xff")
    (bad / "folder.wav").mkdir()
    (bad / "link.wav").symlink_to("/nonexistent")
    soundfile.write(bad / "silent.wav", np.zeros(48_000), 16_000)
    soundfile.write(bad / "short.wav", y[:100], 16_000)
    spoilt = y.copy()
    spoilt[1000] = np.nan
    soundfile.write(bad / "nan.wav", spoilt, 16_000, subtype="FLOAT")
    reasons = {
        "text.wav": "not audio",
        "empty.wav": "empty",
        "cover.jpg": "not an audio file",
        "folder.wav": "folder",
        "link.wav": "link",
        "silent.wav": "silent",
        "short.wav": "too short",
        "nan.wav": "NaN",
    }
    for suffix in ("wav", "flac", "ogg", "mp3", "au", "aiff"):
        whole = bad / f"cut.{suffix}"
        soundfile.write(whole, y, 16_000)
        whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
        reasons[whole.name] = "truncated"
    return root, reasons


@pytest.fixture
def manifest_rows():
    """Forty clips of two styles in three splits, every clip a group."""
    n = 40
    return pd.DataFrame(
        {
            "clip_id": [f"clip{i:02d}" for i in range(n)],
            "group": [f"work{i:02d}" for i in range(n)],
            "sha256": [f"hash{i:02d}" for i in range(n)],
            "split": [("train", "test", "validation", "test")[i % 4] for i in range(n)],
            "tags": [["style:a" if i // 4 % 2 else "style:b"] for i in range(n)],
            "target_style": ["a" if i // 4 % 2 else "b" for i in range(n)],
        }
    )
