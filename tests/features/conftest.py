"""Clips to compare features on: real music, and what signals can do to them."""

import numpy as np
import pytest

from pipelines.symbolic.render import render

# J. S. Bach, Prelude in C major, BWV 846: each bar's five notes, of which the last three come again
BARS = [(60, 64, 67, 72, 76), (60, 62, 69, 74, 77), (59, 62, 67, 74, 77), (60, 64, 67, 72, 76), (60, 64, 69, 76, 81)]
ORDER = (0, 1, 2, 3, 4, 2, 3, 4) * 2
SIXTEENTH_S = 0.16


@pytest.fixture(scope="session")
def prelude():
    """`prelude(rate, seconds)`: the prelude's first bars, harpsichord over plucked bass, float32."""
    played = {}

    def play(rate=16_000, seconds=8.0):
        if (rate, seconds) not in played:
            pitches = np.array([bar[place] for bar in BARS for place in ORDER])
            bass = np.array([bar[0] - 12 for bar in BARS for _ in range(4)])
            onsets = np.concatenate([np.arange(len(pitches)), 4.0 * np.arange(len(bass))]) * SIXTEENTH_S
            voices = np.repeat([0, 1], [len(pitches), len(bass)])
            programs, velocities = np.array([6, 32])[voices], np.array([90, 70])[voices]
            notes = voices, programs, np.concatenate([pitches, bass]), velocities, onsets, np.full(len(voices), 0.3)
            sound = render(*notes, rate, seconds)
            played[rate, seconds] = (0.5 * sound / np.abs(sound).max()).astype(np.float32)
        return played[rate, seconds].copy()

    return play


@pytest.fixture(scope="session")
def clips(prelude):
    """`{name: (samples, rate)}`; no feature may fail on any of them."""
    rng = np.random.default_rng(1)
    t = np.arange(48_000) / 16_000
    chord = sum(np.sin(2 * np.pi * f * t) for f in (261.6, 329.6, 392.0)) * np.exp(-t)
    chord = (0.2 * chord + 0.005 * rng.standard_normal(len(t))).astype(np.float32)
    clicks = 0.001 * rng.standard_normal(128_000).astype(np.float32)
    clicks[8_000::8_000] += 0.9
    return {
        "music": (prelude(), 16_000),
        "music 11025": (prelude(11_025, 5.0), 11_025),
        "music 22050": (prelude(22_050, 4.0), 22_050),
        "music 44100": (prelude(44_100, 3.0), 44_100),
        "chord": (chord, 16_000),
        "odd length": (chord[:15_331], 16_000),
        "prime length": (chord[:16_001], 16_000),
        "noise": (0.1 * rng.standard_normal(20_000).astype(np.float32), 16_000),
        "clicks": (clicks, 16_000),
        "full scale": (np.sign(chord[:16_000]).astype(np.float32), 16_000),
        "direct current": (np.full(16_000, 0.5, dtype=np.float32), 16_000),
        "impulse": (np.eye(1, 16_000, 4_000, dtype=np.float32)[0], 16_000),
        "silence": (np.zeros(16_000, dtype=np.float32), 16_000),
        "shorter than a window": (chord[:700], 16_000),
    }
