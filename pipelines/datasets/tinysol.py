"""TinySOL: 2,913 single notes of 14 orchestral instruments, one of each (Cella et al. 2020), with pitch and dynamics.

The table `TinySOL_metadata.csv` names each note's file, fold, family, instrument, pitch and dynamics. **The group is the
instrument**: all notes of a violin are of one violin. Without `fold` there is no split (all notes are `all`), and a run that was
trained on other notes can be tested on them. With `fold` (0 to 4) the published folds are the split: that fold tests, the next
validates. They are balanced over instruments, so every test timbre is a training timbre too: the check of groups reports it.

Targets: `family` in NSynth's names (the accordion, a free reed with a keyboard, is an organ, as in General MIDI), `instrument`,
`pitch` (MIDI note number), `dynamics` (pp to ff). The record counts the notes that were made by shifting the pitch of another.

`local`: a folder with the table and the notes, in any depth.
"""

import csv
from pathlib import Path, PurePosixPath

import pandas as pd

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@inproceedings{cella2020orchideasol,
  author = {Cella, Carmine Emanuele and Ghisi, Daniele and Lostanlen, Vincent and L{\\'e}vy, Fabien and Fineberg, Joshua and
    Maresz, Yan},
  title = {{OrchideaSOL}: A Dataset of Extended Instrumental Techniques for Computer-Aided Orchestration},
  booktitle = {Proceedings of the International Computer Music Conference},
  year = {2020}
}"""
LICENSE_INFO = "TinySOL: CC BY 4.0, IRCAM (zenodo.org/record/3685367)"

# checksums as mirdata has them
URL = "https://zenodo.org/record/3685367/files"
ARCHIVE = Remote("TinySOL.tar.gz", (f"{URL}/TinySOL.tar.gz?download=1",), ("md5:36030a7fe389da86c3419e5ee48e3b7f",))
TABLE = Remote(
    "TinySOL_metadata.csv", (f"{URL}/TinySOL_metadata.csv?download=1",), ("md5:a86c9bb115f69e61f2f25872e397fc4a",)
)
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."

# abbreviation: NSynth's family
FAMILY = {
    "Acc": "organ", "ASax": "reed", "Bn": "reed", "BTb": "brass", "Cb": "string", "ClBb": "reed", "Fl": "flute", "Hn": "brass",
    "Ob": "reed", "Tbn": "brass", "TpC": "brass", "Va": "string", "Vc": "string", "Vn": "string",
}  # fmt: skip
COLUMNS = ("Path", "Fold", "Instrument (abbr.)", "Instrument (in full)", "Pitch ID", "Dynamics")
RESAMPLED = ("Resampled", "Needs digital retuning")
"""What the column is called that says if a note was made from its neighbour."""
FOLDS = range(5)

OPTIONS = ("fold", "local")


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the table and the notes. Writes clips.parquet, and audio/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    fold = published.option(entry, "fold", None, (None, *FOLDS))
    listed, bad = read_table(published.metadata(TABLE, entry, "tinysol", OTHERWISE))
    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "tinysol", OTHERWISE)
    files = {path.stem: path for path in published.audio_below(folder)}
    stems = {one["Path"]: PurePosixPath(one["Path"]).stem for one in listed}
    there = {path.removesuffix(".wav"): files[stem] for path, stem in stems.items() if stem in files}
    paths = published.place(there, raw_dir, entry)
    rows = [published.row(where, source=where, licence=LICENSE_INFO, problem=why) for where, why in bad]
    for one in listed:
        path = paths.get(one["Path"].removesuffix(".wav"))
        name = one["Instrument (in full)"]
        rows.append(
            published.row(
                path or one["Path"],
                title=f"{name}, note {one['Pitch ID']}, {one['Dynamics']}",
                tags=[f"family:{FAMILY[one['Instrument (abbr.)']]}", f"instrument:{name}"],
                split="all" if fold is None else side(int(one["Fold"]), fold),
                group=name,
                source=f"TinySOL, fold {one['Fold']}, {one['Path']}",
                licence=LICENSE_INFO,
                target_family=FAMILY[one["Instrument (abbr.)"]],
                target_instrument=name,
                target_pitch=one["Pitch ID"],
                target_dynamics=one["Dynamics"],
                problem="" if path else f"it is not in {folder}: copy it there, or download it again",
            )
        )
    shifted = sum((one.get(key) or "").upper() == "TRUE" for one in listed for key in RESAMPLED)
    return published.save(rows, raw_dir, {}, **{"notes made by shifting the pitch of another": shifted})


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def side(fold: int, tested: int) -> str:
    """The side of a note of `fold` where `tested` is the test fold; the fold after it validates."""
    return {tested: "test", (tested + 1) % len(FOLDS): "validation"}.get(fold, "train")


def read_table(path: Path) -> tuple[list[dict[str, str]], list[tuple[str, str]]]:
    """(rows, [(line, problem)]) of `TinySOL_metadata.csv`. Raises `DatasetError` for another table."""
    rows = list(csv.DictReader(published.read_text(path).splitlines()))
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise DatasetError(f"{path}: its columns should include {', '.join(COLUMNS)}: it is another file")
    good, bad = [], []
    for line, row in enumerate(rows, start=2):
        where = f"{path.name}, line {line}"
        if row["Instrument (abbr.)"] not in FAMILY:
            bad.append((where, f"no instrument {row['Instrument (abbr.)']!r} in TinySOL: download the table again"))
        elif not (row["Pitch ID"] or "").isdigit() or row["Fold"] not in map(str, FOLDS):
            bad.append(
                (where, f"pitch {row['Pitch ID']!r}, fold {row['Fold']!r}: no numbers; download the table again")
            )
        else:
            good.append(row)
    return good, bad
