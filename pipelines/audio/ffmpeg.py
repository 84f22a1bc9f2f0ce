"""Count packets and decode with FFmpeg (PyAV) the files that libsndfile would not decode completely.

libsndfile stops at the estimated end of an MP3 without a table of contents, at the end that a wrong table states, after the first
of several chained Ogg streams, and at the end that the header of a FLAC states. For a FLAC or WAV that was written to a pipe,
whose length is unknown, it assumes no samples or millions of years. It decodes the chunks after the audio data of a W64 or VOC as
sound.

FFmpeg gets an open file and the format that libsndfile found. It tries no other format, follows no address and opens no other
file.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from pipelines.audio.containers import mp3_bounds

FORMATS = {
    **{"MP3": "mp3", "OGG": "ogg", "FLAC": "flac", "WAV": "wav", "WAVEX": "wav", "RF64": "wav", "AIFF": "aiff"},
    **{"AU": "au", "W64": "w64", "CAF": "caf", "VOC": "voc"},
}
"""libsndfile's name of a format -> FFmpeg's."""

MAX_ODD = 0.01
"""Share of a file's packets that may be damaged, or of another rate than the others, as junk between MP3 frames is."""
IN_A_ROW = 8
"""MP3 frames of another form than most, one after the other, that are sound and no junk."""


@contextmanager
def _opened(path: str | os.PathLike, kind: str):
    import av

    av.logging.set_level(av.logging.PANIC)  # what it would print names no file
    with open(path, "rb") as file:
        bounds = mp3_bounds(path) if kind == "MP3" else (0, os.path.getsize(path))
        with av.open(_Part(file, *bounds), format=FORMATS[kind], metadata_errors="ignore") as container:
            yield container, container.streams.audio[0]


class _Part:
    """A file from `begin` to before `end`, as FFmpeg reads one: a header that lies may have it seek anywhere."""

    def __init__(self, file, begin: int, end: int):
        self.file, self.begin, self.end, self.place = file, begin, end, 0

    def read(self, n: int = -1) -> bytes:
        left = max(0, self.end - self.begin - self.place)
        if not left:
            return b""
        self.file.seek(self.begin + self.place)
        found = self.file.read(left if n < 0 else min(n, left))
        self.place += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = max(0, offset + (0, self.place, self.end - self.begin)[whence])
        return self.place

    def tell(self) -> int:
        return self.place


class Packets(NamedTuple):
    """`one_form`: whether all MP3 frames are of one rate and number of channels. `sample_rate`: in Hz, of what `blocks` yields;
    48,000 for Opus, which libsndfile decodes to the rate that the encoder was given."""

    seconds: float
    one_form: bool
    sample_rate: int


def length(path: str | os.PathLike, kind: str) -> Packets | None:
    """What the packets of a file of libsndfile's format `kind` say, without decoding. None where FFmpeg finds none."""
    import av

    if kind not in FORMATS:
        return None
    durations, before, row, longest = Counter(), None, 0, Counter()  # by the form of MP3 frames
    try:
        with _opened(path, kind) as (container, stream):
            for packet in container.demux(stream):
                form = None
                if kind == "MP3" and packet.size >= 4:
                    _, version, rate, mode = bytes(memoryview(packet)[:4])
                    form = version & 0x18, rate & 0x0C, mode >> 6 == 3  # ISO 11172-3, 2.4.2.3
                lasts = packet.duration or 0
                durations[form] += (
                    lasts - (1 << 32) if lasts >= 1 << 31 else lasts
                )  # the cut at a stream's end, as 32 bits
                row = row + 1 if form == before else 1
                before, longest[form] = form, max(longest[form], row)
            (form, duration), *others = durations.most_common()
            seconds, sample_rate = float(duration * stream.time_base), stream.rate
    except (av.FFmpegError, IndexError, ValueError):
        return None
    changes = any(longest[other] >= IN_A_ROW and n > MAX_ODD * durations.total() for other, n in others)
    return Packets(seconds, not changes, sample_rate) if seconds else None


def blocks(path: str | os.PathLike, kind: str, size: int) -> Iterator[np.ndarray]:
    """Yield float32 blocks `(samples, channels)` of about `size` samples, at full scale 1.

    Raises `ValueError` with the reason where the rate or the number of channels changes, and where the sound is damaged.
    """
    import av

    waiting, first, samples, packets, damaged = [], None, 0, 0, 0
    to_float = av.AudioResampler(format="fltp")
    try:
        with _opened(path, kind) as (container, stream):
            for packet in container.demux(stream):
                packets += 1
                try:
                    frames = packet.decode()
                except av.InvalidDataError:
                    damaged += 1
                    continue
                for frame in frames:
                    form = (frame.sample_rate, frame.layout.nb_channels)
                    first = first or form
                    if form != first:
                        if kind == "MP3":  # junk between frames: `length` has seen how many there are
                            continue
                        raise ValueError(
                            f"it continues with {form[0]} Hz and {form[1]} channels after {samples / first[0]:.1f} s of "
                            f"{first[0]} Hz and {first[1]}: cut it there into two files"
                        )
                    samples += frame.samples
                    waiting += [part.to_ndarray().T for part in to_float.resample(frame)]
                if sum(map(len, waiting)) >= size:
                    yield np.concatenate(waiting)
                    waiting = []
            if waiting:
                yield np.concatenate(waiting)
    except av.FFmpegError as error:
        raise ValueError(f"decoding stops ({error.strerror}); copy or download it again") from error
    if damaged > MAX_ODD * packets or (damaged and kind == "FLAC"):
        raise ValueError(f"damaged: {damaged} of its {packets} packets cannot be decoded; copy or download it again")
