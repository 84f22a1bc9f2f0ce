"""The byte range of a file's audio data, as its header states it.

libsndfile reads whatever bytes are in the file: what is left of a truncated file, and in some formats also bytes after the audio
data. The headers of IRCAM, PAF, PVF and SD2 state no length. MP3, Ogg and FLAC state a length in samples, and `ffmpeg.length`
counts their packets.
"""

import os
import re
import struct
from typing import BinaryIO, NamedTuple

TAGS = (b"ID3", b"TAG", b"APETAGEX")
OPEN = 0x7FFFF000
"""As many bytes or more: the word of encoders that write to a pipe and cannot go back to say how many. Of 64 bits `OPEN_64`."""
OPEN_64 = 1 << 62


class Extent(NamedTuple):
    """Places in bytes. `end` is one after the sound's last byte, None where the header leaves it open; `named` one after the last
    byte that the header or a chunk accounts for."""

    begin: int
    end: int | None
    named: int


class Layout(NamedTuple):
    """Of a container made of chunks: where the first lies, the form of a length, the sound's name, the bytes of a name, what
    chunks are aligned to, whether a length counts the chunk's own head, and the bytes before the first sample."""

    first: int
    length: str
    sound: bytes
    name: int = 4
    align: int = 2
    counts_head: bool = False
    before: int = 0


RIFF = Layout(12, "<I", b"data")
LAYOUTS = {
    **{"WAV": RIFF, "WAVEX": RIFF, "RF64": RIFF, "RIFX": RIFF._replace(length=">I")},
    **{"AIFF": Layout(12, ">I", b"SSND", before=8), "SVX": Layout(12, ">I", b"BODY")},
    **{"W64": Layout(40, "<Q", b"data", 16, 8, counts_head=True), "CAF": Layout(8, ">q", b"data", align=1, before=4)},
}
"""libsndfile's name of a format -> its layout. RIFX is WAV with its bytes the other way round."""


def of(path: str | os.PathLike, kind: str) -> Extent | None:
    """The sound's place in a file of libsndfile's format `kind`; None where its header does not say it."""
    size = os.path.getsize(path)
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
            kind = "RIFX" if magic == b"RIFX" else kind
            if kind in LAYOUTS:
                return _of_chunks(file, size, LAYOUTS[kind])
            return _of_header(file, size, *HEADERS[kind](file, size)) if kind in HEADERS else None
    except (struct.error, ValueError, AttributeError):  # the header ends before it has said so
        return None


def missing(path: str | os.PathLike, extent: Extent) -> str:
    """What the header promises and is not there, "" for nothing; padding may be off by a few bytes."""
    if extent.end is None:
        return ""
    promised, there = extent.end - extent.begin, max(0, os.path.getsize(path) - extent.begin)
    return (
        f"its header states {promised:,} bytes of sound, and {there:,} are in the file"
        if there < 0.99 * promised
        else ""
    )


def behind(path: str | os.PathLike, place: int) -> int:
    """Bytes of a file from `place` on; 0 where they are tags, or all zero."""
    with open(path, "rb") as file:
        file.seek(place)
        if file.read(8).startswith(TAGS):
            return 0
        file.seek(place)
        while block := file.read(1 << 20):
            if block.strip(b"\0"):
                return os.path.getsize(path) - place
    return 0


def _of_chunks(file: BinaryIO, size: int, layout: Layout) -> Extent | None:
    place, begin, end, long = layout.first, None, None, None
    while found := _chunk(file, size, layout, place):
        name, body, length = found
        if name == b"ds64":  # EBU Tech 3306: lengths of more than 32 bits stand here
            (long,) = struct.unpack("<8xQ", file.read(16))
        elif name == layout.sound and begin is None:
            begin = body + layout.before
            if length == 0xFFFFFFFF and long is not None:
                length = long
            if length >= (OPEN if layout.length[1] == "I" and long is None else OPEN_64) or length < 0:
                return Extent(begin, None, size)
            end = body + length
        if body + length >= size:
            return Extent(begin, end, size) if begin else None
        place, padded = body + length, body + length + -length % layout.align
        # some writers leave the padding out
        if padded == place or _chunk(file, size, layout, padded) or not _chunk(file, size, layout, place):
            place = padded
    if begin is None:
        return None
    if end <= begin and place < size:  # never finished: what follows may be the sound
        return Extent(begin, None, size)
    return Extent(begin, end, min(place, size))


def _chunk(file: BinaryIO, size: int, layout: Layout, place: int) -> tuple[bytes, int, int] | None:
    """(first four bytes of the name, where the body begins, its length); None where no chunk begins at `place`."""
    head = layout.name + struct.calcsize(layout.length)
    file.seek(place)
    content = file.read(head)
    if len(content) < head:
        return None
    name, (length,) = content[:4], struct.unpack(layout.length, content[layout.name :])
    length -= head if layout.counts_head else 0
    if name == layout.sound:
        return name, place + head, length
    printable = layout.name > 4 or all(32 <= letter < 127 for letter in name)
    return (name, place + head, length) if printable and 0 <= length <= size + 1 - place - head else None


