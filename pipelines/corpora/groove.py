"""Groove MIDI Dataset v1.0.0: 1,150 drum performances to a click track, by ten drummers (Gillick et al. 2019).

    groove: {module: groove, imports: pipelines/notes/midi}                       # downloads the MIDI files, 3 MB
    groove: {module: groove, imports: pipelines/notes/midi, local: /music/groove}

`local` is a folder with `info.csv` and the drummers' folders below it, in any depth. The split is the published one: 897
train, 124 validation, 129 test. **The group is the session** of a drummer, in which styles, tempos and grooves recur; 17 of 25
sessions stand on several sides of the published split, so the check `no group in two splits` fails and says how many. A
`split` in the entry draws another one, of whole sessions. Targets: `style` (the first word of `funk/groove1`), `kind` (beat or
fill), `drummer`.

Pitches are those of the Roland TD-11, on channel 9; 22 to 26 are among them, which General MIDI does not name. The representation
`drum_grid` maps them to nine drums, as the authors do.
"""

import csv
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote
from pipelines.notes.midi import read as midi
from pipelines.notes.tables import Piece

BIBTEX = """@inproceedings{gillick2019groove,
  title = {Learning to Groove with Inverse Sequence Transformations},
  author = {Jon Gillick and Adam Roberts and Jesse Engel and Douglas Eck and David Bamman},
  booktitle = {International Conference on Machine Learning},
  year = {2019}
}"""
LICENSE_INFO = "Groove MIDI Dataset v1.0.0: CC BY 4.0, Google LLC (magenta.tensorflow.org/datasets/groove)"
# checksum as published on the dataset's page
ARCHIVE = Remote(
    "groove-v1.0.0-midionly.zip",
    ("https://storage.googleapis.com/magentadata/datasets/groove/groove-v1.0.0-midionly.zip",),
    ("sha256:651cbc524ffb891be1a3e46d89dc82a1cecb09a57c748c7b45b844c4841dcc1e",),
)
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the corpus."
TABLE = "info.csv"
COLUMNS = ("drummer", "session", "style", "bpm", "beat_type", "midi_filename", "split")
SIDES = ("train", "validation", "test")


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a performance of the table. Raises `ValueError` where there is no table, or another one."""
    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "groove", OTHERWISE)
    below = published.files_below(folder)
    table = next((path for path in below if path.name == TABLE), None)
    if table is None:
        raise DatasetError(f"{folder} has no {TABLE}: put the dataset's folder there, with its table")
    there = {path.relative_to(table.parent).as_posix() for path in below if path.is_relative_to(table.parent)}
    rows = []
    for line, row in enumerate(csv.DictReader(published.read_text(table).splitlines()), start=2):
        if missing := [name for name in COLUMNS if not row.get(name)]:
            raise DatasetError(f"{table}, line {line}: no {missing[0]}: it is another table, or damaged")
        if row["split"] not in SIDES:
            raise DatasetError(f"{table}, line {line}: split {row['split']!r} is none of {', '.join(SIDES)}")
        name = row["midi_filename"]
        rows.append(
            {
                "path": str(table.parent / name),
                "title": f"{row['drummer']}, {row['style']}, {row['bpm']} bpm, {row['beat_type']} ({Path(name).stem})",
                "split": row["split"],
                "group": row["session"],
                "source": f"Groove MIDI Dataset v1.0.0, {name}",
                "target_style": row["style"].partition("/")[0],
                "target_kind": row["beat_type"],
                "target_drummer": row["drummer"],
                "problem": "" if name in there else f"it is not in {folder}: copy it there, or download it again",
            }
        )
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    return midi.read(content)
