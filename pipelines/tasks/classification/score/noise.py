"""Do answers survive inaudible noise? Exact zeros after a note tell who made a file, and no sound does.

Noise 60 dB below a clip's peak covers the zeros, and nobody hears it. The features of some test clips are computed again with
that noise; where answers change, the model has learned from what no recording of the same sound needs to have.

The audio and the feature's parameters are no dependencies of the stage: the features, which are, were made from both.
"""

import numpy as np

from pipelines.core import params, paths, shards
from pipelines.core.pcm import INDEX, to_float
from pipelines.core.tables import read_table

FEWEST, MOST, SOUND_S = 16, 64, 320.0
"""How many test clips: as many as have this length together, within these bounds."""
BELOW_DB = 60.0
OF_NETWORKS = None, "not computed for networks"
CHANGED = 0.1
"""The share of changed answers above which the guard fails: a few clips lie on an edge between two classes."""


def check(run, data, answer, seed: int) -> tuple[bool | None, str]:
    """(passed, sentence). answer: `(clips, d)` values -> answers in one row, the class of each clip or whether it has each of its
    labels. None where the run reads no pooled feature, or the audio is not here."""
    feature, index = run.input.name, paths.audio(run.dataset) / "index.parquet"
    if run.input != paths.features(run.dataset, feature) or not index.exists():
        return None, "the run reads no features of audio that is here"
    from pipelines import features  # only here: other runs compute no features

    module, settings = features.load(feature), params.read()
    if module.KIND != "pooled":
        return None, "the run reads no pooled features"
    rng = np.random.default_rng(seed)
    test = data.of("test")
    wanted = int(np.clip(SOUND_S / data.clips["duration_s"].iloc[test].mean(), FEWEST, MOST))
    rows = np.sort(rng.choice(test, min(wanted, len(test)), replace=False))
    found = read_table(index, INDEX).set_index("clip_id").loc[data.clips["clip_id"].iloc[rows]]
    values = []
    for clip in found.itertuples():
        pcm = np.load(shards.shard_path(index.parent, clip.shard), mmap_mode="r")
        y = with_noise(to_float(pcm[clip.offset : clip.offset + clip.length]), rng)
        pooled = module.compute(y, settings["audio"]["sample_rate"], **(settings["features"][feature] or {}))
        values.append([pooled[name] for name in data.names])
    return verdict(answer(data.values[rows]), answer(np.array(values, np.float64)))


def with_noise(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """float32 `(samples,)` plus uniform noise whose peak is 60 dB below that of `y`."""
    peak = float(np.abs(y).max(initial=0.0)) * 10 ** (-BELOW_DB / 20)
    return (y + rng.uniform(-peak, peak, len(y))).astype(np.float32)


def verdict(clean: np.ndarray, noisy: np.ndarray) -> tuple[bool, str]:
    """(passed, sentence) from the answers to the same clips."""
    changed = int((clean != noisy).sum())
    return changed <= CHANGED * len(clean), (
        f"{changed} of {len(clean)} answers change when noise {BELOW_DB:.0f} dB below the peak is added"
    )
