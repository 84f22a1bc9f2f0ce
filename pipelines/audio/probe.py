"""What an audio file's header says, and whether it can be believed."""

import os
import re

import soundfile

MAX_CHANNELS = 64
RATES = (2_000, 768_000)  # Hz; outside is a broken header, not music


class Unreadable(Exception):
    """An audio file that cannot be used; the message says why and what to do."""


def header(path: str | os.PathLike) -> dict:
    """`{"duration_s", "sample_rate", "channels"}` of a file. Raises `Unreadable`."""
    try:
        if os.path.isdir(path):
            raise Unreadable("a folder, not an audio file")
        if os.path.getsize(path) == 0:
            raise Unreadable("the file is empty (0 bytes): copy or download it again")
        info = soundfile.info(str(path), verbose=True)
    except soundfile.LibsndfileError as error:
        # libsndfile says "does not exist" of an MP3 in which it finds no frame
        why = "" if "not exist" in error.error_string else f" ({error.error_string.rstrip('.')})"
        raise Unreadable(f"not audio that libsndfile can read{why}: convert it to FLAC or WAV, or remove it") from error
    except FileNotFoundError as error:
        raise Unreadable("the file does not exist") from error
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror or error}") from error
    if not RATES[0] <= info.samplerate <= RATES[1]:
        raise Unreadable(f"its header says {info.samplerate} Hz: the header is damaged")
    if info.channels > MAX_CHANNELS:
        raise Unreadable(f"its header says {info.channels} channels: the header is damaged")
    if info.frames <= 0:
        raise Unreadable("it holds no samples")
    cut = _promised_more(info.extra_info) or _unfinished_ogg(path)
    if cut:
        raise Unreadable(f"truncated: {cut}; copy or download it again")
    return {"duration_s": info.frames / info.samplerate, "sample_rate": info.samplerate, "channels": info.channels}


def _promised_more(log: str) -> str:
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


def _unfinished_ogg(path: str | os.PathLike) -> str:
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
