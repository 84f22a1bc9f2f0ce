"""Drum patterns: whole bars, a hit on each half beat, and times on the grid."""

import numpy as np

from pipelines.symbolic import drums


def test_patterns_fill_bars_and_have_a_hit_on_each_half_beat():
    for beats, patterns in drums.PATTERNS.items():
        for pattern in patterns:
            assert {len(line) for line in pattern.values()} == {beats * drums.STEPS}
            together = ["".join(column).strip(".") for column in zip(*pattern.values(), strict=True)]
            assert all(together[:: drums.STEPS // 2]), pattern
    hits = drums.play(3, 0.6, 5.0, np.random.default_rng(1))
    assert (hits["onset_s"] + hits["duration_s"]).max() <= 5.0 and set(hits["voice"]) == {drums.VOICE}
    assert np.allclose(hits["onset_s"] / 0.15, np.rint(hits["onset_s"] / 0.15))
