"""MagnaTagATune: 25,863 clips of 29 s with 188 tags from the game TagATune (Law et al. 2009).

The usual protocol of tagging papers: folders 0 to b train, c validates, d to f test (12:1:3); the 50 tags with most clips.
The clips are of 230 artists, and the split is by folder: artists are on both sides, and the manifest's check reports it.

`untagged`: `leave_out` (default, as the papers do): clips without one of the 50 tags are not used, and counted. `keep`: they
    stay, with no tags.
`group`: `artist` (default), or `song`: then the check is that no song is on two sides, which is weaker.
`local`: a folder that holds `<0 to f>/<clip>.mp3`, and, if you have them, the two tables.

Three of the published files are empty (`EMPTY`) and go to quarantine. Tags are as published, synonyms (`female vocal`,
`female voice`) and all. The clustering target `genre` is the one tag among `GENRES`, a choice made here, of a clip that
has exactly one; else it is empty.
"""

import csv
import re
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@inproceedings{law2009evaluation,
  author = {Law, Edith and West, Kris and Mandel, Michael and Bay, Mert and Downie, J. Stephen},
  title = {Evaluation of Algorithms Using Games: The Case of Music Tagging},
  booktitle = {Proceedings of the 10th International Society for Music Information Retrieval Conference},
  year = {2009}
}"""
LICENSE_INFO = "Magnatune's recordings and TagATune's annotations: CC BY-NC-SA 3.0 (tagatune.org/Magnatagatune.html)"

# checksums as several independent loaders on GitHub have them, Choi's kapre first; neither host nor mirdata publishes any
HOSTS = ("https://mirg.city.ac.uk/datasets/magnatagatune", "http://mi.soi.city.ac.uk/datasets/magnatagatune")
MD5 = {
    "mp3.zip.001": "179c91c8c2a6e9b3da3d4e69d306fd3b",
    "mp3.zip.002": "acf8265ff2e35c6ff22210e46457a824",
    "mp3.zip.003": "582dc649cabb8cd991f09e14b99349a5",
    "clip_info_final.csv": "03ef3cb8ddcfe53fdcdb8e0cda005be2",
    "annotations_final.csv": "f04fa01752a8cc64f6e1ca142a0fef1d",
}
REMOTES = {name: Remote(name, tuple(f"{host}/{name}" for host in HOSTS), (f"md5:{md5}",)) for name, md5 in MD5.items()}
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."

EMPTY = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
)
"""Published with 0 bytes."""

OPTIONS = ("untagged", "group", "local")
N_TAGS = 50
SIDES = {folder: "train" for folder in "0123456789ab"} | {"c": "validation"} | {folder: "test" for folder in "def"}
GENRES = (
    "ambient",
    "classical",
    "country",
    "dance",
    "electronic",
    "indian",
    "metal",
    "new age",
    "opera",
    "pop",
    "rock",
    "techno",
)
AUDIO = re.compile(r"[0-9a-f]/[^/]+\.mp3")


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find tables and clips. Writes clips.parquet, and audio/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    untagged = published.option(entry, "untagged", "leave_out", ("leave_out", "keep"))
    by = published.option(entry, "group", "artist", ("artist", "song"))
    names = ("annotations_final.csv", "clip_info_final.csv")
    tables = [published.metadata(REMOTES[name], entry, "magnatagatune", OTHERWISE) for name in names]
    annotated, bad = read_annotations(tables[0])
    info = read_info(tables[1])
    top = top_tags(annotated)
    chosen = {path: [tag for tag in tags if tag in top] for path, (_, tags) in annotated.items()}
    left_out = Counter({"without one of the top tags": sum(not tags for tags in chosen.values())})
    if untagged == "keep":
        left_out.clear()
    else:
        chosen = {path: tags for path, tags in chosen.items() if tags}
    parts = [remote for name, remote in REMOTES.items() if name.startswith("mp3.zip")]
    folder = entry.get("local") or published.fetch_archive(parts, "magnatagatune", OTHERWISE)
    files = {f"{path.parent.name}/{path.stem}": path for path in published.audio_below(folder)}
    keys = {path: path.removesuffix(".mp3") for path in chosen}
    paths = published.place({key: files[key] for key in keys.values() if key in files}, raw_dir, entry)
    rows = [published.row(where, source=where, licence=LICENSE_INFO, problem=why) for where, why in bad]
    for path, tags in chosen.items():
        clip = info.get(annotated[path][0], {})
        genres = [tag for tag in tags if tag in GENRES]
        song = "/".join(clip[name] for name in ("artist", "album", "track_number")) if clip else path
        rows.append(
            published.row(
                paths.get(keys[path], path),
                title=f"{clip['artist']}: {clip['title']}" if clip else path,
                tags=tags,
                split=SIDES[path[0]],
                group=(clip["artist"] if by == "artist" else song) if clip else path,
                source=f"MagnaTagATune, 12:1:3, clip {annotated[path][0]}",
                licence=LICENSE_INFO,
                target_genre=genres[0] if len(genres) == 1 else None,
                problem="" if keys[path] in paths else f"it is not in {folder}: copy it there, or download it again",
            )
        )
    return published.save(
        rows,
        raw_dir,
        left_out,
        tags=len(top),
        **{"clips without an artist": sum(annotated[path][0] not in info for path in chosen)},
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def read_annotations(path: Path) -> tuple[dict[str, tuple[str, list[str]]], list[tuple[str, str]]]:
    """({mp3 path: (clip id, tags)}, [(line, problem)]) of `annotations_final.csv`: tabs, quotes, a column of 0 and 1 a tag."""
    header, lines = _table(path)
    if header[:1] != ["clip_id"] or header[-1:] != ["mp3_path"]:
        raise DatasetError(f"{path}: its columns should be clip_id, the tags, mp3_path: it is another file")
    found, bad = {}, []
    for number, fields in lines:
        where = f"{path.name}, line {number}"
        if len(fields) != len(header):
            bad.append((where, f"{len(fields)} columns for {len(header)}: download the table again"))
        elif not AUDIO.fullmatch(fields[-1]) or not set(fields[1:-1]) <= {"0", "1"}:
            bad.append((where, f"no 0 or 1 for each tag, or no clip in {fields[-1]!r}: download the table again"))
        elif fields[-1] in found:
            bad.append((where, f"{fields[-1]} a second time: download the table again"))
        else:
            tags = [tag for tag, said in zip(header[1:-1], fields[1:-1], strict=True) if said == "1"]
            found[fields[-1]] = fields[0], tags
    return found, bad


def read_info(path: Path) -> dict[str, dict[str, str]]:
    """Clip id -> `clip_info_final.csv`'s columns (artist, album, track_number, title); lines without them are left out."""
    header, lines = _table(path)
    if not {"clip_id", "artist", "album", "track_number", "title"} <= set(header):
        raise DatasetError(f"{path}: its columns should include clip_id, artist, album, track_number and title")
    rows = [dict(zip(header, fields, strict=True)) for _, fields in lines if len(fields) == len(header)]
    return {row["clip_id"]: row for row in rows if row["artist"]}


def top_tags(annotated: dict[str, tuple[str, list[str]]], n: int = N_TAGS) -> list[str]:
    """The `n` tags with most clips, of equal ones the first by name."""
    counts = Counter(tag for _, tags in annotated.values() for tag in tags)
    return sorted(sorted(counts, key=lambda tag: (-counts[tag], tag))[:n])


def _table(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """(header, [(line, fields)]) of a table with tabs."""
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, delimiter="\t")
            header = next(reader, [])
            return header, [(reader.line_num, fields) for fields in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a table with tabs in UTF-8 ({error}): download it again") from error
