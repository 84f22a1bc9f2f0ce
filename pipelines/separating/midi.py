"""The notes of stems in a MIDI file."""

import io
from pathlib import Path

import mido
import pandas as pd

from pipelines.notes.midi import read
from pipelines.tasks.separation.fit import notes

UNREADABLE = (OSError, EOFError, ValueError, LookupError)
"""What mido raises for a damaged file."""


def of_midi(path: Path, names: list[str]) -> notes.Notes:
    """The notes of a MIDI file whose tracks are named as the stems, in any case of letters. Raises `ValueError` where a track
    with notes has another name, or no track has notes; `Unreadable` where it is no MIDI file."""
    content = path.read_bytes()
    table = pd.DataFrame(read.read(content).notes)
    try:
        tracks = [track.name.strip().casefold() for track in mido.MidiFile(file=io.BytesIO(content)).tracks]
    except (*UNREADABLE, mido.KeySignatureError) as error:  # of faults that the notes are read in spite of
        raise ValueError(
            f"the names of its tracks cannot be read ({error}): save it again with another program"
        ) from error
    labels = table["track"].map(dict(enumerate(tracks))).map({name.casefold(): name for name in names})
    if labels.isna().any():
        track = int(table.loc[labels.isna(), "track"].iloc[0])
        raise ValueError(
            f"track {track + 1} is called {tracks[track]!r}, which is no stem: name tracks {', '.join(names)}, one of each"
        )
    if table.empty:
        raise ValueError("it has no notes")
    table = table.assign(label=labels, offset_s=table["onset_s"] + table["duration_s"], value=table["pitch"])
    return notes.of_stems(table, names)
