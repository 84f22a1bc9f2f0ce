"""What generated pieces share with training pieces, beside what held-out pieces of people share with them.

A piece is compared as its voices' (interval, duration) events, so that a copy in another key is a copy: a note's distance in
semitones from the voice's last, and its length in steps. Silence is an event, and the first note of a voice has no interval and
is none. Without a baseline no number of shared events means anything: works of one style share much (Yin, Reuben, Stepney and
Collins 2021, "A good algorithm does not steal - it imitates", EvoMUSART). n-grams are found by hashes over windows, and the
longest run is then compared event by event, so that no collision of hashes counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.tasks.sequences.fit.cells import PITCHES

LENGTHS = (8, 16, 24)
LADDER = (*range(1, 9), 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
SILENCE = 2 * PITCHES
LONGEST = 1 << 12
"""Steps of an event from which its length is no longer told apart."""
BASE = np.uint64(0x9E3779B97F4A7C15)  # odd: it has an inverse modulo 2 to the 64
INVERSE = np.uint64(pow(int(BASE), -1, 1 << 64))


class Events(NamedTuple):
    """The voices of pieces end to end. codes: of each event. line: number of its voice, over all pieces; piece: of its piece."""

    codes: np.ndarray
    line: np.ndarray
    piece: np.ndarray


def events(pieces: Sequence[np.ndarray]) -> Events:
    """The events of pieces `(steps, voices)`."""
    codes, line, piece = [], [], []
    for number, grid in enumerate(pieces):
        for voice in range(grid.shape[1]):
            found = _line(grid[:, voice])
            codes.append(found)
            line.append(np.full(len(found), number * grid.shape[1] + voice))
            piece.append(np.full(len(found), number))
    return Events(*(np.concatenate([np.empty(0, np.int64), *parts]) for parts in (codes, line, piece)))


def compare(pieces: Sequence[np.ndarray], training: Events) -> dict[str, np.ndarray]:
    """What each piece shares with the training pieces: an entry of each array a piece.

    `longest`: events of the longest run that a voice of it shares with a voice of training. `nearest`: the training piece that
    has it, -1 where no event is shared. `absent_8`, `absent_16`, `absent_24`: share of its n-grams that training has nowhere, NaN
    where it has none so long. `events`: how many it has. `first`, `first_there`: numbers of the events with which that run
    begins, among all events of the pieces and of training (`span`), -1 where there is none.
    """
    own = events(pieces)
    n_pieces = len(pieces)
    base, found, shared = np.zeros(n_pieces, int), {}, np.ones(1, bool)
    theirs, mine = _prefix(training.codes), _prefix(own.codes)
    for n in LADDER:
        if n > LENGTHS[-1] and not shared.any():
            break
        there, here = _windows(training, theirs, n), _windows(own, mine, n)
        shared = _within(here[1], there[1])
        if n in LENGTHS:
            owner = own.piece[here[0]]
            total, absent = (np.bincount(owner, weights, n_pieces) for weights in (None, ~shared))
            found[f"absent_{n}"] = np.where(total > 0, absent / np.maximum(total, 1), np.nan)
        base[own.piece[here[0][shared]]] = n
    longest, first, there = _longest(own, mine, training, theirs, base)
    nearest = np.append(training.piece, -1)[there]
    counts = np.bincount(own.piece, minlength=n_pieces)
    return {"longest": longest, "nearest": nearest, **found, "events": counts, "first": first, "first_there": there}


def span(pieces: Sequence[np.ndarray], found: Events, first: int, n: int) -> tuple[int, int, int]:
    """(voice, first step, step after the last) of `n` events of the `events` of pieces, in the piece that has them."""
    piece, voice = divmod(int(found.line[first]), pieces[0].shape[1])
    place = first - int(np.searchsorted(found.line, found.line[first]))
    starts, ends = _times(pieces[piece][:, voice])
    return voice, int(starts[place]), int(ends[place + n - 1])


def _longest(own: Events, mine: np.ndarray, training: Events, theirs: np.ndarray, base: np.ndarray):
    """The longest run of each piece, and where it begins here and in training: every pair of equal windows of the length `base`,
    grown."""
    longest, first, there_first = np.zeros(len(base), int), np.full(len(base), -1), np.full(len(base), -1)
    for n in np.unique(base[base > 0]).tolist():
        there, here = _windows(training, theirs, n), _windows(own, mine, n)
        wanted = base[own.piece[here[0]]] == n
        places, hashes = here[0][wanted], here[1][wanted]
        kept = _within(there[1], hashes)
        order = np.argsort(there[1][kept], kind="stable")
        ends, sorted_hashes = there[0][kept][order], there[1][kept][order]
        low, high = (np.searchsorted(sorted_hashes, hashes, side) for side in ("left", "right"))
        if n < LENGTHS[0]:  # the next step of the ladder is one longer: any pair is a longest one
            high = np.minimum(high, low + 1)
        a = np.repeat(places, high - low)
        b = ends[np.repeat(low - np.cumsum(high - low) + (high - low), high - low) + np.arange(len(a))]
        lengths = _grown(own, a, training, b)
        for pair in np.lexsort([b, -lengths]):
            piece = own.piece[a[pair]]
            if lengths[pair] > longest[piece]:
                longest[piece], first[piece], there_first[piece] = lengths[pair], a[pair], b[pair]
    return longest, first, there_first


def _grown(own: Events, a: np.ndarray, training: Events, b: np.ndarray) -> np.ndarray:
    """How many events are equal from places `a` and `b` on, within a voice."""
    lengths, going = np.zeros(len(a), int), np.arange(len(a))
    while len(going):
        i, j = a[going] + lengths[going], b[going] + lengths[going]
        inside = (i < len(own.codes)) & (j < len(training.codes))
        going, i, j = going[inside], i[inside], j[inside]
        same = (own.codes[i] == training.codes[j]) & (own.line[i] == own.line[a[going]])
        same &= training.line[j] == training.line[b[going]]
        going = going[same]
        lengths[going] += 1
    return lengths


def _line(voice: np.ndarray) -> np.ndarray:
    """Codes of a voice's events."""
    if not len(voice):
        return np.empty(0, np.int64)
    starts = np.flatnonzero(np.diff(voice.astype(np.int64), prepend=-1))
    pitch, duration = voice[starts].astype(np.int64), np.diff(np.append(starts, len(voice)))
    sounds = np.flatnonzero(pitch > 0)
    interval = np.full(len(pitch), SILENCE)
    interval[sounds[1:]] = np.diff(pitch[sounds]) + PITCHES
    codes = interval * LONGEST + np.minimum(duration, LONGEST - 1)
    return np.delete(codes, sounds[:1])  # the first note has no interval


