"""ESC-50: 2,000 recordings of 5 s, 40 in each of 50 classes of environmental sound (Piczak 2015), in five published folds.

A fold is tested on (`fold`), the next one validates, and the other three train. Clips that were cut from one recording have the
same `src_file`, which is their group; the published folds keep them together.

Targets: `category` (50) and `major` (5: animals, natural, human, interior, exterior).

`fold`: 1 to 5 (default 1). `subset`: `esc50` (default), or `esc10`, the ten classes under CC BY. `local`: the unpacked archive.
"""

import csv
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@inproceedings{piczak2015esc,
  author = {Piczak, Karol J.},
  title = {{ESC}: Dataset for Environmental Sound Classification},
  booktitle = {Proceedings of the 23rd ACM International Conference on Multimedia},
  pages = {1015--1018},
  year = {2015},
  doi = {10.1145/2733373.2806390}
}"""
LICENSE_INFO = "ESC-50: CC BY-NC 3.0; its subset ESC-10: CC BY 3.0 (github.com/karolpiczak/ESC-50)"

# the checksum as soundata and HEAR have it
ARCHIVE = Remote(
    "ESC-50-master.zip",
    (
        "https://github.com/karoldvl/ESC-50/archive/master.zip",
        "https://github.com/karolpiczak/ESC-50/archive/master.zip",
    ),
    ("md5:7771e4b9d86d0945acce719c7a59305a",),
)
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."
MAJOR = ("animals", "natural", "human", "interior", "exterior")
"""Of ten classes each, in the order of their numbers."""
COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
FOLDS = range(1, 6)

OPTIONS = ("fold", "local", "subset")


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the list and the clips. Writes clips.parquet, and audio/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    fold = published.option(entry, "fold", 1, FOLDS)
    subset = published.option(entry, "subset", "esc50", ("esc50", "esc10"))
    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "esc50", OTHERWISE)
    lists = [path for path in published.files_below(folder) if path.name == "esc50.csv"]
    if not lists:
        raise DatasetError(f"{folder} has no meta/esc50.csv: it is not ESC-50. {OTHERWISE}")
    listed = read_list(lists[0])
    chosen = [one for one in listed if subset == "esc50" or one["esc10"] == "True"]
    files = {path.name: path for path in published.audio_below(folder)}
    there = {Path(one["filename"]).stem: files[one["filename"]] for one in chosen if one["filename"] in files}
    paths = published.place(there, raw_dir, entry)
    rows = []
    for one in chosen:
        path = paths.get(Path(one["filename"]).stem)
        rows.append(
            published.row(
                path or one["filename"],
                title=f"{one['category'].replace('_', ' ')}, recording {one['src_file']}, take {one['take']}",
                tags=[one["category"]],
                split=side(int(one["fold"]), fold),
                group=f"recording {one['src_file']}",
                source=f"ESC-50, fold {one['fold']}, {one['filename']}",
                licence=LICENSE_INFO,
                target_category=one["category"],
                target_major=MAJOR[int(one["target"]) // 10],
                problem="" if path else f"it is not in {folder}: copy it there, or download it again",
            )
        )
    return published.save(rows, raw_dir, Counter({"not in ESC-10": len(listed) - len(chosen)}))


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def side(fold: int, tested: int) -> str:
    """The side of a clip of `fold` where `tested` is the test fold; the fold after it validates."""
    return {tested: "test", tested % len(FOLDS) + 1: "validation"}.get(fold, "train")


def read_list(path: Path) -> list[dict[str, str]]:
    """The rows of `esc50.csv`. Raises `DatasetError` that names the line for a row that is not as published."""
    rows = list(csv.DictReader(published.read_text(path).splitlines()))
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise DatasetError(f"{path}: its columns should be {', '.join(COLUMNS)}: it is another file")
    for line, row in enumerate(rows, start=2):
        if row["fold"] not in map(str, FOLDS) or row["target"] not in map(str, range(50)) or not row["src_file"]:
            raise DatasetError(
                f"{path}, line {line}: fold {row['fold']!r}, target {row['target']!r}, src_file {row['src_file']!r}: "
                "1 to 5, 0 to 49 and a name are needed; download the list again"
            )
    return rows
