"""The tracks of a MIDI file, checked byte by byte and rewritten so that mido can decode each of them.

mido refuses files that are in use: with an unknown chunk, a key signature of 11 sharps, running status after a system
exclusive message, or a RIFF wrapper (RMID). And it reads some files that should be refused. Here every event is found and
checked; the rewritten track holds the channel messages, each with its status, and the valid tempo, metre and key events.
Other events that can be skipped without harm are counted. All limits are checked before mido sees a byte.

Source: Standard MIDI Files 1.0 (MIDI Manufacturers Association, RP-001), RMID (RP-029).
"""

import struct
from collections import Counter
from dataclasses import dataclass, field

from pipelines.notes.tables import Unreadable

MAX_BYTES = 8_000_000  # 10,000 pieces of piano music have at most 1 MB
MAX_EVENTS = 500_000  # of a file, 5 s for mido; long piano pieces have 50,000
MAX_QUARTERS = 200_000  # 27 hours at 120 quarters a minute
FRAME_RATES = {24: 24.0, 25: 25.0, 29: 30_000 / 1001, 30: 30.0}  # of the SMPTE division, in frames a second
END, TEMPO, METRE, KEY = 0x2F, 0x51, 0x58, 0x59


@dataclass(frozen=True)
class Tracks:
    """format: 0, 1 or 2. division: ticks a quarter, or None, and then ticks_per_s is given. chunks: an MTrk chunk each, as mido
    reads it. remarks: what was passed over or is unusual -> how often."""

    format: int
    division: int | None
    ticks_per_s: float | None
    chunks: list[bytes]
    remarks: Counter = field(default_factory=Counter)

    def quarters(self, ticks: int) -> float:
        """Of SMPTE time, which has no beats, a quarter is taken to last half a second (the default tempo)."""
        return ticks / self.division if self.division else 2 * ticks / self.ticks_per_s


def split(content: bytes) -> Tracks:
    """The checked tracks of a file. Raises `Unreadable`."""
    if len(content) > MAX_BYTES:
        raise Unreadable(f"a file of {len(content):,} bytes: at most {MAX_BYTES:,} are read")
    content = _unwrapped(content)
    if content[:4] != b"MThd":
        raise Unreadable("not a MIDI file: it does not begin with MThd")
    if len(content) < 14:
        raise Unreadable("the header is cut short")
    size, kind, n_tracks, division = struct.unpack(">LHHH", content[4:14])
    if size < 6 or kind > 2:
        raise Unreadable(f"the header says length {size} and format {kind}: there are formats 0, 1 and 2, of length 6")
    found, n_events = Tracks(kind, *_time(division), []), 0
    for start, end in _chunks(content, 8 + size, n_tracks, found.remarks):
        most = MAX_EVENTS - n_events
        rewritten, ticks, n = _rewritten(content[start:end], end > len(content), most, found.remarks)
        n_events += n
        if found.quarters(ticks) > MAX_QUARTERS:
            raise Unreadable(f"it lasts {found.quarters(ticks):,.0f} quarters: at most {MAX_QUARTERS:,} are read")
        found.chunks.append(b"MTrk" + struct.pack(">L", len(rewritten)) + rewritten)
    if len(found.chunks) < n_tracks:
        raise Unreadable(f"cut short: the header promises {n_tracks} tracks, and {len(found.chunks)} are there")
    if len(found.chunks) > n_tracks:
        found.remarks["tracks more than the header says"] += len(found.chunks) - n_tracks
    return found


