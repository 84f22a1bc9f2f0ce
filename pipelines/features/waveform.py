"""waveform: the clip's sound itself, as the audio stage decoded it.

Nothing is computed: the folder holds hard links to the PCM shards of `data/audio/<dataset>` and to their index.

Units: int16, full scale 32768. Shape: `(samples,)` at `audio.sample_rate`, or `(samples, 2)` with `audio.channels: 2`.
"""

import numpy as np

KIND = "samples"
DTYPE = "int16"


def compute(y: np.ndarray, sample_rate: int) -> np.ndarray:
    """`y` as it is."""
    return y
