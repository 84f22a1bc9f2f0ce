"""The note table: notes of pieces, and the tempo, metre and key maps of each piece.

Times stand in two units: `onset` and `duration` in quarter notes, as notated, and `onset_s` and `duration_s` in seconds, as
played. A piece is one `sequence`, numbered 0; a MIDI file of format 2 holds several, each with its own time and its own maps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.core.tables import column

_PLACE = [
    column("clip_id", pa.string(), "the piece, as in the manifest"),
    column("sequence", pa.int32(), "0; of MIDI format 2 the number of the sequence, whose time starts anew"),
]
_TIME = [
    column("onset", pa.float64(), "start in the sequence", unit="quarter"),
    column("onset_s", pa.float64(), "start in the sequence", unit="s"),
]

PERCUSSION = 9
"""The MIDI channel of percussion."""
NOTES = pa.schema(
    [
        *_PLACE,
        column("track", pa.int32(), "track of the file, or part of the score, from 0"),
        column("channel", pa.int32(), "MIDI channel, 0 to 15; 9 is percussion"),
        column("program", pa.int32(), "General MIDI program, 0 to 127; on channel 9 the drum kit"),
        column("pitch", pa.int32(), "MIDI note number, 0 to 127; on channel 9 the drum"),
        column("velocity", pa.int32(), "MIDI velocity, 1 to 127"),
        *_TIME,
        column("duration", pa.float64(), "length; 0 for a drum that is released at once", unit="quarter"),
        column("duration_s", pa.float64(), "length", unit="s"),
    ]
)
TEMPOS = pa.schema(
    [*_PLACE, *_TIME, column("quarter_us", pa.int32(), "length of a quarter note from here on", unit="µs")]
)
METRES = pa.schema(
    [
        *_PLACE,
        *_TIME,
        column("numerator", pa.int32(), "of the time signature from here on"),
        column("denominator", pa.int32(), "of the time signature from here on: 4 for a quarter"),
    ]
)
KEYS = pa.schema(
    [
        *_PLACE,
        *_TIME,
        column("fifths", pa.int32(), "sharps of the key signature from here on; flats are negative"),
        column("mode", pa.string(), "major or minor, as the signature says"),
    ]
)
TABLES = {"notes": NOTES, "tempos": TEMPOS, "metres": METRES, "keys": KEYS}
"""File name in `data/notes/<corpus>/` -> schema."""


class Unreadable(ValueError):
    """A file is not of its format, or not whole; the message says why."""


def dtype(schema: pa.Schema) -> np.dtype:
    """Of a table of one piece: the schema's columns without `clip_id`, as a structured array."""
    fields = [field for field in schema if field.name != "clip_id"]
    kinds = {field.name: "U5" if pa.types.is_string(field.type) else field.type.to_pandas_dtype() for field in fields}
    return np.dtype(list(kinds.items()))


@dataclass(frozen=True)
class Piece:
    """One piece: the four tables as structured arrays `(rows,)` without `clip_id` (`dtype`), sorted by sequence and onset.

    length: of the longest sequence, in quarters. division: ticks a quarter, with which all onsets are whole ticks. n_tracks: of
    the file, those without notes included. remarks: what is unusual about the file -> how often.
    """

    notes: np.ndarray
    tempos: np.ndarray
    metres: np.ndarray
    keys: np.ndarray
    length: float
    length_s: float
    division: int
    n_tracks: int
    remarks: Mapping[str, int] = field(default_factory=dict)


def array(schema: pa.Schema, rows: Iterable[Mapping]) -> np.ndarray:
    """Rows of a table of one piece; a column that a row lacks is 0."""
    kind = dtype(schema)
    return np.array([tuple(row.get(name, 0) for name in kind.names) for row in rows], dtype=kind)


def whole(schema: pa.Schema, parts: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The table of a corpus from that of each piece (clip_id -> rows)."""
    rows = np.concatenate([np.empty(0, dtype(schema)), *parts.values()])
    table = pd.DataFrame({name: rows[name] for name in rows.dtype.names})
    return table.assign(clip_id=np.repeat(np.array(list(parts), dtype=object), [len(part) for part in parts.values()]))
