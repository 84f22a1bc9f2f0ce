"""log-mel: power mel spectrogram in dB, in the convention of the published taggers, which is torchaudio's default.

HTK mel scale, triangles without area normalisation, periodic Hann window, centred frames with reflected ends,
10 log10(max(x, 1e-10)); 0 dB is power 1. At 16 kHz, n_fft 512, hop 256 (Won et al. 2020, arXiv 2006.00751, section 3).
With 128 bands and n_fft 512 the lowest HTK filter falls between two bins and is empty: its value is always -100 dB.

Units: dB. Shape: `(1 + samples // hop_length, n_mels)`.
Equal to librosa's `melspectrogram(htk=True, norm=None, pad_mode="reflect")` in dB within 0.01 dB down to 80 dB below
the loudest: the transform is in float32, as the taggers were trained, and below that bins are rounding. A clip of at
most half a window has nothing to reflect and is padded with zeros.
"""

import numpy as np

from pipelines.features.kernels import mel, stft

KIND = "frames"
DTYPE = "float16"  # of dB values from -100 to 60: rounding is at most 0.03 dB


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 512,
    hop_length: int = 256,
    n_mels: int = 128,
    fmin: float = 0,
    fmax: float | None = 8000,
) -> np.ndarray:
    """`(1 + samples // hop_length, n_mels)` float32, in dB."""
    filters = mel.mel_filters(sample_rate, n_fft, n_mels, fmin, fmax)
    return stft.each_block(
        lambda power: mel.decibel(mel.project(power, filters)), stft.power_blocks(y, n_fft, hop_length)
    )
