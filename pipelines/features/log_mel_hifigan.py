"""log-mel spectrogram of HiFi-GAN and later vocoders (Kong, Kim & Bae 2020, arXiv 2010.05646).

Definition: ln(max(M sqrt(|STFT|^2 + 1e-9), 1e-5)), M Slaney's filters of equal area; frames are not centred, `y` is
first padded by reflection with (n_fft - hop_length) / 2 samples at both ends. Published for 22,050 Hz, n_fft 1024,
hop 256, 80 bands to 8 kHz.
Units: natural logarithm of magnitude. Shape: `(samples // hop_length, n_mels)` where n_fft - hop_length is even; a
clip shorter than a hop has no frames. A clip too short to reflect is padded with zeros.
Equal to the published formula in torch within 1e-5 of its maximum (torchaudio and librosa have no such function).
"""

import numpy as np

from pipelines.features.kernels import mel, stft

KIND = "frames"
DTYPE = "float16"  # of values from -11.5 to 5: rounding is at most 0.004


def compute(
    y: np.ndarray,
    sample_rate: int,
    n_fft: int = 1024,
    hop_length: int = 256,
    n_mels: int = 80,
    fmin: float = 0,
    fmax: float | None = 8000,
) -> np.ndarray:
    """`(samples // hop_length, n_mels)` float32, natural logarithm."""
    filters = mel.mel_filters(sample_rate, n_fft, n_mels, fmin, fmax, htk=False, norm="slaney")
    blocks = stft.magnitude_blocks(y, n_fft, hop_length, "reflect", max(0, n_fft - hop_length) // 2)

    def of_block(magnitude):
        softened = np.sqrt(magnitude**2 + np.float32(1e-9))
        return np.log(np.maximum(mel.project(softened, filters), np.float32(1e-5)))

    return stft.each_block(of_block, blocks)
