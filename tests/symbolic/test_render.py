"""What sounds: pitch by FFT, level, length, and the same bytes in another process."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.symbolic import instruments, render

RATE = 16_000
NOTE = np.dtype(
    [("onset_s", "f8"), ("duration_s", "f8"), ("pitch", "i4"), ("voice", "i4"), ("velocity", "i4"), ("program", "i4")]
)


def notes(*rows: tuple) -> np.ndarray:
    return np.array(list(rows), dtype=NOTE)


def share_at_harmonics(sound: np.ndarray, frequency: float) -> float:
    """Share of the power within half a semitone of the first eight multiples of `frequency`."""
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 17)) ** 2
    hertz = np.fft.rfftfreq(1 << 17, 1 / RATE)
    near = np.zeros(len(hertz), dtype=bool)
    for multiple in range(1, 9):
        near |= np.abs(1200 * np.log2(np.maximum(hertz, 1) / (multiple * frequency))) < 50
    return power[near].sum() / power.sum()


def test_a_440_hz_a_sounds_at_440_hz():
    sound = render.mix(notes((0.0, 2.0, 69, 0, 90, 73)), RATE, 2.0, -20.0)
    peak = np.fft.rfftfreq(1 << 18, 1 / RATE)[np.abs(np.fft.rfft(sound, 1 << 18)).argmax()]
    assert abs(1200 * np.log2(peak / 440)) < 15


@pytest.mark.parametrize("program", sorted(instruments.FAMILY))
def test_every_program_sounds_every_key_at_its_pitch(program):
    keys = range(36, 93, 4)
    sound = render.mix(notes(*((i * 1.0, 0.9, key, 0, 90, program) for i, key in enumerate(keys))), RATE, 15.0, -20.0)
    for i, key in enumerate(keys):
        part = sound[i * RATE + RATE // 20 : i * RATE + RATE * 9 // 10]
        assert np.sqrt(np.mean(part**2)) > 0.005, f"key {key} is silent"
        assert share_at_harmonics(part, 440 * 2 ** ((key - 69) / 12)) > 0.7, f"key {key}"


def test_level_length_and_peak():
    music = notes(*((i * 0.5, 0.45, 60 + i, 0, 80, 40) for i in range(8)))
    sound = render.mix(music, RATE, 4.0, -23.0)
    assert (sound.shape, sound.dtype) == ((4 * RATE,), np.float32)
    assert 20 * np.log10(np.sqrt(np.mean(sound.astype(float) ** 2))) == pytest.approx(-23, abs=0.05)
    loud = render.mix(music[:1], RATE, 4.0, -3.0)  # a short note: its peak forbids the level
    assert np.abs(loud).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    assert not render.mix(music[:0], RATE, 4.0, -20.0).any()


def test_it_is_silent_until_the_first_note_and_ends_without_a_click():
    sound = render.mix(notes((1.0, 5.0, 60, 0, 90, 40)), RATE, 2.0, -20.0)
    assert not sound[: RATE - RATE // 50].any()
    assert np.abs(sound[RATE * 3 // 2 :]).max() > 0.05
    assert np.abs(sound[-3:]).max() < 0.01


def test_no_program_hides_the_other():
    """The font plays a horn 20 dB louder than a harpsichord; in the mix both are heard alike."""
    music = notes((0.0, 1.0, 60, 0, 90, 60), (2.0, 1.0, 60, 1, 90, 6))
    sound = render.mix(music, RATE, 3.0, -20.0)
    horn, harpsichord = (np.sum(sound[a * RATE : (a + 1) * RATE] ** 2) for a in (0, 2))
    assert abs(10 * np.log10(horn / harpsichord)) < 3


MUSIC = notes(*((i * 0.25, 0.5, 48 + 3 * i, i % 2, 70 + i, (19, 24)[i % 2]) for i in range(10)))


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib, numpy as np; from tests.symbolic.test_render import *;"
        "print(hashlib.sha256(render.mix(MUSIC, RATE, 3.0, -20.0).tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert other.stdout.strip() == hashlib.sha256(render.mix(MUSIC, RATE, 3.0, -20.0).tobytes()).hexdigest()


def test_what_sounded_before_leaves_nothing():
    """The synthesiser is kept between clips; a clip cut in full sound, with long releases, must not be heard in the next."""
    render._loaded.cache_clear()
    alone = render.mix(MUSIC, RATE, 3.0, -20.0)
    for program in (14, 48, 92):  # bells, strings and a pad
        render.mix(notes(*((0.1 * i, 9.0, 40 + i, i, 127, program) for i in range(40))), RATE, 2.0, -20.0)
    assert render.mix(MUSIC, RATE, 3.0, -20.0).tobytes() == alone.tobytes()


def test_one_voice_of_another_family_and_the_first_still_leads():
    rng = np.random.default_rng(0)
    for n_voices in (1, 2, 3, 5):
        rows = [(onset, rng.uniform(0.1, 1), 60, voice, 90, 0) for voice in range(n_voices) for onset in range(20)]
        music = np.sort(notes(*rows), order="onset_s")
        programs = instruments.assign(music, 19, 73)
        assert set(programs) == {19, 73}
        assert music["duration_s"][programs == 19].sum() > music["duration_s"].sum() / 2
        assert set(instruments.assign(music, 19, None)) == {19}
        if n_voices == 1:  # it takes the tune over
            assert np.all(np.diff((programs == 73).astype(int)) >= 0)
        else:
            assert len(np.unique(music["voice"][programs == 73])) == 1
