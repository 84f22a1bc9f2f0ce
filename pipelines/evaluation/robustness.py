"""Degradations of audio: noise, MP3, a pitch shift, a short excerpt.

A degradation is `(samples (n,) float32 mono, sample_rate in Hz, seed) -> samples`; the same seed gives the same samples.
`DEGRADATIONS` names those of the study. All but the excerpt keep the length, and nothing is shifted in time. A clip above 120 s
is processed in pieces of at most 60 s, because a phase vocoder takes 59 MB a minute: the signal power for noise is then that of
the piece, each piece is coded on its own, and the vocoder restarts at each. The excerpt is cut from the whole clip.
"""

import io
from collections.abc import Callable
from functools import partial

import numpy as np
import soundfile

WHOLE_S = 120.0
PIECE_S = 60.0
CODED_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def noise(samples: np.ndarray, sample_rate: int, seed: int, snr_db: float = 20.0) -> np.ndarray:
    """White Gaussian noise added at `snr_db` (mean power of the clip over that of the noise); silence stays silent.

    The noise is scaled to that power exactly. Sums may pass full scale: what reads them as int16 clips them.
    """
    samples = _checked(samples, sample_rate)
    drawn = np.random.default_rng(seed).standard_normal(len(samples))
    power = np.mean(samples.astype(np.float64) ** 2)
    gain = np.sqrt(power / np.mean(drawn**2) / 10 ** (snr_db / 10))
    return (samples + gain * drawn).astype(np.float32)


def mp3(samples: np.ndarray, sample_rate: int, seed: int = 0, kbps: int = 64) -> np.ndarray:
    """Coded as MP3 of a constant `kbps` (LAME) and decoded. The encoder's delay and padding are in LAME's header, by which
    the decoder cuts them. No seed is used. At 16 kHz mono 64 kbit/s is mild; at 44.1 kHz it cuts the treble."""
    samples = _checked(samples, sample_rate)
    decoded, _ = soundfile.read(io.BytesIO(mp3_bytes(samples, sample_rate, kbps)), dtype="float32")
    kept = np.zeros_like(samples)
    kept[: len(decoded)] = decoded[: len(samples)]
    return kept


def mp3_bytes(samples: np.ndarray, sample_rate: int, kbps: int) -> bytes:
    """An MP3 file of a constant `kbps`. libsndfile asks for the place between a rate's lowest (0) and highest bitrate."""
    if sample_rate not in CODED_HZ:
        raise ValueError(f"MP3 does not support {sample_rate} Hz; resample to one of {', '.join(map(str, CODED_HZ))}")
    low, high = (32, 320) if sample_rate >= 32000 else (8, 160) if sample_rate >= 16000 else (8, 64)
    if not low <= kbps <= high:
        raise ValueError(f"MP3 at {sample_rate} Hz supports {low} to {high} kbit/s, not {kbps}")
    file = io.BytesIO()
    soundfile.write(
        file,
        samples,
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=max((high - kbps) / (high - low) - 1e-4, 0),  # it rounds down, and refuses 1
    )
    return file.getvalue()


def pitch(samples: np.ndarray, sample_rate: int, seed: int = 0, semitones: float = 1.0) -> np.ndarray:
    """Transposed by `semitones`, tempo and length kept: phase vocoder (Flanagan and Golden 1966), then resampling. No seed
    is used."""
    samples = _checked(samples, sample_rate)
    from librosa.effects import pitch_shift  # seconds, and only this needs it

    n_fft = 2048
    padded = np.pad(samples, (0, max(0, n_fft - len(samples))))
    shifted = pitch_shift(padded, sr=sample_rate, n_steps=semitones, n_fft=n_fft)
    return shifted[: len(samples)].astype(np.float32)


def excerpt(samples: np.ndarray, sample_rate: int, seed: int, seconds: float = 3.0) -> np.ndarray:
    """`seconds` of the clip from a random place; a shorter clip is left whole."""
    samples = _checked(samples, sample_rate)
    length = round(seconds * sample_rate)
    if length < 1:
        raise ValueError(f"an excerpt of {seconds} s has no samples")
    start = int(np.random.default_rng(seed).integers(0, max(len(samples) - length, 0) + 1))
    return samples[start : start + length].copy()


def in_pieces(degrade: Callable, samples: np.ndarray, sample_rate: int, seed: int) -> np.ndarray:
    """`degrade(samples, sample_rate, seed)`, which keeps the length; of a clip longer than `WHOLE_S` piece by piece.

    The pieces are the fewest of at most `PIECE_S` and equally long to a sample, so that none is too short to be coded. Each
    draws by its own seed.
    """
    if len(samples) <= WHOLE_S * sample_rate:
        return degrade(samples, sample_rate, seed)
    pieces = np.array_split(samples, int(np.ceil(len(samples) / (PIECE_S * sample_rate))))
    changed, start = np.empty(len(samples), np.float32), 0
    for number, piece in enumerate(pieces):
        own = int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0])
        changed[start : start + len(piece)] = degrade(piece, sample_rate, own)
        start += len(piece)
    return changed


DEGRADATIONS = {
    "noise_20db": partial(in_pieces, partial(noise, snr_db=20.0)),
    "noise_10db": partial(in_pieces, partial(noise, snr_db=10.0)),
    "mp3_64": partial(in_pieces, partial(mp3, kbps=64)),
    "pitch_up": partial(in_pieces, partial(pitch, semitones=1.0)),
    "pitch_down": partial(in_pieces, partial(pitch, semitones=-1.0)),
    "excerpt_3s": partial(excerpt, seconds=3.0),
}


def _checked(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    samples = np.asarray(samples, dtype=np.float32)
    if samples.ndim != 1 or not len(samples):
        raise ValueError(f"mono samples (n,) are needed, not an array of shape {samples.shape}; mix to mono first")
    if not np.isfinite(samples).all():
        raise ValueError("the samples have NaN or infinite values; decode the clip again")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate: a positive number of Hz is needed, not {sample_rate}")
    return samples