def _unwrapped(content: bytes) -> bytes:
    """What a RIFF file of type RMID holds; other content as it is."""
    if content[:4] != b"RIFF" or content[8:12] != b"RMID":
        return content
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack("<4sL", content[place : place + 8])
        if name == b"data":
            return content[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    raise Unreadable("a RIFF file of type RMID without a data chunk")


def _time(division: int) -> tuple[int | None, float | None]:
    """(ticks a quarter, ticks a second), one of which is None."""
    if division == 0:
        raise Unreadable("the header says 0 ticks a quarter: it defines no time")
    if division < 0x8000:
        return division, None
    rate, ticks = FRAME_RATES.get(256 - (division >> 8)), division & 0xFF
    if rate is None or ticks == 0:
        raise Unreadable(f"the header's SMPTE time is {256 - (division >> 8)} frames a second of {ticks} ticks")
    return None, rate * ticks


def _chunks(content: bytes, place: int, n_tracks: int, remarks: Counter):
    """Yield (start, end) of the data of each track chunk; the end may lie beyond the file."""
    n_found = 0
    while place + 8 <= len(content):
        name, size = struct.unpack(">4sL", content[place : place + 8])
        start, place = place + 8, place + 8 + size
        if name == b"MTrk":
            n_found += 1
            yield start, place
        elif place > len(content):
            if n_found < n_tracks:
                raise Unreadable(f"cut short in a chunk {name!r}, before all {n_tracks} tracks")
            remarks["bytes after the last track"] += len(content) - start + 8
            return
        else:
            remarks["unknown chunks"] += 1
    remarks["bytes after the last track"] += max(len(content) - place, 0)


def _rewritten(data: bytes, is_cut: bool, most: int, remarks: Counter) -> tuple[bytes, int, int]:
    """(the events of a track with a status each, its length in ticks, how many events it has: at most `most`)."""
    out, place, ticks, written, running, n_events = bytearray(), 0, 0, 0, 0, 0
    try:
        while place < len(data):
            n_events += 1
            if n_events > most:
                raise Unreadable(f"more than {MAX_EVENTS:,} events")
            delta, place = _variable(data, place)
            ticks += delta
            status = data[place]
            if status < 0x80:
                status = running
                if not status:
                    raise Unreadable("a data byte stands where a message must begin")
            else:
                place += 1
            if status < 0xF0:
                running, size = status, 1 if 0xC0 <= status < 0xE0 else 2
                message = data[place : place + size]
                if len(message) < size:
                    raise IndexError
                if max(message) > 127:
                    raise Unreadable(f"a data byte of {max(message)}: data bytes are at most 127")
                out += _coded(ticks - written) + bytes([status]) + message
                place, written = place + size, ticks
                continue
            if status not in (0xF0, 0xF7, 0xFF):
                raise Unreadable(f"a message 0x{status:02x}, which no MIDI file may hold")
            kind = data[place] if status == 0xFF else -1
            size, place = _variable(data, place + (status == 0xFF))
            if place + size > len(data):
                raise IndexError
            body, place = data[place : place + size], place + size
            if kind == END:
                out += _coded(ticks - written) + bytes([0xFF, END, 0])
                if is_cut:
                    remarks["track lengths beyond the end of the file"] += 1
                elif place < len(data):
                    remarks["bytes after the end of a track"] += len(data) - place
                return bytes(out), ticks, n_events
            if kind in (TEMPO, METRE, KEY):
                if _is_meant(kind, body):
                    out += _coded(ticks - written) + bytes([0xFF, kind, size]) + body
                    written = ticks
                else:
                    remarks[f"impossible {NAMES[kind]} ignored"] += 1
    except IndexError:
        why = "cut short in a track" if is_cut else "an event runs past the end of its track"
        raise Unreadable(why) from None
    if is_cut:
        raise Unreadable("cut short in a track")
    remarks["tracks without an end"] += 1
    return bytes(out), ticks, n_events


NAMES = {TEMPO: "tempos", METRE: "time signatures", KEY: "key signatures"}


def _is_meant(kind: int, body: bytes) -> bool:
    if kind == TEMPO:
        return len(body) == 3 and any(body)
    if kind == METRE:
        return len(body) == 4 and body[0] > 0 and body[1] <= 7
    return len(body) == 2 and (body[0] <= 7 or body[0] >= 249) and body[1] <= 1


def _variable(data: bytes, place: int) -> tuple[int, int]:
    """(a variable-length number, the place after it). Raises `IndexError` where the data ends in it."""
    value = 0
    for n in range(4):
        byte = data[place + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + n + 1
    raise Unreadable("a number of more than four bytes")


def _coded(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
