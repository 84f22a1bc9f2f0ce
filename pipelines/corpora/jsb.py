"""JSB Chorales on a grid of 16th notes, as published: 382 chorales of Bach in four voices, split 229/76/77.

    jsb: {module: jsb, imports: pipelines/symbolic, local: /music/jsb}

`local` is a folder with `Jsb16thSeparated.json` of github.com/czhuang/JSB-Chorales-dataset (the split of Boulanger-Lewandowski et
al. 2012, ICML), or that file; it is not downloaded. The file is refused if it is not the published one (SHA-256). It says which
pitch each voice has at each step, and not where a note is repeated: a pitch that stays is one note. There is no metre, tempo or
title. -1 is silence.

The published split puts settings of one hymn on both sides. Chorales with the same music in any key or voice are one group here
(pipelines/symbolic/similarity.py), and the split stays as it was published; so the check `no group in two splits` fails, and the
scores of the family `sequences` stand with and without the test pieces whose group is in the training data.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core.files import atomic, place
from pipelines.notes.scores import QUARTER_S, VELOCITY, regroup
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, Unreadable, array

BIBTEX = """@inproceedings{boulanger2012modeling,
  title={Modeling temporal dependencies in high-dimensional sequences: Application to polyphonic music generation and
    transcription},
  author={Boulanger-Lewandowski, Nicolas and Bengio, Yoshua and Vincent, Pascal},
  booktitle={International Conference on Machine Learning},
  year={2012}
}"""
LICENSE_INFO = "none stated by the source; the music is in the public domain"
FILE = "Jsb16thSeparated.json"
SHA256 = "79294cc374f9252e95ef4b703161524c1c53dc1f712c236f00f1c1f5d54af5a7"
SIDES = {"train": "train", "valid": "validation", "test": "test"}
UNPACKED = Path(".cache/corpora/jsb")
STEPS = 4  # a quarter
VOICES = 4
MAX_STEPS = 100_000

__all__ = ["pieces", "read", "regroup"]


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a chorale, each unpacked into a file of its own. Raises `ValueError` for a file that is not the published one."""
    path = place(entry["local"])
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise ValueError(f"{entry['local']} has no {FILE}: put the file there, or correct `local` of the corpus")
    content = path.read_bytes()
    if (found := hashlib.sha256(content).hexdigest()) != SHA256:
        raise ValueError(
            f"{path.name} is not the published file: its SHA-256 is {found}, and not {SHA256}; get it again"
        )
    rows = []
    for side, chorales_there in json.loads(content).items():
        for number, steps in enumerate(chorales_there):
            single = UNPACKED / SHA256[:16] / f"{side}-{number:03d}.json"
            text = json.dumps(steps, separators=(",", ":")).encode()
            if not single.exists() or single.read_bytes() != text:
                with atomic(single) as temporary:
                    temporary.write_bytes(text)
            rows.append({"path": single.as_posix(), "title": f"{side} {number}", "split": SIDES[side]})
    return pd.DataFrame(rows).assign(
        group="", source=f"JSB Chorales, {FILE}", licence=LICENSE_INFO, sha256="", problem=""
    )


def read(path: Path, content: bytes) -> Piece:
    """A chorale: a list of steps, each of four MIDI numbers, -1 for silence."""
    try:
        steps = json.loads(content)
        grid = np.array(steps, np.int64).reshape(len(steps), VOICES)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Unreadable(f"it is no JSON list of steps of {VOICES} numbers") from error
    if not 0 < len(grid) <= MAX_STEPS or grid.min() < -1 or grid.max() > 127:
        raise Unreadable(f"it has {len(grid)} steps and numbers from {grid.min(initial=0)} to {grid.max(initial=0)}")
    rows = []
    for voice in range(VOICES):
        starts = np.flatnonzero(np.diff(grid[:, voice], prepend=-2))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(grid)], strict=True):
            if grid[start, voice] >= 0:
                times = {"onset": start / STEPS, "duration": (end - start) / STEPS}
                times |= {f"{name}_s": QUARTER_S * value for name, value in times.items()}
                rows.append(
                    {
                        "track": voice,
                        "channel": voice,
                        "pitch": grid[start, voice],
                        "velocity": VELOCITY,
                        **times,
                    }
                )
    notes = array(NOTES, rows)
    length = len(grid) / STEPS
    return Piece(
        notes=notes[np.lexsort([notes["pitch"], notes["track"], notes["onset"]])],
        tempos=array(TEMPOS, []),
        metres=array(METRES, []),
        keys=array(KEYS, []),
        length=length,
        length_s=QUARTER_S * length,
        division=STEPS,
        n_tracks=VOICES,
    )