def _of_header(file: BinaryIO, size: int, begin: int, length: int, named: int | None = None) -> Extent:
    if not 0 < length < OPEN:
        return Extent(begin, None, size)
    return Extent(begin, begin + length, min(size, named or begin + length))


def _at(file: BinaryIO, place: int, form: str) -> tuple:
    file.seek(place)
    return struct.unpack(form, file.read(struct.calcsize(form)))


def _au(file: BinaryIO, size: int) -> tuple[int, int]:
    (magic,) = _at(file, 0, "4s")
    return _at(file, 4, ">II" if magic == b".snd" else "<II")


def _avr(file: BinaryIO, size: int) -> tuple[int, int]:
    stereo, bits = _at(file, 12, ">HH")
    return 128, _at(file, 26, ">I")[0] * (2 if stereo else 1) * bits // 8


def _mat4(file: BinaryIO, size: int) -> tuple[int, int]:
    """The second of two matrices, of which the first is the sample rate (MAT-File Format, "Level 4")."""
    end = 0
    for _ in range(2):
        order = (
            "<" if _at(file, end, "<I")[0] < 5000 else ">"
        )  # the type has four decimal digits, the first for the order
        kind, rows, columns, _, name = _at(file, end, f"{order}5I")
        begin, length = end + 20 + name, rows * columns * (8, 4, 4, 2, 2, 1)[min(kind // 10 % 10, 5)]
        end = begin + length
    return begin, length


def _mat5(file: BinaryIO, size: int) -> tuple[int, int]:
    """The second of two matrices, of which the first is the sample rate (MAT-File Format, "Level 5"). Flags, shape, and a name of
    eight letters stand before its numbers."""
    order = "<" if _at(file, 126, "2s")[0] == b"IM" else ">"
    begin = 128 + 8 + _at(file, 132, f"{order}I")[0] + 8 + 16 + 16 + 16 + 8
    return begin, _at(file, begin - 4, f"{order}I")[0]


def _mpc2k(file: BinaryIO, size: int) -> tuple[int, int]:
    (stereo,), (frames,) = _at(file, 21, "B"), _at(file, 30, "<I")
    return 42, frames * (4 if stereo else 2)


def _nist(file: BinaryIO, size: int) -> tuple[int, int]:
    begin = int(_at(file, 8, "8s")[0])
    (head,) = _at(file, 0, f"{min(begin, size, 1 << 16)}s")
    counts = (
        re.search(rb"\n%s -i (\d+)" % name, head) for name in (b"sample_count", b"sample_n_bytes", b"channel_count")
    )
    samples, width, channels = (int(count[1]) if count else 1 for count in counts)
    return begin, samples * width * channels


def _sds(file: BinaryIO, size: int) -> tuple[int, int]:
    """Packets of 127 bytes, 120 of them samples of 2, 3 or 4 bytes of seven bits (MIDI 1.0, Sample Dump Standard)."""
    bits, *words = _at(file, 6, "B3x3B")
    samples, per_packet = sum(word << 7 * n for n, word in enumerate(words)), 120 // -(-bits // 7)
    return 21, -(-samples // per_packet) * 127


def _voc(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """The first block with sound; blocks follow each other until one of type 0."""
    (place,) = _at(file, 20, "<H")
    begin = length = 0
    while place + 4 <= size:
        kind, low, high = _at(file, place, "<BHB")
        n = low + (high << 16)
        if kind == 0 or kind > 9 or (begin and place + 4 + n > size):
            return begin, length, place + (kind == 0)
        if kind in (1, 2, 9) and not begin:
            begin, length = place + 4, n
        place += 4 + n
    return begin, length, place


def _wve(file: BinaryIO, size: int) -> tuple[int, int]:
    return 32, _at(file, 18, ">I")[0]


def _xi(file: BinaryIO, size: int) -> tuple[int, int]:
    (samples,) = _at(file, 296, "<H")
    lengths = [_at(file, 298 + 40 * n, "<I")[0] for n in range(samples)]
    return 298 + 40 * samples, sum(lengths)


HEADERS = {
    **{"AU": _au, "AVR": _avr, "MAT4": _mat4, "MAT5": _mat5, "MPC2K": _mpc2k, "NIST": _nist},
    **{"SDS": _sds, "VOC": _voc, "WVE": _wve, "XI": _xi},
}
"""libsndfile's name of a format whose header says the length -> (first byte of the sound, its bytes, one after the last byte
accounted for where that is another)."""
