"""Excerpts to hear and see: mixture, estimates, truth and ideal masks of a median and of the worst test clip."""

import base64
import io
from collections.abc import Callable

import numpy as np
import soundfile

SECONDS = 4.0
WAYS = ("estimate", "truth", "ideal mask")


def of(columns: dict, data, answer: Callable, ideal: Callable) -> list[dict]:
    """`title`, `stems`, and `sounds`: "mixture" and "<way> of <stem>" -> FLAC in base64 of the middle `SECONDS` of the clip.

    columns: of the test clips, whose SDR chooses. answer: (stems, clip id) -> estimates; ideal: stems -> estimates. Both of
    signals `(stems, samples)`.
    """
    ids = np.array([unit.partition(" ")[0] for unit in columns["unit"]])
    values = {clip_id: float(np.mean(columns["sdr"][ids == clip_id])) for clip_id in np.unique(ids)}
    ranked = sorted(values, key=lambda clip_id: (values[clip_id], clip_id))
    chosen = dict.fromkeys([ranked[len(ranked) // 2], ranked[0]])
    clips, found = data.of("test").set_index("clip_id"), []
    for clip_id in chosen:
        sounds = data.signals(clips.loc[clip_id, "stems_path"])
        length = min(round(SECONDS * data.rate), sounds.shape[1])
        first = (sounds.shape[1] - length) // 2
        each = {"mixture": sounds.sum(axis=0)}
        for way, found_of in zip(WAYS, (answer(sounds, clip_id), sounds, ideal(sounds)), strict=True):
            each |= {f"{way} of {stem}": sound for stem, sound in zip(data.names, found_of, strict=True)}
        found.append(
            {
                "title": f"{clips.loc[clip_id, 'title']}: SDR {values[clip_id]:.1f} dB",
                "sounds": {name: _flac(sound[first : first + length], data.rate) for name, sound in each.items()},
            }
        )
    return found


def _flac(samples: np.ndarray, rate: int) -> str:
    buffer = io.BytesIO()
    whole = np.clip(np.rint(samples * 32768), -32768, 32767).astype(np.int16)
    soundfile.write(buffer, whole, rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode()
