"""A piece as a MIDI file, written with mido: format 1, or format 2 for a piece of several sequences.

Reading the file gives the same notes and maps, onsets and ends rounded to `division` ticks a quarter, with one exception. MIDI
cannot say which of two sounding notes of one pitch, channel and track a release ends. Where the note that began later ends
first, the two exchange their ends; how many notes that happened to is returned.
"""

import io

import mido
import numpy as np

from pipelines.notes.tables import Piece


def write(piece: Piece, division: int = 0) -> tuple[bytes, int]:
    """(bytes of the file, notes whose end was exchanged). division: ticks a quarter, 1 to 32767; 0: the piece's own."""
    division = division or piece.division
    independent = bool(len(piece.notes)) and piece.notes["sequence"].max() > 0
    file = mido.MidiFile(type=2 if independent else 1, ticks_per_beat=division)
    exchanged = 0
    for number in range(max([piece.n_tracks, 1, *(piece.notes["track"] + 1)])):
        starts, ends, notes, n = _in_ticks(piece.notes[piece.notes["track"] == number], division)
        exchanged += n
        # of one sequence all maps stand in the first track
        maps = _map_events(piece, number if independent else 0, division) if independent or number == 0 else []
        track, tick = mido.MidiTrack(), 0
        for at, _, message in sorted(maps + _note_events(starts, ends, notes), key=lambda event: event[:2]):
            track.append(message.copy(time=at - tick))
            tick = at
        end = round(piece.length * division) if number == 0 else 0
        track.append(mido.MetaMessage("end_of_track", time=max(end - tick, 0)))
        file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue(), exchanged


def _in_ticks(notes: np.ndarray, division: int) -> tuple[list[int], list[int], np.ndarray, int]:
    """(starts, ends, notes, exchanged) of a track's notes, sorted by start; so are the ends of each channel and pitch."""
    starts = np.rint(notes["onset"] * division).astype(np.int64)
    ends = np.rint((notes["onset"] + notes["duration"]) * division).astype(np.int64)
    order = np.lexsort([notes["velocity"], notes["pitch"], notes["channel"], ends, starts])
    starts, ends, notes = starts[order], ends[order], notes[order]
    places, place = np.unique(notes[["channel", "pitch"]], return_inverse=True)
    in_order = ends.copy()
    for number in range(len(places)):
        in_order[place == number] = np.sort(ends[place == number])
    return starts.tolist(), in_order.tolist(), notes, int((in_order != ends).sum())


def _note_events(starts: list[int], ends: list[int], notes: np.ndarray) -> list[tuple[int, int, mido.Message]]:
    """(tick, rank in the tick, message): a release stands before what begins in its tick, but for notes of no length."""
    events, programs = [], {}
    for start, end, note in zip(starts, ends, notes.tolist(), strict=True):
        note = dict(zip(notes.dtype.names, note, strict=True))
        place = {"channel": note["channel"], "note": note["pitch"]}
        if programs.get(note["channel"]) != note["program"]:
            programs[note["channel"]] = note["program"]
            change = mido.Message("program_change", channel=note["channel"], program=note["program"])
            events.append((start, 2, change))
        events.append((start, 2, mido.Message("note_on", velocity=note["velocity"], **place)))
        events.append((end, 1 if end > start else 2, mido.Message("note_off", velocity=0, **place)))
    return events


def _map_events(piece: Piece, sequence: int, division: int) -> list[tuple[int, int, mido.MetaMessage]]:
    def metre(row: np.void) -> mido.MetaMessage:
        return mido.MetaMessage("time_signature", numerator=int(row["numerator"]), denominator=int(row["denominator"]))

    kinds = [
        (piece.tempos, lambda row: mido.MetaMessage("set_tempo", tempo=int(row["quarter_us"]))),
        (piece.metres, metre),
        (piece.keys, lambda row: mido.MetaMessage("key_signature", key=_key(int(row["fifths"]), row["mode"]))),
    ]
    return [
        (round(row["onset"] * division), 0, message(row))
        for rows, message in kinds
        for row in rows[rows["sequence"] == sequence]
    ]


def _key(fifths: int, mode: str) -> str:
    """mido's name of a key: the inverse of the reader's."""
    place = fifths + 1 + (3 if mode == "minor" else 0)
    sign = "#" if place >= 7 else "b" if place < 0 else ""
    return "FCGDAEB"[place % 7] + sign + ("m" if mode == "minor" else "")
