"""A track of Slakh: its metadata, and the notes of its stems."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pretty_midi
import yaml

from pipelines.datasets.sources import published
from pipelines.datasets.sources.published import DatasetError

NAME = re.compile(r"Track\d{5}")
UNREADABLE = (OSError, EOFError, ValueError, KeyError, IndexError)
"""What mido and pretty_midi raise for a damaged file."""
COLUMNS = ["stem", "instrument", "program", "pitch", "onset_s", "offset_s"]


@dataclass(frozen=True)
class Stem:
    """name: as published, S00. instrument: its class. program: of General MIDI, 0 to 127, or drums."""

    name: str
    instrument: str
    program: str
    sound: Path
    midi: Path


@dataclass(frozen=True)
class Track:
    """midi: name of the MIDI file in Lakh, its MD5. problem: why its metadata cannot be used, else ""."""

    name: str
    midi: str
    stems: tuple[Stem, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Notes:
    """table: `COLUMNS`, a row a note. problem: why there is none, else ""."""

    table: pd.DataFrame
    problem: str = ""


def find(folder: str | Path) -> list[Path]:
    """The folders of tracks below `folder`, by number. Raises `DatasetError` where there is none, or one twice."""
    found: dict[str, Path] = {}
    for path in published.files_below(folder):
        place = path.parent
        if path.name == "metadata.yaml" and NAME.fullmatch(place.name):
            if place.name in found:
                raise DatasetError(
                    f"{place.name} is in {folder} twice ({found[place.name]}, {place}): keep one of them"
                )
            found[place.name] = place
    if not found:
        raise DatasetError(f"{folder} has no folders Track00001, ... with metadata.yaml in them: it is not Slakh2100")
    return [found[name] for name in sorted(found)]


def read(folder: Path) -> Track:
    """The metadata of a track. Stems that were not rendered are no stems."""
    try:
        # the parser in C, where PyYAML has it: 2,100 files take a minute without
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        found = yaml.load(published.read_text(folder / "metadata.yaml"), Loader=loader)
        rendered = {name: about for name, about in found["stems"].items() if about["audio_rendered"]}
        stems = tuple(_stem(folder, name, rendered[name]) for name in sorted(rendered))
        return Track(folder.name, str(found["UUID"]), stems, "" if stems else f"{folder} has no rendered stems")
    except (yaml.YAMLError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Track(folder.name, "", (), f"{folder}/metadata.yaml is not as published ({error!r}): unpack it again")


def notes(track: Track) -> Notes:
    """The notes of all stems of a track, as pretty_midi reads them."""
    rows = []
    for stem in track.stems:
        if not stem.midi.is_file():
            return Notes(pd.DataFrame(columns=COLUMNS), f"{stem.midi} is missing: unpack the track again")
        try:
            with warnings.catch_warnings():  # of tempo changes outside the first track, which it applies all the same
                warnings.simplefilter("ignore")
                found = pretty_midi.PrettyMIDI(str(stem.midi))
        except UNREADABLE as error:
            return Notes(pd.DataFrame(columns=COLUMNS), f"{stem.midi} cannot be read ({error}): unpack the track again")
        rows += [
            (stem.name, stem.instrument, stem.program, note.pitch, note.start, note.end)
            for instrument in found.instruments
            for note in instrument.notes
        ]
    types = {"pitch": float, "onset_s": float, "offset_s": float}
    return Notes(
        pd.DataFrame(rows, columns=COLUMNS).astype(types).sort_values(["onset_s", "stem", "pitch"], kind="stable")
    )


def class_name(instrument: str) -> str:
    """`Strings (continued)` as a label: strings_continued."""
    return re.sub(r"[^a-z0-9]+", "_", instrument.lower()).strip("_")


def _stem(folder: Path, name: str, about: dict) -> Stem:
    """A stem; its sound is the file that is there, FLAC as published or converted to WAV."""
    sounds = [folder / "stems" / f"{name}{suffix}" for suffix in (".flac", ".wav")]
    sound = next((path for path in sounds if path.is_file()), sounds[0])
    program = "drums" if about["is_drum"] else str(int(about["program_num"]))
    return Stem(name, class_name(about["inst_class"]), program, sound, folder / "MIDI" / f"{name}.mid")
