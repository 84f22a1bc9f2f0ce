"""The stems of a track read from audio files, and written with their sum, the clip (core/stems.py).

A stem is one file, or several that are added (three guitars are one guitar). Channels are averaged; a file of a higher rate than
the clip's is resampled (soxr HQ). Stems are rounded to 16 bits before they are added, so the clip is their sum to the bit.

A track is unusable, with a reason, where a file is missing or cannot be read, where files differ in length (unless `pad`), rate
or channels, where their rate is below the clip's, where a sample is NaN or infinite, where a stem is silent throughout (unless
`leave_out_silent`) or louder than full scale, and where the sum would clip.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from pipelines.core import stems
from pipelines.core.files import atomic

BYTES_PER_S = 88_200
"""Of one channel of 16 bits at 44.1 kHz."""


class Unusable(Exception):
    """A track that is quarantined; the message says why and what to do."""


@dataclass(frozen=True)
class Track:
    """A track that a worker reads and writes. path: its clip's, relative to `raw_dir`. files: (stem, its files) in the order of
    the stems. sample_rate: of the clip, in Hz. gain_db: of all stems alike. pad: shorter files are followed by silence."""

    raw_dir: Path
    path: str
    files: tuple[tuple[str, tuple[Path, ...]], ...]
    sample_rate: int
    gain_db: float = 0.0
    leave_out_silent: bool = False
    pad: bool = False


@dataclass(frozen=True)
class Written:
    """rows: of `stems.STEMS`. silent: stems that were left out. problem: why there is no clip, else ""."""

    rows: tuple[dict, ...] = ()
    silent: tuple[str, ...] = ()
    problem: str = ""


def write(track: Track) -> Written:
    """Write the stems and the clip of a track, or say why there are none."""
    try:
        names, sounds, silent = read(track)
        rows = stems.write_clip(track.raw_dir, track.path, names, sounds, track.sample_rate)
    except Unusable as error:
        return Written(problem=str(error))
    except ValueError as error:  # the sum clips
        problem = str(error).removeprefix(f"{track.path}: ")
        return Written(problem=f"{problem}: use a lower level for all stems")
    with atomic(track.raw_dir / track.path) as temporary:
        mixture = sounds.sum(axis=0, dtype=np.int32).astype(np.int16)
        soundfile.write(temporary, mixture, track.sample_rate, format="FLAC", subtype="PCM_16")
    return Written(tuple(rows), tuple(silent))


def read(track: Track) -> tuple[list[str], np.ndarray, list[str]]:
    """(names, `(stems, samples)` int16, names of silent stems that are left out). Raises `Unusable`."""
    names, sounds, silent, first = [], [], [], None
    gain = stems.FULL_SCALE * 10 ** (track.gain_db / 20)
    for name, paths in track.files:
        parts = []
        for path in paths:
            values, rate = _file(path, track.sample_rate)
            first = first or (path, rate, values.shape)
            _compare(path, rate, values.shape, *first, track.pad)
            parts.append(values.mean(axis=1))
        sound = np.sum(_of_one_length(parts), axis=0)
        if rate != track.sample_rate:
            sound = soxr.resample(sound, rate, track.sample_rate, quality="HQ")
        written = np.rint(sound * gain)
        where = paths[0] if len(paths) == 1 else f"the stem {name}"
        if len(written) and np.abs(written).max() > stems.FULL_SCALE:
            raise Unusable(f"{where} is louder than full scale: export it at a lower level")
        if written.any():
            names.append(name)
            sounds.append(np.clip(written, -stems.FULL_SCALE, stems.FULL_SCALE - 1).astype(np.int16))
        elif track.leave_out_silent:
            silent.append(name)
        else:
            raise Unusable(
                f"{where} is silent throughout: leave the track out, or the stem under `stems` in params.yaml"
            )
    if not sounds:
        raise Unusable("all its stems are silent throughout: leave the track out")
    return names, np.stack(_of_one_length(sounds)), silent


def seconds(tracks: Iterable[Track]) -> float:
    """About how much sound the files of `tracks` hold, from their sizes."""
    paths = (path for track in tracks for _, files in track.files for path in files)
    return sum(path.stat().st_size for path in paths if path.is_file()) / BYTES_PER_S


def _file(path: Path, least: int) -> tuple[np.ndarray, int]:
    """(`(samples, channels)`, rate in Hz) of a file of at least the rate `least`."""
    if not path.is_file():
        raise Unusable(f"{path} is missing: put it there, or leave the track out")
    try:
        sound, rate = soundfile.read(path, dtype="float64", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise Unusable(f"{path} cannot be read: {error}") from error
    if rate < least:
        raise Unusable(
            f"{path} has {rate} Hz, less than {least}: write sample_rate: {rate} or less into params.yaml, or export it anew"
        )
    if not np.isfinite(sound).all():
        raise Unusable(f"{path} has NaN or infinite samples: export it again")
    return sound, rate


def _of_one_length(sounds: list[np.ndarray]) -> list[np.ndarray]:
    length = max(len(sound) for sound in sounds)
    return [np.pad(sound, (0, length - len(sound))) for sound in sounds]


def _compare(path: Path, rate: int, shape: tuple, other: Path, other_rate: int, other_shape: tuple, pad: bool) -> None:
    """Raise `Unusable` where a file is not like the first one of its track."""
    if rate != other_rate:
        raise Unusable(f"{path} has {rate} Hz and {other} {other_rate}: export all stems at one rate")
    if shape[0] != other_shape[0] and not pad:
        raise Unusable(
            f"{path} has {shape[0]} samples and {other} {other_shape[0]}: export all stems from one start to one end, or "
            "write lengths: pad into params.yaml"
        )
    if shape[1] != other_shape[1]:
        raise Unusable(f"{path} has {shape[1]} channels and {other} {other_shape[1]}: export all stems alike")
