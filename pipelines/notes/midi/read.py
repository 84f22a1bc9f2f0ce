"""A MIDI file as a piece: mido decodes the messages, and notes are paired here.

A note's end belongs to the note of its pitch, channel and track that began first (first in, first out): of a pitch struck again
before it was released, the first release ends the first note. A note that is never released lasts to the end of its track, and
is counted. A note released in the tick it began has length 0, and is kept: drum tracks are written so.

The program of a note is the last one set on its channel in its own track; where the track has set none, the last one set on the
channel in any track; else 0. Tempo, metre and key of formats 0 and 1 hold for all tracks, in whichever they stand; of format 2,
each track is a sequence with its own. Without a tempo, 120 quarters a minute.

Not kept: controllers (the sustain pedal among them), pitch bend, aftertouch, lyrics, names, system exclusive messages.
"""

import io
from bisect import bisect_right
from collections import Counter, deque

import mido
import numpy as np

from pipelines.notes.midi import tracks
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, Unreadable, array

MAX_S = 14_400.0
DEFAULT_US = 500_000  # of a quarter: 120 a minute
HEADER = b"MThd\0\0\0\6\0\0\0\1\1\xe0"  # format 0, one track; ticks are converted here, whatever it says


def read(content: bytes, max_s: float = MAX_S) -> Piece:
    """The piece in a file's bytes. Raises `Unreadable`; also for a piece of more than `max_s` seconds."""
    file = tracks.split(content)
    remarks = file.remarks
    notes, maps, ends, programs = [], {"tempos": [], "metres": [], "keys": []}, [], {}
    for number, chunk in enumerate(file.chunks):
        sequence = number if file.format == 2 else 0
        ends.append((sequence, _track(_decoded(chunk), number, sequence, notes, maps, programs, remarks)))
    _set_programs(notes, programs)
    clock = _clocks(file, maps["tempos"])
    length_s = max((float(clock(sequence, [tick])[0]) for sequence, tick in ends), default=0.0)
    if length_s > max_s:
        raise Unreadable(f"it lasts {length_s:,.0f} s: at most {max_s:,.0f} are read")
    return Piece(
        notes=_timed(array(NOTES, notes), file, clock, "pitch", "channel", "track"),
        tempos=_timed(array(TEMPOS, maps["tempos"]), file, clock),
        metres=_timed(array(METRES, maps["metres"]), file, clock),
        keys=_timed(array(KEYS, maps["keys"]), file, clock),
        length=max((file.quarters(tick) for _, tick in ends), default=0.0),
        length_s=length_s,
        division=file.division or round(file.ticks_per_s / 2),
        n_tracks=len(file.chunks),
        remarks={name: n for name, n in sorted(remarks.items()) if n},
    )


def _decoded(chunk: bytes) -> list[mido.Message]:
    return mido.MidiFile(file=io.BytesIO(HEADER + chunk)).tracks[0]


def _track(messages, number: int, sequence: int, notes: list, maps: dict, programs: dict, remarks: Counter) -> int:
    """Add what a track holds to `notes`, `maps` and `programs`, times in ticks; returns its length in ticks."""
    tick, sounding, current = 0, {}, {}
    for message in messages:
        tick += message.time
        kind = message.type
        if kind == "note_on" and message.velocity:
            place = message.channel, message.note
            note = {
                "sequence": sequence,
                "track": number,
                "channel": place[0],
                "program": current.get(place[0], -1),
                "pitch": place[1],
                "velocity": message.velocity,
                "onset": tick,
            }
            notes.append(note)
            sounding.setdefault(place, deque()).append(note)
        elif kind in ("note_on", "note_off"):
            if waiting := sounding.get((message.channel, message.note)):
                note = waiting.popleft()
                note["duration"] = tick - note["onset"]
            else:
                remarks["releases of no note"] += 1
        elif kind == "program_change":
            current[message.channel] = message.program
            programs.setdefault((sequence, message.channel), []).append((tick, message.program))
        elif kind == "set_tempo":
            maps["tempos"].append({"sequence": sequence, "onset": tick, "quarter_us": message.tempo})
        elif kind == "time_signature":
            metre = {"numerator": message.numerator, "denominator": message.denominator}
            maps["metres"].append({"sequence": sequence, "onset": tick, **metre})
        elif kind == "key_signature":
            maps["keys"].append({"sequence": sequence, "onset": tick, **_key(message.key)})
    for note in (note for waiting in sounding.values() for note in waiting):
        note["duration"] = tick - note["onset"]
        remarks["notes without an end"] += 1
    return tick


def _set_programs(notes: list[dict], programs: dict[tuple[int, int], list[tuple[int, int]]]) -> None:
    """Of notes whose track has set no program so far, that which the channel has in any track."""
    for changes in programs.values():
        changes.sort(key=lambda change: change[0])
    for note in notes:
        if note["program"] < 0:
            changes = programs.get((note["sequence"], note["channel"]), [])
            before = bisect_right(changes, note["onset"], key=lambda change: change[0])
            note["program"] = changes[before - 1][1] if before else 0


def _key(name: str) -> dict:
    """`fifths` and `mode` of one of mido's keys ("Bbm")."""
    tonic = name.removesuffix("m")
    fifths = "FCGDAEB".index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    return {"fifths": fifths - 3 * name.endswith("m"), "mode": "minor" if name.endswith("m") else "major"}


def _clocks(file: tracks.Tracks, tempos: list[dict]):
    """`clock(sequence, ticks) -> seconds` by the tempo map of each sequence."""
    maps = {}
    for tempo in sorted(tempos, key=lambda tempo: tempo["onset"]):
        maps.setdefault(tempo["sequence"], []).append((tempo["onset"], tempo["quarter_us"]))

    def clock(sequence: int, ticks) -> np.ndarray:
        ticks = np.asarray(ticks, dtype=np.float64)
        if file.ticks_per_s:
            return ticks / file.ticks_per_s
        starts, lengths = np.array([(0, DEFAULT_US), *maps.get(sequence, [])], dtype=np.float64).T
        # whole microseconds x ticks: sums are exact below 2^53
        passed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * lengths[:-1])])
        at = np.searchsorted(starts, ticks, side="right") - 1
        return (passed[at] + (ticks - starts[at]) * lengths[at]) / (file.division * 1e6)

    return clock


def _timed(rows: np.ndarray, file: tracks.Tracks, clock, *more: str) -> np.ndarray:
    """Rows with times in ticks, in quarters and seconds; sorted by sequence and onset, then `more`, the last first."""
    rows = rows[np.lexsort([*(rows[name] for name in more), rows["onset"], rows["sequence"]])]
    per_quarter = file.division or file.ticks_per_s / 2
    for sequence in np.unique(rows["sequence"]):
        at = rows["sequence"] == sequence
        onset = rows["onset"][at]
        rows["onset_s"][at] = clock(sequence, onset)
        if "duration" in rows.dtype.names:
            rows["duration_s"][at] = clock(sequence, onset + rows["duration"][at]) - rows["onset_s"][at]
    for name in {"onset", "duration"} & set(rows.dtype.names):
        rows[name] /= per_quarter
    return rows
