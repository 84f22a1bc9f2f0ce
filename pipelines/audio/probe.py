"""What an audio file's header says, whether it can be believed, and which library hears all of the file."""

import os

import soundfile

from pipelines.audio import containers, ffmpeg

MAX_CHANNELS = 64
RATES = (2_000, 768_000)  # Hz; outside is a broken header, not music
ESTIMATED = ("MP3", "OGG")
"""Formats whose length libsndfile estimates, believes, or reads of the first of several streams."""
BYTES = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
"""Of a sample."""
UNKNOWN = 1 << 62
"""As many samples or more: libsndfile's word for a length that the header does not say."""
GAP = 2 * 4095 + 2 * 1152
"""Samples of an MP3 that its table of contents may take away: 12 bits at each end (LAME's tag), and two frames."""

CHANGES = "its sample rate or number of channels changes on the way: cut it into files of one each, or convert it to FLAC or WAV"


HEADERLESS = (
    "not audio that libsndfile can read (no header says what is in it): convert it to FLAC or WAV, or remove it"
)


class Unreadable(Exception):
    """An audio file that cannot be used; the message says why and what to do."""


def header(path: str | os.PathLike) -> dict:
    """`{"duration_s", "sample_rate", "channels", "format", "decoder"}` of a file. `format` is libsndfile's name of it, `decoder`
    `libsndfile`, or `ffmpeg` where libsndfile would not hear all of it. Raises `Unreadable`."""
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
    except TypeError as error:  # by its suffix it is headerless, and soundfile wants to be told what is in it
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
    cut = containers.promised_more(info.extra_info) or containers.ogg_fault(path)
    if cut:
        raise Unreadable(f"truncated: {cut}; copy or download it again")
    duration_s, decoder = _length(path, info)
    return {
        "duration_s": duration_s,
        "sample_rate": info.samplerate,
        "channels": info.channels,
        "format": info.format,
        "decoder": decoder,
    }


def _length(path: str | os.PathLike, info) -> tuple[float, str]:
    """(seconds, the library that hears them all)."""
    said = info.frames / info.samplerate
    if 0 < info.frames < UNKNOWN and info.format not in ESTIMATED:
        sound = info.frames * info.channels * BYTES.get(info.subtype, 0)
        if sound < 0.9 * os.path.getsize(path) and (more := containers.behind_the_chunks(path)):
            raise Unreadable(
                f"its header says {said:.1f} s, and {more:,} bytes follow that belong to no part of the file: either the header "
                "is wrong, or what follows is no sound; export it again"
            )
        return said, "libsndfile"
    if info.frames <= 0 and not containers.behind_the_chunks(path):
        raise Unreadable("it holds no samples")
    if info.format == "OGG" and containers.ogg_forms(path) > 1:
        raise Unreadable(CHANGES)
    walked = ffmpeg.length(path, info.format)
    if walked is None:
        raise Unreadable(
            f"how long it is cannot be found out: libsndfile says {_words(info)}, and FFmpeg cannot read it to its end"
        )
    there, one_form = walked
    if not one_form:
        raise Unreadable(CHANGES)
    tagged = info.format == "MP3" and containers.has_table_of_contents(path)
    if tagged and there < 0.99 * said:
        raise Unreadable(
            f"truncated: its header promises {said:.1f} s and {there:.1f} s are there; copy or download it again"
        )
    gap = (GAP if tagged else 2 * 1152) / info.samplerate
    return (said, "libsndfile") if abs(said - there) <= gap else (there, "ffmpeg")


def _words(info) -> str:
    return f"{info.frames / info.samplerate:.1f} s" if 0 < info.frames < UNKNOWN else "nothing of it"
