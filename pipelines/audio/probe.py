"""Read an audio file's header, check it, and choose the library that decodes the whole file."""

import os

import soundfile

from pipelines.audio import containers, extents, ffmpeg
from pipelines.audio.quiet import without_remarks

MAX_CHANNELS = 64
RATES = (2_000, 768_000)  # Hz; outside is a broken header, not music
ESTIMATED = ("MP3", "OGG", "FLAC")
"""Formats whose length libsndfile estimates, believes, or reads of the first of several streams."""
TO_THE_END = ("AVR", "MAT5", "MPC2K", "NIST", "SVX", "VOC", "W64", "WVE", "XI")
"""Formats of which libsndfile plays all bytes behind the header, whatever it says of them."""
MAX_UNNAMED = 1024, 0.002
"""Bytes of a file, or a share of it, that may lie behind its sound and belong to no part of it (no tag, no zeros)."""
BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
"""Bytes per sample."""
UNKNOWN = 1 << 62
"""As many samples or more: libsndfile's word for a length that the header does not say."""
GAP = 2 * 4095 + 2 * 1152
"""Samples of an MP3 that its table of contents may take away: 12 bits at each end (LAME's tag), and two frames."""

CHANGES = "its sample rate or number of channels changes within the file: split it there, or convert it to FLAC or WAV"


HEADERLESS = "not audio that libsndfile can read (it has no known header): convert it to FLAC or WAV, or remove it"


class Unreadable(Exception):
    """An audio file that cannot be used; the message says why and what to do."""


def header(path: str | os.PathLike) -> dict:
    """`{"duration_s", "sample_rate", "channels", "format", "decoder", "artist"}` of a file. `format` is libsndfile's name of it,
    `decoder` `libsndfile`, or `ffmpeg` where libsndfile would not decode all of it; `artist` what its tags say, or "". Raises
    `Unreadable`."""
    try:
        if os.path.isdir(path):
            raise Unreadable("a folder, not an audio file")
        if os.path.getsize(path) == 0:
            raise Unreadable("the file is empty (0 bytes): copy or download it again")
        with without_remarks():
            info = soundfile.info(str(path), verbose=True)
    except soundfile.LibsndfileError as error:
        _refuse_what_is_open(path)
        # libsndfile says "does not exist" of an MP3 in which it finds no frame
        why = "" if "not exist" in error.error_string else f" ({error.error_string.rstrip('.')})"
        raise Unreadable(f"not audio that libsndfile can read{why}: convert it to FLAC or WAV, or remove it") from error
    except TypeError as error:  # by its suffix it is headerless, and soundfile needs its format
        raise Unreadable(HEADERLESS) from error
    except FileNotFoundError as error:
        raise Unreadable("the file does not exist") from error
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror or error}") from error
    if info.format == "RAW":  # libsndfile goes by the suffix (.au, .vox, .gsm) where it finds no header
        raise Unreadable(HEADERLESS)
    if not RATES[0] <= info.samplerate <= RATES[1]:
        raise Unreadable(f"its header says {info.samplerate} Hz: the header is damaged")
    if info.channels > MAX_CHANNELS:
        raise Unreadable(f"its header says {info.channels} channels: the header is damaged")
    extent = extents.of(path, info.format)
    if extent and (cut := extents.missing(path, extent)):
        raise Unreadable(f"truncated: {cut}; copy or download it again")
    pages = containers.ogg(path)
    if pages.fault:
        raise Unreadable(f"{pages.fault}; copy or download it again")
    if pages.forms > 1:
        raise Unreadable(CHANGES)
    duration_s, sample_rate, decoder = _length(path, info, extent)
    return {
        "duration_s": duration_s,
        "sample_rate": sample_rate,
        "channels": info.channels,
        "format": info.format,
        "decoder": decoder,
        "artist": _artist(path),
    }


def _artist(path: str | os.PathLike) -> str:
    try:
        with without_remarks(), soundfile.SoundFile(str(path)) as file:
            return file.artist.strip()
    except (soundfile.LibsndfileError, OSError):  # FFmpeg alone reads it
        return ""


def _refuse_what_is_open(path: str | os.PathLike) -> None:
    """The reason for a CAF or RF64 that libsndfile calls malformed, where its header says too much, or leaves its length open."""
    with open(path, "rb") as file:
        kind = {b"caff": "CAF", b"RF64": "RF64"}.get(file.read(4))
    extent = extents.of(path, kind) if kind else None
    if extent and (cut := extents.missing(path, extent)):
        raise Unreadable(f"truncated: {cut}; copy or download it again")
    if extent and extent.end is None:
        raise Unreadable(
            f"its header has no length, and libsndfile cannot read such a {kind}: convert it to FLAC or WAV"
        )


def _length(path: str | os.PathLike, info, extent: extents.Extent | None) -> tuple[float, int, str]:
    """(seconds, sample rate, the library that decodes all of it)."""
    said = info.frames / info.samplerate
    if info.frames <= 0 and not (extent and extent.end is None):
        raise Unreadable("it contains no samples")
    known = 0 < info.frames < UNKNOWN
    if known and info.format not in ESTIMATED and not _plays_too_much(path, info, extent):
        return said, info.samplerate, "libsndfile"
    walked = ffmpeg.length(path, info.format)
    if walked is None:
        raise Unreadable(f"its length is unknown: libsndfile says {_words(info)}, and FFmpeg cannot read it to its end")
    if not walked.one_form:
        raise Unreadable(CHANGES)
    there = walked.seconds
    tagged = info.format == "MP3" and containers.has_table_of_contents(path)
    if known and there < 0.99 * said and (tagged or info.format == "OGG"):
        raise Unreadable(
            f"truncated: its header states {said:.1f} s and {there:.1f} s are in the file; copy or download it again"
        )
    off = (there - said if info.format == "FLAC" and known else abs(there - said)) * info.samplerate
    gap = {"MP3": GAP if tagged else 2 * 1152, "OGG": 2 * 1152}.get(info.format, 0.5)
    return (said, info.samplerate, "libsndfile") if off <= gap else (there, walked.sample_rate, "ffmpeg")


def _plays_too_much(path: str | os.PathLike, info, extent: extents.Extent | None) -> bool:
    """Whether libsndfile would play what is no sound, and FFmpeg would not. Raises `Unreadable` where FFmpeg does not read the
    format, and where a part of the file is neither sound nor anything else."""
    if extent is None:
        return False
    size = os.path.getsize(path)
    few, share = MAX_UNNAMED
    if size - extent.named > max(few, share * size) and (more := extents.behind(path, extent.named)):
        raise Unreadable(
            f"{more:,} bytes behind its sound belong to no part of the file: either the header is wrong, or what follows is no "
            "sound; export it again"
        )
    counted = info.frames * info.channels * BYTES.get(info.subtype, 0)
    there = min(extent.end or size, size) - extent.begin
    if info.format in extents.LAYOUTS and 0 < counted < 0.99 * there:
        raise Unreadable(
            f"its header counts {_words(info)}, or {counted:,} bytes, and {there:,} bytes of sound are there: export it again"
        )
    if extent.end is None or info.format not in TO_THE_END or not (more := extents.behind(path, extent.end)):
        return False
    if info.format in ffmpeg.FORMATS:
        return True
    raise Unreadable(
        f"{more:,} bytes follow its sound, and libsndfile would decode them: export it again, or convert it to FLAC or WAV"
    )


def _words(info) -> str:
    return f"{info.frames / info.samplerate:.1f} s" if 0 < info.frames < UNKNOWN else "nothing"
