"""Chords: made sound with tags, splits and works, small enough to be trained on in seconds. Copied into the project of the
chaos tests as its dataset module."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

BIBTEX, LICENSE_INFO = "", "none"

RATE, SECONDS, WORKS, CLIPS_A_WORK = 16_000, 2, 24, 2
STYLES = {"major": (4, 7), "minor": (3, 7), "fourths": (5, 10)}  # semitones above the root
SPLITS = ("train", "test", "train", "validation")


def build(raw_dir: Path, entry: dict) -> dict:
    for number in range(WORKS * CLIPS_A_WORK):
        work, style = number // CLIPS_A_WORK, list(STYLES.values())[number // CLIPS_A_WORK % 3]
        root = 110 * 2 ** (work / 12) * (4 if work % 2 else 1)
        t = np.arange(RATE * SECONDS) / RATE
        y = sum(np.sin(2 * np.pi * root * 2 ** (step / 12) * t) for step in (0, *style))
        noise = np.random.default_rng(number).standard_normal(len(t))
        soundfile.write(raw_dir / f"{number:02d}.wav", 0.2 * y + 0.005 * noise, RATE, subtype="PCM_16")
    return {"clips": WORKS * CLIPS_A_WORK}


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    works = [number // CLIPS_A_WORK for number in range(WORKS * CLIPS_A_WORK)]
    styles = [list(STYLES)[work % 3] for work in works]
    registers = ["high" if work % 2 else "low" for work in works]
    return pd.DataFrame(
        {
            "path": [f"{number:02d}.wav" for number in range(len(works))],
            "title": [f"chord {number}" for number in range(len(works))],
            "tags": [[f"style:{s}", f"register:{r}"] for s, r in zip(styles, registers, strict=True)],
            "split": [SPLITS[work // 6] for work in works],
            "group": [f"work {work}" for work in works],
            "source": "made here",
            "licence": LICENSE_INFO,
            "target_style": styles,
            "target_register": registers,
        }
    )
