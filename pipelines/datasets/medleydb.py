"""MedleyDB: multitrack recordings of whole songs, 122 in version 1 and 74 more in version 2 (Bittner et al. 2014, 2016).

Layout: for each track a folder `<Artist_Title>` with `<track>_MIX.wav`, `<track>_STEMS/<track>_STEM_01.wav`, ... and
`<track>_RAW/`, 44.1 kHz stereo, and `<track>_METADATA.yaml`, there or in the folder `Metadata` of the package medleydb: both are
found anywhere below `local`. A clip is the sum of the stems, averaged to one channel; the mix, which was mastered, and the raw
recordings are not read.

**Artist-conditional split**: there is no official split. `split` divides the artists by its shares and the `seed`, so that an
artist is on one side, as medleydb's `artist_conditional_split` does with other draws. The target is `genre`.

`stems`: `four` (default) is vocals, drums, bass and other, as `FOUR` says; `instruments` is a stem for each instrument of a
track, where stems of one instrument are added. `bleed`: `leave_out` (default) leaves out tracks whose metadata say `has_bleed:
yes`, where instruments sound in each other's stems; `keep` does not. `sample_rate`: of the clips (default 44100). `gain_db`: of
all stems, in dB, for sums that clip, as those of stems before mastering may. `lengths: pad`: shorter stems are
followed by silence.

`local` is needed: access is granted on request (medleydb.weebly.com), and there are no published checksums.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml

from pipelines.datasets.sources import published, stem_sets
from pipelines.datasets.sources.published import DatasetError

BIBTEX = """@inproceedings{bittner2014medleydb,
  author = {Bittner, Rachel M. and Salamon, Justin and Tierney, Mike and Mauch, Matthias and Cannam, Chris and Bello, Juan Pablo},
  title = {{MedleyDB}: A Multitrack Dataset for Annotation-Intensive {MIR} Research},
  booktitle = {Proceedings of the 15th International Society for Music Information Retrieval Conference},
  pages = {155--160},
  year = {2014}
}"""
LICENSE_INFO = "MedleyDB: CC BY-NC-SA 4.0 (medleydb.weebly.com)"

RATE = 44_100
METADATA = "_METADATA.yaml"
FOUR = {
    "vocals": (
        "male singer", "female singer", "male speaker", "female speaker", "male rapper", "female rapper", "beatboxing",
        "vocalists", "crowd",
    ),
    "drums": (
        "auxiliary percussion", "bass drum", "bongo", "cabasa", "castanet", "chimes", "claps", "conga", "cowbell", "cymbal",
        "darbuka", "doumbek", "drum machine", "drum set", "gong", "gu", "guiro", "high hat", "kick drum", "maracas", "rattle",
        "shaker", "sleigh bells", "snare drum", "tabla", "tambourine", "timpani", "toms", "triangle",
    ),
    "bass": ("electric bass", "double bass"),
}  # fmt: skip
"""Stem -> its instruments of medleydb's taxonomy; every other instrument is `other`."""
STEM_OF = {instrument: stem for stem, those in FOUR.items() for instrument in those}
OPTIONS = ("bleed", "seed", "split", "stems", *stem_sets.OPTIONS)


def build(raw_dir: Path, entry: dict) -> dict:
    """Read the metadata in the `local` folder, and write the tracks' stems and sums. Writes audio/, stems/ and clips.parquet."""
    published.check_keys(entry, OPTIONS)
    kind = published.option(entry, "stems", "four", ("four", "instruments"))
    bleed = published.option(entry, "bleed", "leave_out", ("leave_out", "keep"))
    entry = stem_sets.checked(entry, RATE)
    if not entry.get("local"):
        raise DatasetError(
            "MedleyDB is not downloaded, because access is granted on request: ask for it at medleydb.weebly.com, unpack it, and "
            "name its folder in params.yaml: `local: <folder>`"
        )
    below = published.files_below(entry["local"])
    listed = {path.name.removesuffix(METADATA): path for path in below if path.name.endswith(METADATA)}
    if not listed:
        raise DatasetError(f"{entry['local']} has no <track>{METADATA}: give the folder of MedleyDB's tracks")
    sounds = {path.name: path for path in below if path.suffix.lower() == ".wav" and "_STEM_" in path.name}
    about = {name: _about(path) for name, path in sorted(listed.items())}
    # the package has metadata of tracks that were never published; a track is there where its folder is
    folders = {path.parent.name.removesuffix("_STEMS") for path in sounds.values()}
    absent = [name for name in about if name not in folders]
    bleeds = [name for name, found in about.items() if name not in absent and found["has_bleed"] and bleed != "keep"]
    used = {name: found for name, found in about.items() if name not in absent and name not in bleeds}
    sides = stem_sets.divide([found["artist"] for found in used.values()], entry)
    rows, tracks = [], {}
    for (name, found), side in zip(used.items(), sides, strict=True):
        path = f"audio/{name}.flac"
        files: dict[str, list[Path]] = {}
        for file, instruments in found["stems"]:
            stem = stem_of(instruments, kind)
            files.setdefault(stem, []).append(sounds.get(file, listed[name].parent / f"{name}_STEMS" / file))
        ordered = tuple((stem, tuple(files[stem])) for stem in sorted(files))
        tracks[path] = stem_sets.track(raw_dir, entry, path, ordered)
        rows.append(
            published.row(
                path,
                title=f"{found['artist']}, {found['title']}",
                tags=sorted({f"instrument:{one}" for _, instruments in found["stems"] for one in instruments}),
                split=side,
                group=found["artist"],
                source=f"MedleyDB {found['version']}, {name}",
                licence=LICENSE_INFO,
                target_genre=found["genre"],
                problem="" if files else f"{listed[name]} lists no stems: download it again",
            )
        )
    _, figures = stem_sets.write(
        rows, {row["path"]: tracks[row["path"]] for row in rows if not row["problem"]}, raw_dir
    )
    left_out = Counter({"tracks with bleed": len(bleeds), "metadata without sound": len(absent)})
    return published.save(rows, raw_dir, left_out, **figures)


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def stem_of(instruments: list[str], kind: str) -> str:
    """The stem of a file with these instruments: of `kind` "four", `other` where they belong to different stems."""
    if kind == "four":
        (stem, *others) = sorted({STEM_OF.get(one, "other") for one in instruments})
        return "other" if others else stem
    return "_and_".join(re.sub(r"[^a-z0-9]+", "_", one.lower()).strip("_") for one in instruments)


def _about(path: Path) -> dict:
    """What the metadata of a track say. Raises `DatasetError` where they are not as published."""
    try:
        found = yaml.safe_load(published.read_text(path))
        listed = [found["stems"][key] for key in sorted(found["stems"] or {})]
        return {
            "artist": str(found["artist"]),
            "title": str(found["title"]),
            "genre": str(found["genre"]),
            "version": str(found.get("version", "")),
            "has_bleed": found["has_bleed"] in (True, "yes"),
            "stems": [(str(stem["filename"]), _words(stem["instrument"])) for stem in listed],
        }
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is not metadata as published ({error!r}): download it again") from error


def _words(instrument: str | list) -> list[str]:
    """Version 2 lists several instruments of one stem."""
    return sorted(map(str, instrument if isinstance(instrument, list) else [instrument])) or ["Unlabeled"]
