"""Nottingham Music Database in ABC: 1,034 British and American dance tunes, cleaned by Jukedeck.

    nottingham: {module: nottingham, imports: pipelines/symbolic, local: /music/nottingham-dataset,
                 split: {train: 0.7, validation: 0.1, test: 0.2}, seed: 2026}

`local` is a folder with the fourteen files of `ABC_cleaned` in any depth (github.com/jukedeck/nottingham-dataset). They are
not downloaded: the repository publishes no checksum. Files that are not those of the repository are refused; `checksums:
ignore` reads them as they are. There is no published split of the ABC files (that of Boulanger-Lewandowski et al. 2012 is of
MIDI files made from them).

Target: `book`, the kind of dance (jigs, reels, hornpipes, ...). **The group is the tune**: tunes with the same music in any
key, or with the same title, are one group, wherever they stand. Chord symbols and grace notes are not read, hornpipes are as
written, and `P:` in the header is followed (`notes/abc/read.py`). `Y:`, which ABC does not have and which 339 tunes use for
the order of their parts, is not.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.datasets.sources import published
from pipelines.notes.abc import read as abc
from pipelines.notes.abc import tunes
from pipelines.notes.scores import regroup
from pipelines.notes.tables import Piece

BIBTEX = """@misc{foxley2001nottingham,
  author = {Eric Foxley},
  title = {Nottingham Database},
  howpublished = {ifdo.ca/~seymour/nottingham/nottingham.html; cleaned: github.com/jukedeck/nottingham-dataset},
  year = {2001}
}"""
LICENSE_INFO = "GPL-3 (github.com/jukedeck/nottingham-dataset); most tunes are traditional"
UNPACKED = Path(".cache/corpora/nottingham")
CHECKSUMS = ("published", "ignore")
BOOKS = {  # file: (kind of dance, SHA-256)
    "ashover": ("ashover", "6586eea8dca53866b42721050d11fc1408bdb2cf31a902b41c5c13504139b164"),
    "hpps": ("hornpipes", "6d035c6972ac0c204ba79d8128e2d71978ece2214a29ffceeb3e053e27f17db5"),
    "jigs": ("jigs", "5bb6f621e443bde552540810e3ea53e53531fd22258736e338d795e7a5bdcaf5"),
    "morris": ("morris", "cbf60b212c87748dea226c76b72a15db5b4f606bb35a580763e9cd8f7294e7da"),
    "playford": ("playford", "070877bc37176e0dedbcd038268d6669399201cd7b58d88b4ab36127528f9c76"),
    "reelsa-c": ("reels", "f92ed0e66024e0a5bb7d21fe3172cd50c3fb4cb7f642b4ec7cd5aa8ad0396da8"),
    "reelsd-g": ("reels", "33f535569116ec8cfb530c112f4cdc3bfb7fc042c271e0317cf6458bad30dfae"),
    "reelsh-l": ("reels", "cb701d4ffe6839cb7a5655bc21785ecb71a72ab63d8560f7be3856f6aedaf7e5"),
    "reelsm-q": ("reels", "a99f2967cf47460bba70bae40cd355a220b537a87180131c6d9433750bc446a1"),
    "reelsr-t": ("reels", "f80a2c0f37a49b9b0c748e922924d59c40d82758abc5b0f7fc9245d7fd563be0"),
    "reelsu-z": ("reels", "d104d7d1bb83eb1ca18f6b944dc22cf9f7bfe5f955d07cd573615985f69c2c1f"),
    "slip": ("slip jigs", "da686b3a0de20aab38e64f8c8ec57edace980bab6450a6c388d79a2866e5b16a"),
    "waltzes": ("waltzes", "ffa773d012756be17784ab4a84e0e4618f316be5c6f244f9d60c06b23cd812c6"),
    "xmas": ("christmas", "05ebc4b856c8c5186bb828641e8f88f723c109d47ba7e3f1e5048b536e091249"),
}

__all__ = ["pieces", "read", "regroup"]


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a tune, each unpacked into a file of its own. Raises `ValueError` for a file that is missing, or another."""
    below = {path.stem: path for path in published.files_below(entry["local"]) if path.suffix == ".abc"}
    if missing := [f"{name}.abc" for name in BOOKS if name not in below]:
        raise ValueError(f"{entry['local']} has no {missing[0]}: give the folder with ABC_cleaned as `local`")
    rows = []
    for name, (kind, published_sum) in BOOKS.items():
        content = below[name].read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if entry.get("checksums", CHECKSUMS[0]) == CHECKSUMS[0] and found != published_sum:
            raise ValueError(
                f"{below[name]} is not the published file: its SHA-256 is {found}, and not {published_sum}; get it again, or "
                "write `checksums: ignore` under the corpus to read it as it is"
            )
        for path, tune in tunes.unpack(content, UNPACKED):
            rows.append(
                {
                    "path": path.as_posix(),
                    "title": f"{tune.title} ({name} {tune.number})",
                    "group": tune.title.casefold(),
                    "source": f"Nottingham Music Database, {name}.abc, X: {tune.number}",
                    "target_book": kind,
                }
            )
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    return abc.read(tunes.tunes(content)[0].text)
