"""Excerpts of test clips: mixture, estimates, truth and ideal masks to hear, and their spectrograms side by side."""

import base64
import io

import numpy as np
import soundfile
import soxr
from scipy.signal import stft

from pipelines.report import pictures, players
from pipelines.report.context import Context

WINDOW_S = 0.064
HIGHEST_HZ = 5000
"""Of the pictures: above it there is little of most instruments."""
HEARD_HZ = 16_000
"""Rate of the players: MP3 knows few rates, and a page must stay small."""
WAYS = ("estimate", "truth", "ideal mask")


def excerpts(context: Context, run: str, found: dict) -> list[dict]:
    """Of each example in a run's details: `title`, `mixture` (a cell), and `rows`: (stem, a cell for each of `WAYS`). A cell has
    the `number` of its player, and `src` of its picture; all pictures of a clip have one scale."""
    parts = []
    for example in found["examples"]:
        sounds = {name: _decoded(sound) for name, sound in example["sounds"].items()}
        spectra = {name: decibels(samples / 32768, rate) for name, (samples, rate) in sounds.items()}
        loudest = float(spectra["mixture"].max())
        cells = {
            name: {
                "number": players.hear(context, f"{run}, {example['title']}: {name}", heard(samples, rate), HEARD_HZ),
                "src": pictures.image(spectra[name], loudest),
            }
            for name, (samples, rate) in sounds.items()
        }
        rows = [(stem, [cells[f"{way} of {stem}"] for way in WAYS]) for stem in found["stems"]]
        parts.append({"title": example["title"], "mixture": cells["mixture"], "rows": rows})
    return parts


def decibels(samples: np.ndarray, rate: int) -> np.ndarray:
    """The spectrogram of `(samples,)` below `HIGHEST_HZ`, `(frames, bins)` in dB."""
    size = min(round(WINDOW_S * rate), len(samples))
    hertz, _, spectra = stft(samples, rate, nperseg=size)
    return 20 * np.log10(np.abs(spectra[hertz <= HIGHEST_HZ]).T + 1e-6)


def heard(samples: np.ndarray, rate: int) -> np.ndarray:
    """int16 samples at `HEARD_HZ`."""
    return samples if rate == HEARD_HZ else soxr.resample(samples, rate, HEARD_HZ)


def _decoded(sound: str) -> tuple[np.ndarray, int]:
    """int16 samples and the rate of a FLAC in base64."""
    return soundfile.read(io.BytesIO(base64.b64decode(sound)), dtype="int16")
