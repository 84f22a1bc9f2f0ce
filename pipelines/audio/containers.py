"""Parse Ogg pages and the tags around an MP3, for facts that libsndfile does not report."""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.audio.extents import TAGS

CRC_OF_PAGE = slice(22, 26)
BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Ogg(NamedTuple):
    """`fault`: what is wrong with the pages, "" for nothing. `forms`: how many different sample rates and numbers of channels the
    chained Vorbis or Opus streams have."""

    fault: str
    forms: int


def ogg(path: str | os.PathLike) -> Ogg:
    """What libsndfile does not say of an Ogg file's pages (RFC 3533, section 6): it plays what it finds.

    Each stream's pages are numbered, and its last carries an end mark; of chained streams each ends before the next begins. The
    first packet of a stream, which is alone on its page, says its form (Vorbis I, 4.2.2; RFC 7845, 5.1). Opus has one rate.
    """
    open_streams, last, forms = {}, {}, set()  # serial number of a stream -> number of its last page
    positions = {}  # serial number of a stream -> samples up to the end of its last page
    for head, body in _ogg_pages(path):
        if body is None:
            return Ogg("truncated: there are bytes between its pages", len(forms))
        flags, position, serial, number = struct.unpack_from("<BqII", head, 5)
        if _ogg_crc(head, body) != struct.unpack("<I", head[CRC_OF_PAGE])[0]:
            return Ogg(f"damaged: the checksum of its page {number} is wrong", len(forms))
        if flags & 2:
            if set(open_streams) - {name for name, page in open_streams.items() if page == 0}:
                return Ogg("truncated: a stream begins before the previous one ends", len(forms))
            last[serial] = number - 1
            if body[:7] == b"\x01vorbis":
                forms.add(body[11:16])
            elif body[:8] == b"OpusHead":
                forms.add(body[9:10])
        elif number != last.get(serial, number - 1) + 1:
            return Ogg(f"truncated: {number - last[serial] - 1} pages are missing", len(forms))
        before = 0 if flags & 2 else positions.get(serial, 0)
        if (position < 0 and flags & 4 and body) or 0 <= position < before:
            return Ogg(f"damaged: its page {number} ends before the previous one", len(forms))
        positions[serial] = max(position, before)
        last[serial] = open_streams[serial] = number
        if flags & 4:
            open_streams.pop(serial)
    return Ogg("truncated: the last page of its stream is missing" if open_streams else "", len(forms))


def _ogg_pages(path: str | os.PathLike) -> Iterator[tuple[bytes, bytes | None]]:
    """(head, body) of each page; the body is None where something else follows."""
    with open(path, "rb") as file:
        place = 0
        while head := file.read(27):
            if len(head) < 27 or head[:4] != b"OggS":
                if place and any(head) and not head.startswith(TAGS):  # zeros at the end are padding
                    yield head, None
                return
            sizes = file.read(head[26])
            body = file.read(sum(sizes))
            if len(body) < sum(sizes):  # the next page, or the end mark, is missing then
                return
            yield head + sizes, body
            place += len(head) + len(sizes) + len(body)


def _ogg_crc(head: bytes, body: bytes) -> int:
    """The checksum that a page should have: polynomial 0x04C11DB7 from 0, highest bit first, with its own place zero. zlib's has
    the lowest bit first, and is inverted before and after."""
    page = bytearray(head + body)
    page[CRC_OF_PAGE] = bytes(4)
    found = zlib.crc32(page.translate(BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)


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
