"""MUSDB18-HQ: 150 songs as bass, drums, other and vocals (Rafii et al. 2017, 2019), in its published split.

Layout: `train` (100) and `test` (50), each with a folder `<Artist - Title>` with `bass.wav`, `drums.wav`, `other.wav`,
`vocals.wav` and `mixture.wav`, 44.1 kHz stereo. Of `train`, the 14 songs of musdb's list are validation, as in Open-Unmix and
torchaudio. **The compressed MUSDB18 (`.stem.mp4`) is another dataset**: its sound above 16 kHz is missing, and scores differ.

A clip is the sum of the four stems, averaged to one channel; `mixture.wav` is not read. So scores are of one channel, and those
published for MUSDB18 are of two: the two kinds are not comparable.

The group is the artist. The published lists have songs of one artist on two sides: the checks of the stage `manifest` and the
leak audit count them. `DEFECTS` are the known ones (sigsep.github.io/datasets/musdb.html, Errata). `defects: leave_out` leaves
out their songs; `keep` (default) does not, because published scores are on all songs.

`local`: the folder of `train` and `test`; without it, 22.7 GB are downloaded. `sample_rate`: of the clips (default 44100).
`gain_db`: of all stems, in dB, for sums that clip. `lengths: pad`: shorter stems of a song are followed by silence. A stem that
is silent throughout is left out of its clip, and counted.
"""

from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.datasets.sources import published, stem_sets
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@misc{musdb18-hq,
  author = {Rafii, Zafar and Liutkus, Antoine and St{\\"o}ter, Fabian-Robert and Mimilakis, Stylianos Ioannis and
    Bittner, Rachel},
  title = {{MUSDB18-HQ} - an uncompressed version of {MUSDB18}},
  year = {2019},
  doi = {10.5281/zenodo.3338373}
}"""
LICENSE_INFO = "MUSDB18-HQ: academic use only; its 46 songs of MedleyDB CC BY-NC-SA 4.0 (zenodo.org/record/3338373)"

# the checksum as torchaudio.datasets.MUSDB_HQ has it
ARCHIVE = Remote(
    "musdb18hq.zip",
    ("https://zenodo.org/record/3338373/files/musdb18hq.zip?download=1",),
    ("sha256:baac80d0483c61d74b2e5f3be75fa557eec52898339e6aa45c1fa48833c5d21d",),
)
OTHERWISE = "Or, if you have the dataset, name its folder in params.yaml: `local: <folder>` under the dataset."
STEMS = ("bass", "drums", "other", "vocals")
RATE = 44_100
VALIDATION = (
    "Actions - One Minute Smile", "Clara Berry And Wooldog - Waltz For My Victims", "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave", "Triviul - Angelsaint", "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants", "Leaf - Summerghost", "Skelpolu - Human Mistakes", "Young Griffo - Pennies",
    "ANiMAL - Rockshow", "James May - On The Line", "Meaxic - Take A Step", "Traffic Experiment - Sirens",
)  # fmt: skip
"""Songs of `train` that validate: musdb's list, which museval and torchaudio use."""
DEFECTS = {
    "Al James - Schoolboy Facination": "vocals in other",
    "BKS - Bulldozer": "a cowbell in other",
    "Chris Durban - Celebrate": "other instruments in vocals",
    "Detsky Sad - Walkie Talkie": "other in drums",
    "Enda Reilly - Cur An Long Ag Seol": "speech at the start of other",
    "Hop Along - Sister Cities": "other instruments in vocals",
    "Leaf - Wicked": "an electric guitar in drums",
    "PR - Oh No": "the left channel of the mixture is not the sum of the stems",
}
OPTIONS = ("defects", *stem_sets.OPTIONS)


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the songs, and write their stems and sums. Writes audio/, stems/ and clips.parquet."""
    published.check_keys(entry, OPTIONS)
    defects = published.option(entry, "defects", "keep", ("keep", "leave_out"))
    entry = stem_sets.checked(entry, RATE)
    folder = entry.get("local") or published.fetch_archive([ARCHIVE], "musdb18", OTHERWISE)
    songs = {path: files for path, files in stem_sets.by_name(folder, {*STEMS, "mixture"}).items() if _side(path)}
    if not songs:
        raise DatasetError(
            f"{folder} has no folders train/<song>/ or test/<song>/ with {', '.join(STEMS)} as WAV: it is not MUSDB18-HQ. "
            f"The compressed MUSDB18 (.stem.mp4) is not read. {OTHERWISE}"
        )
    rows, tracks, known = [], {}, [path.name for path in songs if path.name in DEFECTS]
    for place in sorted(songs, key=lambda path: (path.parent.name, path.name)):
        if defects == "leave_out" and place.name in DEFECTS:
            continue
        path = f"audio/{_side(place)}/{place.name}.flac"
        files = tuple((stem, (songs[place].get(stem, place / f"{stem}.wav"),)) for stem in STEMS)
        tracks[path] = stem_sets.track(raw_dir, entry, path, files)
        rows.append(
            published.row(
                path,
                title=place.name,
                split="validation" if place.name in VALIDATION and _side(place) == "train" else _side(place),
                group=place.name.partition(" - ")[0],
                source=f"MUSDB18-HQ, {_side(place)}/{place.name}",
                licence=LICENSE_INFO,
            )
        )
    _, figures = stem_sets.write(rows, tracks, raw_dir)
    left_out = Counter({"songs with a known defect": len(known) if defects == "leave_out" else 0})
    return published.save(
        rows, raw_dir, left_out, **figures, **{"known defects": {name: DEFECTS[name] for name in sorted(known)}}
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def _side(song: Path) -> str:
    """The published side of a song's folder; "" of a folder that lies elsewhere."""
    return song.parent.name if song.parent.name in ("train", "test") else ""
