"""MAESTRO v3.0.0: 1,276 piano performances of the International Piano-e-Competition, recorded as MIDI (Hawthorne et al. 2019).

    maestro: {module: maestro, imports: pipelines/notes/midi}                        # downloads the MIDI files, 58 MB
    maestro: {module: maestro, imports: pipelines/notes/midi, local: /music/maestro}

`local` is a folder with `maestro-v3.0.0.csv` and the years' folders below it, in any depth. The table's split is the published
one: 962 train, 137 validation, 177 test, and no composition stands on two sides. **The group is the composition**, composer
and title as the table writes them. Target: `composer`, as written ("Franz Schubert / Franz Liszt" is a composer of its own).

The sustain pedal is not kept (`notes/midi/read.py`): a note lasts as long as its key is down. Times are performed ones, and beats
are those of a constant tempo that no player followed: only seconds mean anything.
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

BIBTEX = """@inproceedings{hawthorne2019maestro,
  title = {Enabling Factorized Piano Music Modeling and Generation with the {MAESTRO} Dataset},
  author = {Curtis Hawthorne and Andriy Stasyuk and Adam Roberts and Ian Simon and Cheng-Zhi Anna Huang and Sander Dieleman and
    Erich Elsen and Jesse Engel and Douglas Eck},
  booktitle = {International Conference on Learning Representations},
  year = {2019}
}"""
LICENSE_INFO = "MAESTRO v3.0.0: CC BY-NC-SA 4.0, Google LLC (magenta.tensorflow.org/datasets/maestro)"
# checksum as published on the dataset's page
ARCHIVE = Remote(
    "maestro-v3.0.0-midi.zip",
    ("https://storage.googleapis.com/magentadata/datasets/maestro/v3.0.0/maestro-v3.0.0-midi.zip",),
    ("sha256:70470ee253295c8d2c71e6d9d4a815189e35c89624b76d22fce5a019d5dde12c",),
)
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the corpus."
TABLE = "maestro-v3.0.0.csv"
COLUMNS = ("canonical_composer", "canonical_title", "split", "year", "midi_filename")
SIDES = ("train", "validation", "test")


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a performance of the table. Raises `ValueError` where there is no table, or another one."""
    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "maestro", OTHERWISE)
    below = {path.name: path for path in published.files_below(folder)}
    if TABLE not in below:
        raise DatasetError(f"{folder} has no {TABLE}: put the dataset's folder there, with its table")
    rows = []
    for line, row in enumerate(csv.DictReader(published.read_text(below[TABLE]).splitlines()), start=2):
        if missing := [name for name in COLUMNS if not row.get(name)]:
            raise DatasetError(f"{below[TABLE]}, line {line}: no {missing[0]}: it is another table, or damaged")
        if row["split"] not in SIDES:
            raise DatasetError(f"{below[TABLE]}, line {line}: split {row['split']!r} is none of {', '.join(SIDES)}")
        name = Path(row["midi_filename"]).name
        composer, title = row["canonical_composer"], row["canonical_title"]
        rows.append(
            {
                "path": str(below.get(name, Path(str(folder), row["midi_filename"]))),
                "title": f"{composer}, {title} ({row['year']}, {name})",
                "split": row["split"],
                "group": f"{composer} | {title}",
                "source": f"MAESTRO v3.0.0, {row['midi_filename']}",
                "target_composer": composer,
                "problem": "" if name in below else f"it is not in {folder}: copy it there, or download it again",
            }
        )
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    return midi.read(content)
