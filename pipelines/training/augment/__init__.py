"""Random augmentation of training batches, drawn from torch's global generator.

Settings (`recipes.<name>.augment` in params.yaml, or `parameters: {augment: ...}` of a run; an absent one is off). A random crop
is not among them: training reads random chunks, and `chunk` of a run is their length.

| setting | on samples | on frames |
| --- | --- | --- |
| `stretch` | time is stretched by up to `1 + stretch` or its inverse, the pitch stays | the same |
| `pitch_semitones` | a transposition of up to so many semitones, the tempo stays | no |
| `pitch_bands` | no | bands move by up to so many places (`pitch.moved`) |
| `filter_db` | a smooth frequency response of up to so many dB up or down | in dB only |
| `delay_s` | an echo up to so many seconds later, at up to half the level | no |
| `reverb_s` | reverberation of up to so many seconds (T60), at most as loud as the direct sound | no |
| `noise_snr_db` | white noise, its signal-to-noise ratio from this to 30 dB more | in dB only: equal power in all bands |
| `gain_db` | a gain of up to so many dB up or down | in dB only |
| `polarity` | half of the chunks are inverted | nothing: their frames are the same |
| `time_masks`, `time_mask` | so many stretches of silence, each up to this share of the chunk | stretches at the mean |
| `frequency_masks`, `frequency_mask` | in the frames of a front end, where there is one | likewise for bands |
| `mixup` | chunks and labels mixed in pairs, shares from Beta(mixup, mixup) | the same |

Masks are SpecAugment's (Park et al. 2019, arXiv 1904.08779) without warping; mixup is of Zhang et al. 2018 (arXiv 1710.09412).
Samples are taken to be at 16 kHz.
"""

import torch
from torch import Tensor

from pipelines.training.augment import masks, mixup, noise, pitch, rooms, tone

OF_SAMPLES = ("delay_s", "pitch_semitones", "reverb_s")
OF_FRAMES = ("pitch_bands",)
OF_DECIBELS = ("filter_db", "gain_db", "noise_snr_db")
"""On frames: these must be in dB."""
DECIBELS = ("log_mel", "log_mel_slaney")
"""Features whose frames are in dB."""
SETTINGS = (
    *OF_SAMPLES,
    *OF_FRAMES,
    *OF_DECIBELS,
    *("frequency_mask", "frequency_masks", "mixup", "polarity", "stretch", "time_mask", "time_masks"),
)
mixed = mixup.mixed
masked = masks.masked


def sound(waveform: Tensor, settings: dict) -> Tensor:
    """`(batch, samples)` augmented."""
    if stretch := settings.get("stretch"):
        waveform = pitch.stretched_sound(waveform, stretch)
    if semitones := settings.get("pitch_semitones"):
        waveform = pitch.transposed(waveform, semitones)
    if filter_db := settings.get("filter_db"):
        waveform = tone.filtered_sound(waveform, filter_db)
    if delay_s := settings.get("delay_s"):
        waveform = rooms.echoed(waveform, delay_s)
    if reverb_s := settings.get("reverb_s"):
        waveform = rooms.reverberated(waveform, reverb_s)
    if (snr_db := settings.get("noise_snr_db")) is not None:
        waveform = noise.noisy_sound(waveform, snr_db)
    shape = len(waveform), 1
    if gain_db := settings.get("gain_db"):
        waveform = waveform * 10 ** (tone.even(shape, gain_db, waveform.device) / 20)
    if settings.get("polarity"):
        waveform = torch.where(torch.rand(shape, device=waveform.device) < 0.5, -waveform, waveform)
    return masks.silenced(waveform, settings)


def frames(features: Tensor, settings: dict) -> Tensor:
    """`(batch, frames, bands)` augmented, as a network reads them; the masks are hidden by `masked` afterwards."""
    if stretch := settings.get("stretch"):
        features = pitch.stretched_frames(features, stretch)
    if n_bands := settings.get("pitch_bands"):
        features = pitch.moved(features, n_bands)
    if filter_db := settings.get("filter_db"):
        features = tone.filtered_frames(features, filter_db)
    if (snr_db := settings.get("noise_snr_db")) is not None:
        features = noise.noisy_frames(features, snr_db)
    if gain_db := settings.get("gain_db"):
        features = features + tone.even((len(features), 1, 1), gain_db, features.device)
    return features


def check(settings: dict, reads: str) -> None:
    """Raise `ValueError` for the first setting that is unknown, has no such value, or cannot be done to what is read.

    reads: a representation, `waveform` or one of frames.
    """
    for name, value in settings.items():
        if name not in SETTINGS:
            raise ValueError(f"{name} is no augmentation; there are {', '.join(sorted(SETTINGS))}")
        if name == "polarity":
            if not isinstance(value, bool):
                raise ValueError(f"{name} is {value!r}, and must be true or false")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}, and must be a number")
        elif value < 0 and name != "noise_snr_db":
            raise ValueError(f"{name} is {value!r}, and must be 0 or more")
        elif name in ("time_mask", "frequency_mask") and value > 1:
            raise ValueError(f"{name} is {value!r}, and must be a share from 0 to 1")
        if reads != "waveform" and name in OF_SAMPLES:
            raise ValueError(f"{name} needs samples, and {reads} has frames: read `waveform`, or leave it out")
        if reads == "waveform" and name in OF_FRAMES:
            raise ValueError(f"{name} needs frames, and waveform has samples: pitch_semitones transposes those")
        if reads not in ("waveform", *DECIBELS) and name in OF_DECIBELS:
            raise ValueError(f"{name} needs frames in dB ({', '.join(DECIBELS)}), and {reads} is not")
