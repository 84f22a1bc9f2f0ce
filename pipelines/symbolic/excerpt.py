"""Thirty seconds of a piece: how fast it goes, where it starts, and which notes sound when.

The tempo is given in beats a minute and drawn without looking at the style, so the *beat* must be what a musician
would beat: the half note in 4/2, 3/2 and 2/2 (a mensural minim, or a reel in cut time), the quarter in 4/4 and 3/4,
the dotted quarter in 6/8, 9/8 and 3/8. Notation is a habit, though: one hornpipe stands in sixteenths of 2/4 and
another in eighths of 2/2, and an adagio in 2/4 is full of thirty-second notes. So the beat is halved (in compound
metres first divided by three) while the busiest voice has more than `MAX_NOTES_A_BEAT`, and doubled while it has fewer
than `MIN_NOTES_A_BEAT`. The same rule serves every style.

Hymns and tunes start at the top and are sung or played again until the clip is full, as is usual for them; of longer
music a clip is an excerpt from a seeded bar line, and a piece shorter than the clip is not used.
"""

from typing import NamedTuple

import numpy as np

from pipelines.symbolic.score import Music

SOUND = np.dtype([("onset_s", "f8"), ("duration_s", "f8"), ("pitch", "i4"), ("voice", "i4")])

# beats a minute; each band spans about the same ratio, and together they are the range from largo to presto
TEMPO_BANDS = {"slow": (56.0, 76.0), "medium": (76.0, 104.0), "fast": (104.0, 144.0)}
FASTEST = max(high for _, high in TEMPO_BANDS.values())

MAX_NOTES_A_BEAT, MIN_NOTES_A_BEAT = 4.5, 0.65
WINDOW = 32.0  # beats over which notes are counted (quarter notes where the beat is not yet known)
MIN_NOTE_S = 0.03  # what an edge of the clip leaves of a note is no note if it is shorter
MIN_SOUNDING = 0.6  # share of an excerpt in which something sounds


class Excerpt(NamedTuple):
    """`notes` (dtype `SOUND`) by onset, voice, pitch; `bars` those that begin in it, the first where it starts."""

    notes: np.ndarray
    bars: np.ndarray
    beat: float  # quarter notes


def beats(music: Music) -> np.ndarray:
    """Quarter notes to a beat at each bar of a piece, `(bars,)`, by the metre and by the number of notes around."""
    onset = music.bars["onset"]
    metre = _around(music, onset, np.full(len(onset), WINDOW), onset)
    units = np.empty(len(onset))
    one_metre = len(np.unique(music.bars[["numerator", "denominator"]])) == 1
    for i, (first, last) in enumerate(zip(*metre, strict=True)):
        # a pickup's bar may carry a metre of its own: what most of the bars around say counts
        numerator, denominator = commonest_metre(music.bars[:1] if one_metre else music.bars[first:last])
        units[i] = (12 if _is_compound(numerator, denominator) else 4) / denominator
    window, counts = WINDOW * units, np.zeros(len(onset), dtype=int)
    for voice in np.unique(music.notes["voice"]):
        starts = np.unique(music.notes["onset"][music.notes["voice"] == voice])  # a chord is one
        first, last = _around(music, onset, window, starts)
        counts = np.maximum(counts, last - first)
    rates = counts / np.minimum(window, music.length)
    return np.array([_tactus(unit, rate) for unit, rate in zip(units.tolist(), rates.tolist(), strict=True)])


def _is_compound(numerator: int, denominator: int) -> bool:
    return numerator % 3 == 0 and (numerator > 3 or denominator >= 8)


def _tactus(unit: float, rate: float) -> float:
    """The beat, from the notated one (quarter notes) and the notes a quarter in the busiest voice."""
    thirds = unit % 0.75 == 0  # a dotted note
    while rate * unit > MAX_NOTES_A_BEAT:
        unit, thirds = unit / (3 if thirds else 2), False
    while 0 < rate * unit < MIN_NOTES_A_BEAT:
        unit *= 2
    return unit