def _times(voice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First steps of a voice's events, and the steps after their last."""
    starts = np.flatnonzero(np.diff(voice.astype(np.int64), prepend=-1))
    gone = np.flatnonzero(voice[starts] > 0)[:1]
    return np.delete(starts, gone), np.delete(np.append(starts[1:], len(voice)), gone)


def _prefix(codes: np.ndarray) -> np.ndarray:
    """Sums of a number for each event times rising powers of `BASE`, modulo 2 to the 64, from 0 on (Karp and Rabin 1987)."""
    mixed = codes.astype(np.uint64) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)  # splitmix64, Steele et al. 2014
    mixed ^= mixed >> np.uint64(32)
    return np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed * _powers(BASE, len(codes)), dtype=np.uint64)])


def _powers(base: np.uint64, n: int) -> np.ndarray:
    return np.multiply.accumulate(np.concatenate([np.ones(1, np.uint64), np.full(max(n - 1, 0), base)]))[:n]


def _windows(found: Events, prefix: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(first event, hash) of every window of `n` events within a voice."""
    starts = np.arange(max(len(found.codes) - n + 1, 0))
    starts = starts[found.line[starts] == found.line[starts + n - 1]]
    hashes = (prefix[starts + n] - prefix[starts]) * _powers(INVERSE, len(prefix))[starts]
    return starts, hashes


def _within(sought: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Which of `sought` are in `hashes`; the smaller side is sorted."""
    if not len(hashes) or not len(sought):
        return np.zeros(len(sought), bool)
    if len(sought) >= len(hashes):
        known = np.unique(hashes)
        place = np.minimum(np.searchsorted(known, sought), len(known) - 1)
        return known[place] == sought
    known, inverse = np.unique(sought, return_inverse=True)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    there = np.zeros(len(known), bool)
    there[place[known[place] == hashes]] = True
    return there[inverse]
