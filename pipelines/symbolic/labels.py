"""Labels of an excerpt from its notes and bars: texture, metre, mode.

Texture: *monophonic* where less than 5% of the time has two pitches at once. Else a note is *together* if at least
three quarters of the voices then sounding begin a note with it; *homophonic* where at least 70% of the notes are
together (19 of 20 Bach chorales), else *contrapuntal* (four of five excerpts of Palestrina).

Metre: the time signature that holds longest. *Compound*: the beat divides by three (6/8, 9/8, 6/4). *Triple*: three
beats to the bar (3/4, 3/2, 3/8). *Duple*: two or four (2/2, 4/4, 4/2). None of these (5/4): no label.

Mode: the third above the final. Where the source states a mode (ionian, lydian, mixolydian: *major*; aeolian, dorian,
phrygian: *minor*) that counts; else the key, of 24, whose profile (Krumhansl 1990, chapter 4; the numbers are
music21's) correlates best with how long each pitch class sounds in the excerpt.
"""

import numpy as np

from pipelines.symbolic.excerpt import TEMPO_BANDS, commonest_metre

TOGETHER_VOICES = 0.75
TOGETHER_NOTES = 0.70
MAX_POLYPHONY = 0.05


def texture(notes: np.ndarray) -> str:
    """monophonic, homophonic or contrapuntal. `notes` need `onset_s`, `duration_s`, `pitch` and `voice`."""
    if polyphony(notes) < MAX_POLYPHONY:
        return "monophonic"
    return "homophonic" if togetherness(notes) >= TOGETHER_NOTES else "contrapuntal"


def polyphony(notes: np.ndarray) -> float:
    """Share of the sounding time that has two or more different pitches."""
    edges = np.unique(np.concatenate([notes["onset_s"], notes["onset_s"] + notes["duration_s"]]))
    middle, length = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    pitches, inverse = np.unique(notes["pitch"], return_inverse=True)
    on = np.zeros((len(pitches), len(middle)), dtype=bool)
    for row, note in zip(inverse, notes, strict=True):
        on[row] |= (middle > note["onset_s"]) & (middle < note["onset_s"] + note["duration_s"])
    count = on.sum(axis=0)
    return float(length[count > 1].sum() / max(length[count > 0].sum(), 1e-9))


def togetherness(notes: np.ndarray) -> float:
    """Of the notes that begin while two or more voices sound: the share that begin with most of those voices.

    1 where that is never so: one voice's chords.
    """
    onset, end = notes["onset_s"] + 1e-3, notes["onset_s"] + notes["duration_s"]
    total, together = 0, 0
    for time in np.unique(np.round(notes["onset_s"], 3)):
        sounding = np.unique(notes["voice"][(onset <= time + 2e-3) & (end > time + 2e-3)])
        beginning = np.unique(notes["voice"][np.abs(notes["onset_s"] - time) < 1e-3])
        if len(sounding) > 1:
            total += len(beginning)
            together += len(beginning) * (len(beginning) >= TOGETHER_VOICES * len(sounding))
    return together / total if total else 1.0


def metre(bars: np.ndarray) -> str:
    """duple, triple, compound, or empty."""
    numerator, denominator = commonest_metre(bars)
    if numerator % 3 == 0 and numerator > 3:
        return "compound"
    if numerator == 3:
        return "triple"
    return "duple" if numerator in (2, 4, 8) and denominator <= 8 else ""


def mode(notes: np.ndarray, stated: int = 0) -> str:
    """major or minor; `stated` is 1 or -1 where the source says so."""
    if stated:
        return "major" if stated > 0 else "minor"
    from music21.analysis.discrete import KrumhanslSchmuckler

    lengths = np.bincount(notes["pitch"] % 12, weights=notes["duration_s"], minlength=12)
    best = {}
    for name in ("major", "minor"):
        profile = np.array(KrumhanslSchmuckler().getWeights(name))
        best[name] = max(np.corrcoef(np.roll(profile, tonic), lengths)[0, 1] for tonic in range(12))
    return max(best, key=best.__getitem__)


def tempo_band(bpm: float) -> str:
    """slow, medium or fast. Raises `ValueError` outside `TEMPO_BANDS`."""
    for name, (low, high) in TEMPO_BANDS.items():
        if low <= bpm < high:
            return name
    raise ValueError(f"{bpm} beats a minute is outside the tempo bands")
