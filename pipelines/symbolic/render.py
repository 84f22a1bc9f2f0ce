"""Render notes to a mono waveform with TinySoundFont: one SoundFont, one channel per voice and program.

symusic's `Synthesizer` is not used: release 0.5.8 (and 0.5.6, 0.5.9) ignores `overridingRootKey`, which 1,771 of the
2,063 zones of TimGM6mb.sf2 set, and rounds loops to whole output samples, so that the piano's A4 sounds at 1,660 Hz
and the violin's at 1,333. TinySoundFont plays 440 Hz (tests/symbolic measure it).
"""

from functools import cache
from pathlib import Path

import numpy as np

from pipelines.symbolic import soundfonts

GAIN_DB = -6.0  # room for a dozen voices before the caller normalises
FADE_S = 0.01  # at the clip's end, where notes are cut
PEAK_DBFS = -1.0
DRUM_BANK = 128  # of SoundFonts


def mix(
    notes: np.ndarray, sample_rate: int, duration_s: float, level_dbfs: float, soundfont: Path | None = None
) -> np.ndarray:
    """Play `notes` at a level: mono float32 `(samples,)`, RMS `level_dbfs`, or less where the peak would pass -1 dBFS.

    `notes` is a structured array with `onset_s`, `duration_s`, `pitch`, `voice`, `velocity` and `program`. Each program
    is first brought to the same power a sounding second, so that what the font thinks of loudness hides none. soundfont: a
    file; None is the default one.
    """
    total = np.zeros(round(duration_s * sample_rate), dtype=np.float64)
    for program in np.unique(notes["program"]):
        part = notes[notes["program"] == program]
        columns = (part[name] for name in ("voice", "program", "pitch", "velocity", "onset_s", "duration_s"))
        stem = render(*columns, sample_rate, duration_s, soundfont).astype(np.float64)
        power = np.sum(stem**2) / (np.sum(part["duration_s"]) * sample_rate)
        total += stem * np.float32(1 / np.sqrt(max(power, 1e-12)))
    peak = np.max(np.abs(total), initial=1e-12)
    gain = min(10 ** (level_dbfs / 20) / max(np.sqrt(np.mean(total**2)), 1e-12), 10 ** (PEAK_DBFS / 20) / peak)
    # in float32, above too: the last digits of a sum follow from the processor, and would reach the samples
    return (total * np.float32(gain)).astype(np.float32)


def render(
    voices: np.ndarray,
    programs: np.ndarray,
    pitches: np.ndarray,
    velocities: np.ndarray,
    onsets_s: np.ndarray,
    durations_s: np.ndarray,
    sample_rate: int,
    duration_s: float,
    soundfont: Path | None = None,
    drums: bool = False,
) -> np.ndarray:
    """Play notes (one entry of each array a note) from 0 to `duration_s`: mono float32 `(samples,)`, not normalised.

    A voice plays one program, or with `drums` the drum kit of that number. A note that meets the same pitch sounding in its
    voice strikes it again. Sounds at the end are faded out over `FADE_S`. The same notes give the same bytes.
    """
    soundfont = soundfont or soundfonts.default()
    synth = _synth(sample_rate, soundfont)
    for voice in np.unique(voices):
        (program,) = np.unique(programs[voices == voice])
        try:
            synth.program_select(int(voice) % 256, 0, DRUM_BANK if drums else 0, int(program), drums)
        except RuntimeError as error:
            what = "drum kit" if drums else "program"
            raise ValueError(f"{soundfont} has no {what} {program}: a General MIDI SoundFont is needed") from error
    n_samples = round(duration_s * sample_rate)
    starts = np.rint(onsets_s * sample_rate).astype(int)
    ends = np.maximum(starts + 1, np.rint((onsets_s + durations_s) * sample_rate).astype(int))
    # at one sample, offs before ons, so that a repeated note sounds again
    events = sorted(
        [(end, 0, int(v), int(p), 0) for end, v, p in zip(ends, voices, pitches, strict=True)]
        + [
            (start, 1, int(v), int(p), int(loud))
            for start, v, p, loud in zip(starts, voices, pitches, velocities, strict=True)
        ]
    )
    parts, now = [], 0
    for place, kind, voice, pitch, loud in events:
        if place >= n_samples:
            break
        if place > now:
            parts.append(_generate(synth, place - now))
            now = place
        if kind:
            synth.noteon(voice, pitch, loud)
        else:
            synth.noteoff(voice, pitch)
    parts.append(_generate(synth, n_samples - now))
    sound = np.concatenate(parts)
    n_fade = min(n_samples, round(FADE_S * sample_rate))
    sound[n_samples - n_fade :] *= np.linspace(1, 0, n_fade, dtype=np.float32)
    return sound


def _generate(synth, n_samples: int) -> np.ndarray:
    stereo = np.frombuffer(bytes(synth.generate(n_samples)), dtype=np.float32).reshape(-1, 2)
    return (stereo[:, 0] + stereo[:, 1]) * np.float32(0.5)


def _synth(sample_rate: int, soundfont: Path):
    """A synthesiser as if fresh: what still sounds of the last clip (release tails) must not reach the next."""
    synth = _loaded(sample_rate, soundfont)
    for font in synth.soundfonts.values():
        font.reset()  # every voice ends within 10 ms, channels are forgotten
    synth.generate(sample_rate // 10)
    return synth


@cache  # reading an .sf3 takes seconds: its samples are decoded
def _loaded(sample_rate: int, soundfont: Path):
    try:
        import tinysoundfont
    except ImportError as error:
        raise ValueError(
            "tinysoundfont is not installed: run `make install`, or pip install --no-deps tinysoundfont==0.3.7 "
            "(without its pyaudio, which is for live playing and must be compiled)"
        ) from error
    synth = tinysoundfont.Synth(samplerate=sample_rate, gain=GAIN_DB)
    try:
        synth.sfload(str(soundfont))
    except RuntimeError as error:
        raise ValueError(f"TinySoundFont cannot read {soundfont}: it is truncated or damaged") from error
    return synth
