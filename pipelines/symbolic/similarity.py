"""Find pieces that are the same music in another key, book, harmonisation or note values.

Two stages, over every voice of every whole piece:

1. *Shingles*: runs of six intervals in semitones between successive different pitches (so no key, no rhythm, no
   repeated notes), weighted by how rare they are; two voices are compared further if the cosine of their weighted
   sets is at least `MIN_COSINE` (Downie 1999 indexes melodies by such n-grams).
2. *Agreement*: one voice is cut into windows of 32 steps (a step is its median note). Each window is compared with every
   position of the other voice, both sampled on a grid, at the same, double and half speed, in one transposition for all.
   The score is the mean over windows of the best share of steps with equal pitch class.

Measured on the corpus, pairs that pass both stages (among all 4,248 tunes of the three books, or all chorales):

- the same number of O'Neill's, typed by two people: 168 of 171 (of the others two share nothing but the number);
- the same title in two books: 106 of 194. The second stage alone passes 122; those just above its threshold are
  other settings of one tune (Push About the Jorum, The Highway to Dublin, Fisher's Hornpipe), just below it too (Tell
  Her I Am, Money Musk, The Rocks of Cashel); most of the rest are other tunes under one name;
- two chorales on a hymn of one name: 144 of 196; the others have different melodies, as far as we looked;
- two tunes drawn at random: 5 of 2,000 pass the second stage, by .01 at most.

A wrong merge costs some balance; a missed one is a leak. So the threshold is low.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from pipelines.symbolic.score import Music

N_INTERVALS = 6
MIN_COSINE = 0.12
N_NEAREST = 3
WINDOW = 32  # steps
MAX_WINDOWS = 8
MIN_STEPS = 16
SPEEDS = (1.0, 2.0, 0.5)
REST = -50  # far from every pitch class


class Line(NamedTuple):
    """The top note of one voice at each onset. Times in quarter notes."""

    onset: np.ndarray
    end: np.ndarray
    pitch: np.ndarray
    shingles: frozenset[tuple[int, ...]]


def lines(music: Music) -> list[Line]:
    """The voices of a piece that have enough notes to be known by."""
    result = []
    for voice in np.unique(music.notes["voice"]):
        notes = np.sort(music.notes[music.notes["voice"] == voice], order=["onset", "pitch"])
        top = notes[np.append(np.diff(notes["onset"]) > 0, True)]
        found = shingles(top["pitch"])
        if len(top) >= MIN_STEPS and found:
            result.append(Line(top["onset"], top["onset"] + top["duration"], top["pitch"], found))
    return result


def shingles(pitch: np.ndarray) -> frozenset[tuple[int, ...]]:
    """Runs of `N_INTERVALS` intervals, in semitones, between successive different pitches."""
    intervals = np.diff(pitch)
    intervals = intervals[intervals != 0]
    if len(intervals) < N_INTERVALS:
        return frozenset()
    return frozenset(map(tuple, np.lib.stride_tricks.sliding_window_view(intervals, N_INTERVALS).tolist()))


def same_music(pieces: Sequence[list[Line]], groups: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs (i, j, excess), i < j, of pieces with the same music; pairs already in one group are not looked at."""
    owner = [index for index, voices in enumerate(pieces) for _ in voices]
    voices = [line for piece in pieces for line in piece]
    pairs: dict[tuple[int, int], float] = {}
    for first, second in candidates([line.shingles for line in voices], owner):
        i, j = owner[first], owner[second]
        if groups[i] == groups[j]:
            continue
        score = excess(voices[first], voices[second])
        if score >= 0:
            pairs[i, j] = max(score, pairs.get((i, j), 0.0))
    return [(i, j, score) for (i, j), score in sorted(pairs.items())]


