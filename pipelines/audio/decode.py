"""Decode a file once: blocks of int16 at the wanted rate, mono or stereo, in bounded memory.

soundfile reads, the downmix is by hand (numpy's `mean` over channels is 35 times slower), soxr HQ resamples as a stream.
"""

import os
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from pipelines.audio.pcm import mix, to_int16
from pipelines.audio.probe import Unreadable

BLOCK_FRAMES = 1 << 18


def blocks(path: str | os.PathLike, sample_rate: int, channels: int = 1) -> Iterator[np.ndarray]:
    """Yield int16 blocks resampled to `sample_rate` (Hz): `(samples,)`, the file's channels averaged, or with
    `channels=2` `(samples, 2)`: a mono file on both sides, and of more than two channels the average on both.

    Floats are scaled by 32768 and clipped at full scale; 16-bit mono files at `sample_rate` pass unchanged.
    Raises `Unreadable` on a decoding error, on NaN or infinite samples, and where fewer samples come than the
    header promises.
    """
    try:
        with soundfile.SoundFile(os.fspath(path)) as file:
            resampler = None
            if file.samplerate != sample_rate:
                resampler = soxr.ResampleStream(file.samplerate, sample_rate, channels, dtype="float32", quality="HQ")
            promised, got = file.frames, 0
            mixed = np.zeros(0 if channels == 1 else (0, channels), np.float32)
            while True:
                block = file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
                if not len(block):
                    break
                got += len(block)
                mixed = mix(block, channels)
                bad = ~np.isfinite(mixed)
                if bad.any():
                    place = got - len(block) + int(bad.reshape(len(block), -1).any(axis=1).argmax())
                    raise Unreadable(
                        f"NaN or infinite samples: the first at {place / file.samplerate:.2f} s; export it again"
                    )
                yield to_int16(mixed if resampler is None else resampler.resample_chunk(mixed))
            if resampler is not None:
                yield to_int16(resampler.resample_chunk(np.zeros_like(mixed[:0]), last=True))
            if got < 0.99 * promised:
                raise Unreadable(
                    f"truncated: it ends after {got / file.samplerate:.1f} s of {promised / file.samplerate:.1f} s; "
                    "copy or download it again"
                )
    except soundfile.LibsndfileError as error:
        if not os.path.exists(path):
            raise Unreadable("the file does not exist any more: run again when it is there") from error
        reason = (error.error_string or "damaged data").rstrip(".")
        raise Unreadable(
            f"damaged or truncated: it breaks off while decoding ({reason}); copy or download it again"
        ) from error
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error.strerror or error}") from error
