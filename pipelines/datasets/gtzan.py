"""GTZAN: 1,000 excerpts of 30 s in ten genres (Tzanetakis and Cook 2002, doi 10.1109/TSA.2002.800560).

The dataset most used in genre recognition, with known faults (Sturm 2013, arXiv 1306.1461): exact and near copies, artists on
both sides of a random split, excerpts with two genres, damaged files. So a score on it must be given with the name of the split,
which the manifest's `source` contains.

`split`
    `fault_filtered` (default): train 443, validation 197, test 290, no artist on two sides, 70 excerpts left out
    (Kereliuk, Sturm and Larsen 2015, arXiv 1507.04761). `full`: all 1,000 without a split, as in clustering and most old papers.
    `artist_folds` with `fold: 1`, `2` or `3`: Foleis and Tavares' three folds grouped by artist (2020, doi
    10.1016/j.asoc.2020.106127): the fold is the test set, the others are the training set, and excerpts in no fold are left out.
`variant`
    `published` (default): the split unchanged. `no_corrupt`: without `CORRUPT`. `no_copies`: of excerpts of the split with the
    same bytes one is kept, or none if their genres differ. `clean`: both.
`checksums`
    `index` (default): a WAV whose MD5 is not that of mirdata's index goes to quarantine. `ignore`: for copies that were
    encoded again. Other formats are not in the index, are read as they are, and are counted as unverified.
`local`
    A folder that holds `<anything>/blues.00000.wav` (Kaggle's `genres_original` too), and, if you have them, the metadata.
`artist_folds`
    A folder with `f1_evaluate_groups.txt` to `f3_...`: for the split of that name, and for the artists of the others.
    They have no published checksum, so that they are not downloaded: see `FOLDS_FROM`.

Groups are artists where `artist_folds` says who they are; else excerpts with the same bytes are one group.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pooch

from pipelines.core.files import sha256
from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote
from pipelines.harness import executor
from pipelines.harness.progress import progress

BIBTEX = """@article{tzanetakis2002musical,
  author = {Tzanetakis, George and Cook, Perry},
  title = {Musical Genre Classification of Audio Signals},
  journal = {IEEE Transactions on Speech and Audio Processing},
  volume = {10},
  number = {5},
  pages = {293--302},
  year = {2002}
}"""
LICENSE_INFO = (
    "none stated: excerpts of commercial recordings, radio and CDs, collected without permission of their owners and used for "
    "research; not to be passed on. The fault-filtered lists and mirdata's index (BSD-3-Clause) are facts about it."
)

# the original host is dead; the checksum, mirdata 1.0's, makes any other as good
ARCHIVE = Remote(
    "genres.tar.gz",
    (
        "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",
        "http://opihi.cs.uvic.ca/sound/genres.tar.gz",
    ),
    ("md5:5b3d6dddb579ab49814ab86dba69e7c7",),
)
INDEX = Remote(
    "gtzan_genre_index_1.0.json",
    ("https://zenodo.org/records/13993311/files/gtzan_genre_index_1.0.json?download=1",),
    ("md5:533ca050855f22acf2feb283d9957fe3",),
)
LISTS_FROM = "https://raw.githubusercontent.com/minzwon/sota-music-tagging-models/77b309bef3d15c48cf4cb4cee68c2b2474f8198e/split/gtzan"
FILTERED = {
    "train": Remote(
        "train_filtered.txt",
        (f"{LISTS_FROM}/train_filtered.txt",),
        ("sha256:2b04966cef1486f1a7767b74271533fa23e220388db804a1937835e1fc4fa3fa",),
    ),
    "validation": Remote(
        "valid_filtered.txt",
        (f"{LISTS_FROM}/valid_filtered.txt",),
        ("sha256:f8fbee7c52397a0e0f3a91dc54fedecb2e27f5bdc9a9daeab8cb10d077e26956",),
    ),
    "test": Remote(
        "test_filtered.txt",
        (f"{LISTS_FROM}/test_filtered.txt",),
        ("sha256:09cafa6a89ce0a27f30ed250d56ecb4d03c22fffb5a693f96c7ae655ee02ac72",),
    ),
}
FOLDS_FROM = "https://github.com/julianofoleiss/gtzan_sturm_filter_3folds_stratified"
FOLDS = (1, 2, 3)

OPTIONS = ("split", "fold", "variant", "checksums", "local", "artist_folds")
SPLITS = ("fault_filtered", "full", "artist_folds")
VARIANTS = {"published": (), "no_corrupt": ("corrupt",), "no_copies": ("copy",), "clean": ("corrupt", "copy")}
CORRUPT = ("jazz.00054",)
"""Cannot be decoded in the copy that most people have (Kaggle's). It is in the fault-filtered training list."""

TRACK = re.compile(r"(?P<genre>[a-z]+)[._](?P<number>\d{5})$")
OTHERWISE = "Or, if you have GTZAN, name its folder in params.yaml: `local: <folder>` under the dataset."


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the excerpts, check their bytes, apply split and variant. Writes clips.parquet, and audio/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    split = published.option(entry, "split", "fault_filtered", SPLITS)
    dropped = VARIANTS[published.option(entry, "variant", "published", VARIANTS)]
    must_match = published.option(entry, "checksums", "index", ("index", "ignore")) == "index"
    index = read_index(published.metadata(INDEX, entry, "gtzan", OTHERWISE))
    folds = read_folds(published.given(entry["artist_folds"]), index) if entry.get("artist_folds") else {}
    sides = _sides(split, entry, index, folds)
    copies = same_bytes(index)
    # among those of the split: the fault-filtered lists hold the second of most pairs, and not the first
    doubled = superfluous(same_bytes({name: md5 for name, md5 in index.items() if name in sides}))
    faults = dict.fromkeys(CORRUPT, "corrupt") | dict.fromkeys(doubled, "copy")
    chosen = [name for name in index if name in sides and faults.get(name) not in dropped]
    left_out = Counter("not in the split" if name not in sides else faults[name] for name in set(index) - set(chosen))

    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "gtzan", OTHERWISE)
    files, strange = _recognise(published.audio_below(folder), index)
    present = {name: files[name] for name in chosen if name in files}
    paths = published.place({f"{_genre(name)}/{name}": path for name, path in present.items()}, raw_dir, entry)
    hashes = dict(zip(present, _digests(list(present.values())), strict=True))
    first = {name: members[0] for members in copies for name in members}
    rows = []
    for name in chosen:
        md5, sha = hashes.get(name, ("", ""))
        rows.append(
            published.row(
                paths.get(f"{_genre(name)}/{name}", f"{_genre(name)}/{name}.wav"),
                title=name,
                tags=[_genre(name)],
                split=sides[name],
                group=f"artist {folds[name][1]}" if name in folds else first.get(name, name),
                source=f"GTZAN, {split}{entry['fold'] if split == 'artist_folds' else ''}, {name}",
                licence=LICENSE_INFO,
                target_genre=_genre(name),
                sha256=sha,
                problem=_problem(present.get(name), md5, index[name], must_match, folder),
            )
        )
    verified = sum(md5 == index[name] for name, (md5, _) in hashes.items())
    return published.save(
        rows,
        raw_dir,
        left_out,
        **{
            "verified files": verified,
            "unverified files": len(hashes) - verified,
            "files that are no excerpt of the index": len(strange),
            "for example": [str(path) for path in strange[: published.SHOWN]],
            "exact copies by the index": [" = ".join(members) for members in copies],
        },
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def read_index(path: Path) -> dict[str, str]:
    """Excerpt -> MD5 of its WAV, from mirdata's index, in the order of their names."""
    try:
        tracks = json.loads(published.read_text(path))["tracks"]
        return {name: tracks[name]["audio"][1] for name in sorted(tracks)}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise DatasetError(
            f"{path} is not mirdata's index of GTZAN ({error!r}): delete it, or download it again"
        ) from error


def read_list(path: Path, index: dict[str, str]) -> list[str]:
    """Excerpts of a list with a line `blues/blues.00012.wav` each."""
    names = []
    for number, line in enumerate(published.read_text(path).splitlines(), start=1):
        if line.strip():
            names.append(_known(line.strip(), index, f"{path}, line {number}"))
    return names


def read_folds(folder: str, index: dict[str, str]) -> dict[str, tuple[int, str]]:
    """Excerpt -> (fold, artist) of the three files `f<fold>_evaluate_groups.txt`, lines `./blues_00012.wav<TAB>1`."""
    found: dict[str, tuple[int, str]] = {}
    artists: dict[str, int] = {}
    for fold in FOLDS:
        path = Path(folder).expanduser() / f"f{fold}_evaluate_groups.txt"
        if not path.is_file():
            raise DatasetError(
                f"{path} does not exist: download it from {FOLDS_FROM}, and name its folder as `artist_folds`"
            )
        for number, line in enumerate(published.read_text(path).splitlines(), start=1):
            file, _, artist = line.strip().partition("\t")
            where = f"{path}, line {number}"
            if not file:
                continue
            name = _known(file, index, where)
            if name in found or not artist or artists.setdefault(artist, fold) != fold:
                raise DatasetError(
                    f"{where}: {line!r} is listed twice, or its artist is in two folds: download it again"
                )
            found[name] = (fold, artist)
    return found


def same_bytes(index: dict[str, str]) -> list[list[str]]:
    """The excerpts that are byte for byte the same, by the index; each list sorted."""
    by_hash: dict[str, list[str]] = {}
    for name, md5 in index.items():
        by_hash.setdefault(md5, []).append(name)
    return [members for members in by_hash.values() if len(members) > 1]


def superfluous(copies: list[list[str]]) -> set[str]:
    """All but the first of each set of copies; all of a set under two genres, since one of its labels is wrong."""
    return {
        name for members in copies for name in (members if len({_genre(name) for name in members}) > 1 else members[1:])
    }


def _sides(split: str, entry: dict, index: dict[str, str], folds: dict[str, tuple[int, str]]) -> dict[str, str]:
    if split == "full":
        return dict.fromkeys(index, "all")
    if split == "artist_folds":
        if not folds:
            raise DatasetError(
                f"split: artist_folds needs the folds' files: get f1_evaluate_groups.txt to f3_evaluate_groups.txt from "
                f"{FOLDS_FROM} and name their folder in params.yaml as `artist_folds: <folder>`"
            )
        test = published.option(entry, "fold", None, FOLDS)
        return {name: "test" if fold == test else "train" for name, (fold, _) in folds.items()}
    sides: dict[str, str] = {}
    for side, remote in FILTERED.items():
        path = published.metadata(remote, entry, "gtzan", OTHERWISE)
        for name in read_list(path, index):
            if sides.setdefault(name, side) != side:
                raise DatasetError(f"{path}: {name} is in the list of {sides[name]} too: download the lists again")
    return sides


def _known(file: str, index: dict[str, str], where: str) -> str:
    name = _track(Path(file).stem)
    if name not in index:
        raise DatasetError(f"{where}: {file!r} is no excerpt of GTZAN's index: download the file again")
    return name


def _track(stem: str) -> str:
    """`blues.00012` for `blues.00012` and `blues_00012`, else ""."""
    found = TRACK.match(stem)
    return f"{found['genre']}.{found['number']}" if found else ""


def _genre(name: str) -> str:
    return name.partition(".")[0]


def _recognise(files: list[Path], index: dict[str, str]) -> tuple[dict[str, Path], list[Path]]:
    """(excerpt -> file, audio files that are none or stand there twice)."""
    found, strange = {}, []
    for path in files:
        name = _track(path.stem)
        if name in index and name not in found:
            found[name] = path
        else:
            strange.append(path)
    return found, strange


def _digests(paths: list[Path]) -> list[tuple[str, str]]:
    return list(progress(executor.run(digests, paths, sound_s=30.0 * len(paths)), "check bytes", len(paths)))


def digests(path: Path) -> tuple[str, str]:
    """(MD5, SHA-256) of a file; empty where it cannot be read, which the manifest stage finds and says."""
    try:
        return pooch.file_hash(str(path), alg="md5"), sha256(path)
    except OSError:
        return "", ""


def _problem(path: Path | None, md5: str, expected: str, must_match: bool, folder: str | Path) -> str:
    if path is None:
        return f"it is not in {folder}: copy it there, or download GTZAN again"
    if must_match and path.suffix.lower() == ".wav" and md5 != expected:
        return (
            "its MD5 differs from mirdata's index: the copy is damaged or was encoded again; download it again, or set "
            "`checksums: ignore` under the dataset"
        )
    return ""
