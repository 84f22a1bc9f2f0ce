"""Is a test clip the recording of a training clip, at another level or with other noise?

Two programs of a SoundFont that play the same samples, a sample that two collections share, one take that was published twice:
under other names they are two groups, and no label tells. Their waveforms have a correlation of nearly 1 whatever their gains,
and those of two instruments have not: of 5,435 rendered notes the highest across timbres is 0.94.

The audio is no dependency of the stage. Features and embeddings are, and were made from it; of a run that reads something else
(words or notes, or tables side by side) nothing orders the audio before its score, so its recordings are not compared.
"""

import numpy as np

from pipelines.core import params, paths, shards
from pipelines.core.pcm import INDEX, to_float
from pipelines.core.tables import read_table

SAMPLED, OTHERS, SOUND_S = 64, 4000, 2.0
"""Test and training clips that are compared, drawn by the seed, and how much of each, from its beginning."""
BLOCK = 500
SAME = 0.98  # correlation
SHARE = 0.05
"""Of the sampled test clips, the share with such a training clip above which the guard fails."""


def check(run, data, seed: int) -> tuple[bool | None, str]:
    """(passed, sentence); None where the run reads nothing that was made from audio, or the audio is not here."""
    if not any(run.input.is_relative_to(folder) for folder in (paths.FEATURES, paths.EMBEDDINGS)):
        return None, f"the run reads {run.input}, which need not be made from audio: recordings are not compared"
    index = paths.audio(run.dataset) / "index.parquet"
    if not index.exists():
        return None, "the run reads no audio that is here"
    places = read_table(index, INDEX).set_index("clip_id")
    if not data.clips["clip_id"].isin(places.index).all():
        return None, "the run reads clips without audio"
    rng = np.random.default_rng(seed)
    test, train = (
        rng.choice(rows, min(most, len(rows)), replace=False)
        for rows, most in ((data.of("test"), SAMPLED), (data.of("train"), OTHERS))
    )
    pcm, length = shards.open_shards(index.parent), round(SOUND_S * params.read()["audio"]["sample_rate"])

    def sound(rows: np.ndarray) -> np.ndarray:
        return unit(pcm, places.loc[data.clips["clip_id"].iloc[rows]], length)

    return verdict(sound(test), (sound(train[first : first + BLOCK]) for first in range(0, len(train), BLOCK)))


def unit(pcm, clips, length: int) -> np.ndarray:
    """float32 `(clips, length)`: the beginning of each clip, padded with zeros, as a vector of length 1 without its mean."""
    found = np.zeros((len(clips), length), np.float32)
    for row, clip in zip(found, clips.itertuples(), strict=True):
        y = to_float(np.asarray(pcm[clip.shard][clip.offset : clip.offset + min(clip.length, length)]))
        y = y - y.mean()
        row[: len(y)] = y / max(float(np.linalg.norm(y)), 1e-9)
    return found


def verdict(test: np.ndarray, train) -> tuple[bool, str]:
    """(passed, sentence) from the test clips and blocks of training clips, as `unit` gives them."""
    highest = np.zeros(len(test))
    for block in train:
        highest = np.maximum(highest, np.abs(test @ block.T).max(axis=1, initial=0))
    same = int((highest > SAME).sum())
    return same <= SHARE * len(test), (
        f"{same} of {len(test)} test clips have a training clip with a correlation above {SAME}; the highest is "
        f"{highest.max(initial=0):.3f}"
    )
