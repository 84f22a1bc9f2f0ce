"""What the containers of sound files say that libsndfile does not report."""

import os
import re
import struct

MAX_UNNAMED = 0.01
"""Share of a file that may lie behind its last chunk and belong to none: tags that were appended."""


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


def unfinished_ogg(path: str | os.PathLike) -> str:
    """The last page of an Ogg stream carries an end mark (RFC 3533, section 6); libsndfile does not miss it."""
    with open(path, "rb") as file:
        if file.read(4) != b"OggS":
            return ""
        file.seek(max(0, os.path.getsize(path) - 2 * 65_307))  # 65,307 bytes: the largest page
        tail = file.read()
    last = tail.rfind(b"OggS\0")
    if last < 0 or len(tail) < last + 6 or not tail[last + 5] & 4:
        return "the last page of its stream is missing"
    return ""


def ogg_forms(path: str | os.PathLike) -> int:
    """How many different sample rates and numbers of channels the chained Vorbis or Opus streams of an Ogg file have.

    By the first packet of each stream, which is alone on its page (RFC 3533, section 4; Vorbis I, 4.2.2; RFC 7845, 5.1). Opus has
    one rate.
    """
    forms, place = set(), 0
    with open(path, "rb") as file:
        while len(head := file.read(27)) == 27 and head[:4] == b"OggS":
            sizes = file.read(head[26])
            if head[5] & 2:  # the first page of a stream
                first = file.read(16)
                if first[:7] == b"\x01vorbis":
                    forms.add(first[11:16])
                elif first[:8] == b"OpusHead":
                    forms.add(first[9:10])
            place += 27 + len(sizes) + sum(sizes)
            file.seek(place)
    return len(forms)


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
        while block := file.read(1 << 20):
            if block.strip(b"\0"):
                return size - end
    return 0


def has_table_of_contents(path: str | os.PathLike) -> bool:
    """Whether an MP3 begins with a frame that says how many follow (Xing, Info or VBRI), behind its ID3 tag."""
    with open(path, "rb") as file:
        head = file.read(10)
        place = 0
        if head[:3] == b"ID3" and len(head) == 10:  # its length: four bytes of seven bits each (ID3v2, section 3.1)
            place = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        file.seek(place)
        frame = file.read(4096)
    return any(word in frame for word in (b"Xing", b"Info", b"VBRI"))