def _around(music: Music, onset: np.ndarray, window: np.ndarray, sorted_onsets: np.ndarray) -> tuple:
    """(first, last) indices of what begins in the `window` quarters from each `onset`, or in the piece's last ones."""
    start = np.clip(np.minimum(onset, music.length - window), 0, None) - 1e-6
    return np.searchsorted(sorted_onsets, start), np.searchsorted(sorted_onsets, start + window)


def commonest_metre(bars: np.ndarray) -> tuple[int, int]:
    """(numerator, denominator) that holds for the longest time."""
    lengths: dict[tuple[int, int], float] = {}
    for bar in bars[["numerator", "denominator", "duration"]].tolist():
        lengths[bar[:2]] = lengths.get(bar[:2], 0.0) + bar[2]
    return max(lengths, key=lengths.__getitem__)


def capacity(music: Music, duration_s: float) -> int:
    """Into how many equal stretches a piece can be cut so that each has room for a clip at any tempo."""
    onsets = music.bars["onset"]
    ends = onsets + duration_s * FASTEST / 60 * beats(music)
    n_parts = 0
    while all(_fitting(music, onsets, ends, part, n_parts + 1).any() for part in range(n_parts + 1)):
        n_parts += 1
    return n_parts


def _fitting(music: Music, onsets: np.ndarray, ends: np.ndarray, part: int, n_parts: int) -> np.ndarray:
    low, high = music.length * part / n_parts, music.length * (part + 1) / n_parts
    return (onsets >= low - 1e-6) & (ends <= high + 1e-6)


def choose_start(music: Music, bpm: float, duration_s: float, part: int, n_parts: int, rng: np.random.Generator) -> int:
    """The index of a seeded bar in the `part`-th of `n_parts` equal stretches of a piece, with room for the clip.

    Mostly silent places are passed over if there is another. Raises `ValueError` where none has room.
    """
    onsets, units = music.bars["onset"], beats(music)
    ends = onsets + duration_s * bpm / 60 * units
    fitting = rng.permutation(np.flatnonzero(_fitting(music, onsets, ends, part, n_parts)))
    if not len(fitting):
        raise ValueError("shorter than the clip")
    for bar in fitting:
        if _sounding(cut(music, bar, bpm, duration_s).notes, duration_s) >= MIN_SOUNDING:
            return int(bar)
    return int(fitting[0])


def cut(music: Music, bar: int, bpm: float, duration_s: float, again: bool = False) -> Excerpt:
    """The notes that sound in `duration_s` seconds from the start of a bar (an index) at `bpm` beats a minute.

    A note held over from before sounds from the start. `again`: play from the top when the piece is over.
    """
    start, unit = float(music.bars["onset"][bar]), float(beats(music)[bar])
    quarter_s = 60 / (bpm * unit)
    end = start + duration_s / quarter_s
    turns = int(np.ceil(end / music.length)) if again else 1
    notes, bars = (_repeat(table, music.length, turns) for table in (music.notes, music.bars))
    first = np.maximum(notes["onset"], start)
    last = np.minimum(notes["onset"] + notes["duration"], end)
    sounding = (last - first) * quarter_s >= MIN_NOTE_S
    result = np.empty(int(sounding.sum()), dtype=SOUND)
    result["onset_s"] = (first[sounding] - start) * quarter_s
    result["duration_s"] = np.minimum((last - first)[sounding] * quarter_s, duration_s - result["onset_s"])
    result["pitch"], result["voice"] = notes["pitch"][sounding], notes["voice"][sounding]
    bars = bars[(bars["onset"] >= start - 1e-6) & (bars["onset"] < end)]
    return Excerpt(np.sort(result, order=["onset_s", "voice", "pitch"]), bars, unit)


def _repeat(table: np.ndarray, length: float, turns: int) -> np.ndarray:
    copies = np.tile(table, turns)
    copies["onset"] += np.repeat(np.arange(turns) * length, len(table))
    return copies


def _sounding(notes: np.ndarray, duration_s: float) -> float:
    """Share of the clip in which at least one note sounds."""
    reached, total = 0.0, 0.0
    for note in notes:  # by onset
        end = note["onset_s"] + note["duration_s"]
        total += max(0.0, end - max(reached, note["onset_s"]))
        reached = max(reached, end)
    return total / duration_s
