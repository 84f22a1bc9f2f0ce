"""Decode a file once, to blocks of int16 at the wanted rate, mono or stereo, in bounded memory.

soundfile reads the file, or FFmpeg where libsndfile would not decode all of it (see `probe`). The downmix is written out, because
numpy's `mean` over channels is 35 times slower. soxr HQ resamples the stream.
"""

import contextlib
import os
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from pipelines.audio import ffmpeg, probe
from pipelines.audio.probe import Unreadable
from pipelines.audio.quiet import without_remarks
from pipelines.core.pcm import mix, to_int16

BLOCK_FRAMES = 1 << 18
MAX_BEYOND, LOUD, ANOTHER_SCALE = 0.1, 2.0, 8.0
"""Largest share of samples beyond full scale if some exceed `LOUD` times it, which no master does. A sample above `ANOTHER_SCALE`
times full scale is refused for any share."""


def blocks(
    path: str | os.PathLike, sample_rate: int, channels: int = 1, header: dict | None = None
) -> Iterator[np.ndarray]:
    """Yield int16 blocks resampled to `sample_rate` (Hz): `(samples,)`, the file's channels averaged, or with
    `channels=2` `(samples, 2)`: a mono file on both sides, and of more than two channels the average on both.
    `header`: what `probe.header` said of the file, where the caller has it.

    Floats are scaled by 32768 and clipped at full scale; 16-bit mono files at `sample_rate` pass unchanged.
    Raises `Unreadable` on a decoding error, on NaN or infinite samples, where fewer samples come than the header
    promises, and where floats are of another scale (`MAX_BEYOND`).
    """
    header = header or probe.header(path)
    rate, got, beyond, highest = header["sample_rate"], 0, 0, 0.0
    resampler = None
    if rate != sample_rate:
        resampler = soxr.ResampleStream(rate, sample_rate, channels, dtype="float32", quality="HQ")
    mixed = np.zeros(0 if channels == 1 else (0, channels), np.float32)
    for block in _read(path, header):
        got += len(block)
        mixed = mix(block, channels)
        bad = ~np.isfinite(mixed)
        if bad.any():
            place = got - len(block) + int(bad.reshape(len(block), -1).any(axis=1).argmax())
            raise Unreadable(f"NaN or infinite samples: the first at {place / rate:.2f} s; export it again")
        if (loudest := float(np.abs(mixed).max(initial=0))) > 1:
            highest = max(highest, loudest)
            beyond += int(np.count_nonzero(np.abs(mixed) > 1)) // (1 if mixed.ndim == 1 else channels)
        yield to_int16(mixed if resampler is None else resampler.resample_chunk(mixed))
    if resampler is not None:
        yield to_int16(resampler.resample_chunk(np.zeros_like(mixed[:0]), last=True))
    if got < 0.99 * header["duration_s"] * rate:
        raise Unreadable(
            f"truncated: it ends after {got / rate:.1f} s of {header['duration_s']:.1f} s; copy or download it again"
        )
    if highest > ANOTHER_SCALE or (highest > LOUD and beyond > MAX_BEYOND * got):
        raise Unreadable(
            f"{beyond / got:.2%} of its samples are beyond full scale, up to {highest:,.1f} times it, and would be cut off "
            "there: export it again, as integers or as floats between -1 and 1"
        )


def _read(path: str | os.PathLike, header: dict) -> Iterator[np.ndarray]:
    """float32 blocks `(samples, channels)` as they stand in the file."""
    try:
        if header["decoder"] == "ffmpeg":
            yield from ffmpeg.blocks(path, header["format"], BLOCK_FRAMES)
            return
        # a call each: the consumer of the blocks writes to standard error too
        quiet = without_remarks if header["format"] == "MP3" else contextlib.nullcontext
        with quiet():
            file = soundfile.SoundFile(os.fspath(path))
        with file:
            while True:
                with quiet():
                    block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
                if not len(block):
                    return
                yield block
    except ValueError as error:
        raise Unreadable(str(error)) from error
    except soundfile.LibsndfileError as error:
        if not os.path.exists(path):
            raise Unreadable("the file no longer exists: restore it, and run again") from error
        reason = (error.error_string or "damaged data").rstrip(".")
        raise Unreadable(f"damaged or truncated: decoding stops ({reason}); copy or download it again") from error
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror or error}") from error