def candidates(sets: Sequence[frozenset], owner: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs (i < j) of shingle sets whose weighted cosine is at least `MIN_COSINE`; for a piece of one voice also its
    `N_NEAREST`, whatever their cosine: tunes live by variation, copies of polyphony differ little.

    `owner[i]` is the piece that set i belongs to. The weight of a shingle is its inverse document frequency.
    """
    documents = Counter(element for found in sets for element in found)
    column = {element: index for index, element in enumerate(sorted(documents))}
    rows = [i for i, found in enumerate(sets) for _ in found]
    elements = [element for found in sets for element in sorted(found)]
    values = np.array([np.log((len(sets) + 1) / documents[element]) for element in elements])
    shape = (len(sets), len(column))
    matrix = csr_array((values, (rows, [column[element] for element in elements])), shape=shape)
    norm = np.maximum(np.sqrt(matrix.multiply(matrix).sum(axis=1)), 1e-12)
    matrix = csr_array(matrix.multiply(1 / norm[:, None]))
    cosine = (matrix @ matrix.T).toarray()
    cosine[np.equal.outer(owner, owner)] = 0
    keep = cosine >= MIN_COSINE
    n_voices = Counter(owner)
    for i in (i for i, piece in enumerate(owner) if n_voices[piece] == 1):
        nearest = np.argsort(-cosine[i], kind="stable")[:N_NEAREST]
        keep[i, nearest[cosine[i, nearest] > 0]] = True
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(keep | keep.T)), strict=True)]


def excess(a: Line, b: Line) -> float:
    """By how much the best fit of one voice on the other passes what chance reaches; 0 and above is the same music."""
    best = -1.0
    for first, second in ((a, b), (b, a)):
        step = _step(first)
        grid = _grid(first, step)
        for speed in SPEEDS:
            share, n_windows, n_places = _fit(grid, _grid(second, step * speed))
            best = max(best, share - needed(n_windows, n_places))
    return best


def needed(n_windows: int, n_places: int) -> float:
    """The share of equal steps that tells the same music from chance.

    One half where four windows or more have at most 128 places to fit; more where there are fewer windows to agree
    (a hymn has one or two) or more places to choose from (a quartet movement has thousands).
    """
    return 0.5 + 0.07 * max(0, 4 - n_windows) + 0.04 * float(np.log2(max(1.0, n_places / 128)))


def _step(line: Line) -> float:
    return float(np.median(np.diff(line.onset)))


def _grid(line: Line, step: float) -> np.ndarray:
    """Pitch class at every step from the first note to the end of the last; `REST` between notes."""
    time = line.onset[0] + np.arange(round((line.end[-1] - line.onset[0]) / step)) * step + 1e-6
    index = np.searchsorted(line.onset, time) - 1
    return np.where(line.end[index] < time, REST, line.pitch[index] % 12).astype(np.int8)


def _fit(a: np.ndarray, b: np.ndarray) -> tuple[float, int, int]:
    """(share, windows, places): the mean over windows of `a` of their best share of equal steps anywhere in `b`.

    One transposition for all windows. Windows that rest or stay on a note would fit anywhere and are left out.
    """
    width = min(WINDOW, len(a), len(b))
    if width < MIN_STEPS:
        return 0.0, 0, 1
    windows = np.lib.stride_tricks.sliding_window_view(a, width)[:: width // 2]
    moving = (np.mean(windows != REST, axis=1) > 0.8) & (np.mean(np.diff(windows, axis=1) != 0, axis=1) > 0.4)
    windows = windows[moving]
    if not len(windows):
        return 0.0, 0, 1
    chosen = np.unique(np.linspace(0, len(windows) - 1, MAX_WINDOWS).astype(int))
    places = np.lib.stride_tricks.sliding_window_view(b, width)
    row = 13 * np.arange(len(places))[:, None]
    scores = []
    for window in windows[chosen]:
        shift = np.where((places == REST) | (window == REST), 12, (places - window) % 12)
        equal = np.bincount((row + shift).ravel(), minlength=13 * len(places)).reshape(-1, 13)
        scores.append(equal[:, :12].max(axis=0) / width)  # for each transposition, where it fits best
    return float(np.mean(scores, axis=0).max()), len(chosen), len(places)


def merge(groups: Sequence[str], pairs: Iterable[tuple[int, int, float]]) -> list[str]:
    """`groups` with those joined that a pair links, directly or through others; each keeps its first name in order."""
    parent = {name: name for name in groups}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for i, j, _ in pairs:
        first, second = sorted((root(groups[i]), root(groups[j])))
        parent[second] = first
    return [root(name) for name in groups]
