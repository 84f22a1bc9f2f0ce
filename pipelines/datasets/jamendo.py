"""MTG-Jamendo: 55,000 full tracks under Creative Commons with the tags their uploaders gave (Bogdanov et al. 2019).

`split` 0 to 4: the five published splits, no artist on two sides. The literature's figures are of split 0.
`subset`: `top50tags` (default; split 0 has 32,136 / 10,888 / 11,356 tracks), `genre`, `instrument`, `moodtheme`, or `all`
    (195 tags, less those that are not in every split).
`quality`: `low` (default): mono MP3s of low bit rate made by the publishers, what taggers at 16 kHz need. `full`: the MP3s
    of 320 kbit/s, 508 GB.
`archives`: `all` (default), or a list of 0 to 99: the tracks whose number modulo 100 is in it. One archive is a
    hundredth of the dataset; all three sides of a split have tracks in it.
`local`: a folder that holds `<two digits>/<track>.mp3` or `.low.mp3` (of a track with both, that of `quality`), and, if you
    have them, the TSV files below `split-<n>/` (those below no such folder are taken for split 0).

An archive comes from one of two hosts of the publishers, is checked against their own SHA-256 list, unpacked and deleted
before the next. A row of a TSV has as many columns as tags and five more; a row that cannot be read goes to quarantine.
Tags are as published (`genre---rock`, alphabetical order is that of the published taggers' outputs). A clustering target
(`genre`, `instrument`, `moodtheme`) is a track's tag of that kind where it has exactly one, else empty.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@conference{bogdanov2019mtg,
  author = {Bogdanov, Dmitry and Won, Minz and Tovstogan, Philip and Porter, Alastair and Serra, Xavier},
  title = {The MTG-Jamendo Dataset for Automatic Music Tagging},
  booktitle = {Machine Learning for Music Discovery Workshop, International Conference on Machine Learning (ICML 2019)},
  year = {2019},
  url = {http://hdl.handle.net/10230/42015}
}"""
LICENSE_INFO = (
    "audio: Creative Commons, another licence for each track: audio_licenses.txt of github.com/MTG/mtg-jamendo-dataset; "
    "metadata: CC BY-NC-SA 4.0"
)

# the publishers' folder data/ with all splits and lists; address and checksum from mirdata 1.0
METADATA = Remote(
    "data.zip",
    ("https://zenodo.org/record/3826813/files/data.zip?download=1",),
    ("md5:039ce10f267f6e4e9f72837c76d72b2f",),
)
# younger than that archive
LOW_LIST = Remote(
    "raw_30s_audio-low_sha256_tars.txt",
    (
        "https://raw.githubusercontent.com/MTG/mtg-jamendo-dataset/d6252e4a3b378ba045b0159401b805b3a0cfe9de/data/download/"
        "raw_30s_audio-low_sha256_tars.txt",
    ),
    ("sha256:9c28e6090fac7fae7274296622e8fc8b6e905672c18707ac02c8be716d4623c3",),
)
HOSTS = ("https://cdn.freesound.org/mtg-jamendo", "https://essentia.upf.edu/documentation/datasets/mtg-jamendo")

OPTIONS = ("split", "subset", "quality", "archives", "local")
SUBSETS = {
    "all": "autotagging",
    "top50tags": "autotagging_top50tags",
    "genre": "autotagging_genre",
    "instrument": "autotagging_instrument",
    "moodtheme": "autotagging_moodtheme",
}
SIDES = ("train", "validation", "test")
HEADER = ["TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS"]
TARGETS = {"target_genre": "genre---", "target_instrument": "instrument---", "target_moodtheme": "mood/theme---"}
KINDS = {"low": "audio-low", "full": "audio"}
N_ARCHIVES = 100

