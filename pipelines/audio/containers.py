"""What the containers of sound files say that libsndfile does not report."""

import os
import re
import struct
from collections.abc import Iterator

MAX_UNNAMED = 0.1
"""Share of a file that may lie behind its last chunk and belong to none."""
TAGS = (b"ID3", b"TAG", b"APETAGEX")


def promised_more(log: str) -> str:
    """libsndfile plays a truncated WAV, AU or AIFF as if it were whole, but its log says `data : 1000 (should be 400)`."""
    for line in log.splitlines():
        found = re.match(r"\s*(?:data|Data Size|SSND)\s*:\s*(\d+) \(should be (\d+)\)", line)
        if not found:
            continue
        promised, there = int(found[1]), int(found[2])
        # encoders that write to a pipe leave the largest number; padding may be off by a few bytes
        if promised < 0x7FFFF000 and there < 0.99 * promised:
            return f"its header promises {promised:,} bytes of sound and {there:,} are there"
    return ""


def ogg_fault(path: str | os.PathLike) -> str:
    """What is missing of an Ogg file's pages (RFC 3533, section 6), "" for none and for other formats: libsndfile misses nothing.

    Each stream's pages are numbered, and its last carries an end mark; of chained streams each ends before the next begins.
    """
    open_streams, last = {}, {}  # serial number of a stream -> number of its last page
    for _, flags, serial, number, _ in _ogg_pages(path):
        if flags is None:
            return "bytes between its pages belong to none"
        if flags & 2:
            if set(open_streams) - {name for name, page in open_streams.items() if page == 0}:
                return "a stream begins before the one before it has ended"
            last[serial] = number - 1
        elif number != last.get(serial, number - 1) + 1:
            return f"{number - last[serial] - 1} pages are missing on the way"
        last[serial] = open_streams[serial] = number
        if flags & 4:
            open_streams.pop(serial)
    return "the last page of its stream is missing" if open_streams else ""


def ogg_forms(path: str | os.PathLike) -> int:
    """How many different sample rates and numbers of channels the chained Vorbis or Opus streams of an Ogg file have.

    By the first packet of each stream, which is alone on its page (RFC 3533, section 4; Vorbis I, 4.2.2; RFC 7845, 5.1). Opus has
    one rate.
    """
    forms = set()
    for first, flags, *_ in _ogg_pages(path):
        if flags and flags & 2:
            if first[:7] == b"\x01vorbis":
                forms.add(first[11:16])
            elif first[:8] == b"OpusHead":
                forms.add(first[9:10])
    return len(forms)


def _ogg_pages(path: str | os.PathLike) -> Iterator[tuple]:
    """(first 16 bytes, flags, serial number, page number, size) of each page; flags None where something else follows."""
    place, size = 0, os.path.getsize(path)
    with open(path, "rb") as file:
        if file.read(4) != b"OggS":
            return
        file.seek(0)
        while place < size:
            head = file.read(27)
            if len(head) < 27 or head[:4] != b"OggS":
                if place and any(head):  # zeros at the end are padding
                    yield b"", None, 0, 0, 0
                return
            sizes = file.read(head[26])
            serial, number = struct.unpack_from("<II", head, 14)
            length = 27 + len(sizes) + sum(sizes)
            yield file.read(16), head[5], serial, number, length
            place += length
            file.seek(place)


def behind_the_chunks(path: str | os.PathLike) -> int:
    """Bytes of a WAV, AIFF or AU that lie behind the sound and are in no chunk: sound that the header does not count.

    0 for other formats, where they are at most `MAX_UNNAMED` of the file, and where all are zero.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] == b".snd":
            place, length = struct.unpack(">II", head[4:12])
            end = size if length >= 0x7FFFFFFF else place + length
        else:
            order = {(b"RIFF", b"WAVE"): "<I", (b"FORM", b"AIFF"): ">I", (b"FORM", b"AIFC"): ">I"}.get(
                (head[:4], head[8:])
            )
            if not order:
                return 0
            end = 12
            while end < size:
                file.seek(end)
                name, length = file.read(4), file.read(4)
                if len(length) < 4 or any(not 32 <= letter < 127 for letter in name):
                    break
                (length,) = struct.unpack(order, length)
                behind = end + 8 + length + length % 2
                if behind > size + 1:
                    if name in (b"data", b"SSND"):  # it claims more than there is: `promised_more` sees that
                        return 0
                    break
                end = behind
        if end >= size or size - end <= MAX_UNNAMED * size:
            return 0
        file.seek(end)
        if file.read(8).startswith(TAGS):
            return 0
        file.seek(end)
        while block := file.read(1 << 20):
            if block.strip(b"\0"):
                return size - end
    return 0


def mp3_bounds(path: str | os.PathLike) -> tuple[int, int]:
    """(first byte, one after the last) of an MP3 without the tags around it: pictures in them look like frames.

    ID3v2 (section 3.1 and, at the end, 3.4), APEv2, Lyrics3 and ID3v1.
    """
    begin, end = 0, os.path.getsize(path)
    with open(path, "rb") as file:

        def at(place: int, n: int) -> bytes:
            file.seek(max(0, place))
            return file.read(n)

        while True:
            head = at(begin, 32)
            if head[:3] == b"ID3" and len(head) >= 10:
                begin += 10 + _seven_bits(head[6:10]) + (10 if head[5] & 0x10 else 0)
            elif head[:8] == b"APETAGEX" and len(head) == 32:
                begin += 32 + struct.unpack_from("<I", head, 12)[0]
            else:
                break
        while end - begin > 160:
            foot = at(end - 128, 128)
            ape = foot[-32:]
            if foot[:3] == b"TAG":
                end -= 128
            elif ape[:8] == b"APETAGEX":
                length, flags = struct.unpack_from("<I", ape, 12)[0], struct.unpack_from("<I", ape, 20)[0]
                end -= length + (32 if flags & 1 << 31 else 0)
            elif foot[-10:-7] == b"3DI":
                end -= 20 + _seven_bits(foot[-4:])
            elif foot[-9:] == b"LYRICS200" and foot[-15:-9].isdigit():
                end -= 15 + int(foot[-15:-9])
            else:
                break
    whole = (0, os.path.getsize(path))
    return (begin, end) if begin < end <= whole[1] else whole


def _seven_bits(word: bytes) -> int:
    return sum((byte & 0x7F) << shift for byte, shift in zip(word, (21, 14, 7, 0), strict=True))


def has_table_of_contents(path: str | os.PathLike) -> bool:
    """Whether an MP3's first frame says how many follow (Xing, Info or VBRI): at most 38 bytes behind its header."""
    with open(path, "rb") as file:
        file.seek(mp3_bounds(path)[0])
        head = file.read(8192)
    first = next((n for n in range(len(head) - 1) if head[n] == 0xFF and head[n + 1] & 0xE0 == 0xE0), 0)
    return any(word in head[first : first + 48] for word in (b"Xing", b"Info", b"VBRI"))