TRACK = re.compile(r"track_\d+")
AUDIO = re.compile(r"(\d\d)/(\d+)\.mp3")
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the lists and the tracks. Writes clips.parquet, and audio/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    split = published.option(entry, "split", 0, range(5))
    subset = published.option(entry, "subset", "top50tags", SUBSETS)
    quality = published.option(entry, "quality", "low", KINDS)
    wanted = _archives(entry)
    rows, left_out, seen = [], Counter(), set()
    for side in SIDES:
        for row in read_tsv(_list(entry, split, f"{SUBSETS[subset]}-{side}.tsv"), side, f"split-{split}, {subset}"):
            if not row["problem"] and int(row["path"][:2]) not in wanted:
                left_out["in archives that were not selected"] += 1
                continue
            if row["path"] in seen:
                row["problem"], row["path"] = "the track is in the split's lists twice", f"{row['path']} in {side}"
            seen.add(row["path"])
            rows.append(row)
    if not rows:
        raise DatasetError(f"no track of the lists is in the selected archives ({entry.get('archives', 'all')})")
    files = _audio(entry, quality, wanted)
    paths = published.place({key: files[key] for key in (_key(row) for row in rows) if key in files}, raw_dir, entry)
    for row in rows:
        if not row["problem"] and _key(row) not in paths:
            row["problem"] = f"it is not in {entry.get('local') or 'the archive'}: copy it there, or download it again"
        row["path"] = paths.get(_key(row), row["path"])
    good = [row for row in rows if not row["problem"]]
    return published.save(
        rows,
        raw_dir,
        left_out,
        tags=len({tag for row in good for tag in row["tags"]}),
        artists=len({row["group"] for row in good}),
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def read_tsv(path: Path, side: str, version: str) -> list[dict]:
    """A row a line of a split's TSV; a line that cannot be read is a row too, with its `problem`."""
    lines = published.read_text(path).splitlines()
    if not lines or lines[0].split("\t") != HEADER:
        raise DatasetError(f"{path}: its first line should be {' '.join(HEADER)} between tabs: it is another file")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        fields = line.split("\t")
        problem = _flaw(fields)
        if problem:
            where = f"{path.name}, line {number}"
            rows.append(
                published.row(where, source=where, licence=LICENSE_INFO, problem=f"{problem}: download the list again")
            )
            continue
        track, artist, _, audio, _, *tags = fields
        targets = {
            name: [tag.removeprefix(kind) for tag in tags if tag.startswith(kind)] for name, kind in TARGETS.items()
        }
        rows.append(
            published.row(
                audio,
                title=track,
                tags=tags,
                split=side,
                group=artist,
                source=f"MTG-Jamendo, {version}, {track}",
                licence=LICENSE_INFO,
                **{name: found[0] if len(found) == 1 else None for name, found in targets.items()},
            )
        )
    return rows


def read_checksums(path: Path) -> dict[str, str]:
    """Archive -> SHA-256, of the publishers' list with a line `<sha256> <archive>` each."""
    found = {}
    for number, line in enumerate(published.read_text(path).splitlines(), start=1):
        match = re.fullmatch(r"([0-9a-f]{64}) +(\S+-(\d\d)\.tar)", line.strip())
        if not match:
            raise DatasetError(f"{path}, line {number}: {line!r} is no checksum and archive: download the list again")
        found[match[2]] = match[1]
    return found


def _flaw(fields: list[str]) -> str:
    """What is wrong with a line of a TSV, or ""."""
    if len(fields) < len(HEADER):
        return f"{len(fields)} columns, and there must be at least {len(HEADER)}"
    audio = AUDIO.fullmatch(fields[3])
    if not TRACK.fullmatch(fields[0]) or not audio or int(fields[0][6:]) != int(audio[2]):
        return f"{fields[0]} with the file {fields[3]}, which is not its own"
    if int(audio[2]) % N_ARCHIVES != int(audio[1]):
        return f"{fields[3]} is not in the folder of its number"
    if not all("---" in tag for tag in fields[5:]):
        return f"a tag without a kind in {' '.join(fields[5:])!r}"
    return ""


def _archives(entry: dict) -> set[int]:
    asked = entry.get("archives", "all")
    found = set(range(N_ARCHIVES)) if asked == "all" else set(asked) if isinstance(asked, list) else set()
    if not found or not found <= set(range(N_ARCHIVES)):
        raise DatasetError(f"archives: {asked} in params.yaml; it may be all, or a list of numbers from 0 to 99")
    return found


def _list(entry: dict, split: int, name: str) -> Path:
    """A TSV of the `local` folder, else of the publishers' metadata."""
    if local := entry.get("local"):
        same = [path for path in published.files_below(local) if path.name == name]
        folders = {path.parent.name: path for path in same}
        if f"split-{split}" in folders:
            return folders[f"split-{split}"]
        loose = [path for path in same if not path.parent.name.startswith("split-")]
        if split == 0 and loose:
            return loose[0]
    return _metadata(f"splits/split-{split}/{name}")


def _metadata(path: str) -> Path:
    folder = published.fetch_archive([METADATA], "jamendo", OTHERWISE)
    for root in (folder, folder / "data"):
        if (root / path).is_file():
            return root / path
    raise DatasetError(
        f"{path} is not in the publishers' {METADATA.name}: download it from the repository and use `local`"
    )


def _audio(entry: dict, quality: str, wanted: set[int]) -> dict[str, Path]:
    """`15/215` -> its file."""
    if local := entry.get("local"):
        folders = [Path(local)]
    else:
        name = f"raw_30s_{KINDS[quality]}_sha256_tars.txt"
        listed = published.fetch(LOW_LIST, "jamendo", OTHERWISE) if quality == "low" else _metadata(f"download/{name}")
        folders = [
            published.fetch_archive([_remote(quality, archive, sha)], "jamendo", OTHERWISE)
            for archive, sha in read_checksums(listed).items()
            if int(archive[-6:-4]) in wanted
        ]
    files = [path for folder in folders for path in published.audio_below(folder)]
    files.sort(key=lambda path: (".low." in path.name) == (quality == "low"))  # the last of a track's files is taken
    return {f"{path.parent.name}/{path.name.partition('.')[0]}": path for path in files}


def _remote(quality: str, archive: str, sha256: str) -> Remote:
    return Remote(archive, tuple(f"{host}/raw_30s/{KINDS[quality]}/{archive}" for host in HOSTS), (f"sha256:{sha256}",))


def _key(row: dict) -> str:
    return row["path"].removesuffix(".mp3")
