"""Naive Bayes over notes in sequence: an n-gram model of each class, and the class under which a piece is likeliest.

It reads `note_events` of a corpus. An event is a note: its interval to the note before (semitones, octaves beyond one taken off),
whether it begins with that note or after it, and its duration relative to the piece's most frequent one (rounded log2, -3 to 3).
So neither key nor notated speed tells a piece. Notes that begin together follow one another from the lowest up: their intervals
are those of the chord.

The probability of an event after the `n` - 1 before it is smoothed by that after fewer (Witten & Bell 1991, method C; of music
Pearce & Wiggins 2004): p(w|h) = (c(h, w) + t(h) p(w|h')) / (c(h) + t(h)), where t(h) different events follow h, and h' is h
without its oldest event. Below the shortest context all events have one probability. The decision for a class is the logarithm of
its prior times the piece's likelihood, divided by the number of events: its highest is Bayes' answer, and a temperature fitted on
validation makes probabilities of it (the events are not independent, and their product says 1 of nearly every piece).
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

GRID = {"n": [1, 2, 3, 4, 5]}
OCTAVE, SPANS = 12, 3
INTERVALS, DURATIONS = 2 * OCTAVE + 1, 2 * SPANS + 1
EVENTS = INTERVALS * 2 * DURATIONS
LONGEST = 6
"""Events of an n-gram at most: its number fits 64 bits."""


def check(candidates, n_clips):
    """Raises `ValueError` for an n that no n-gram has."""
    for one in candidates:
        if isinstance(one.get("n"), bool) or not isinstance(one.get("n"), int) or not 1 <= one["n"] <= LONGEST:
            raise ValueError(f"model ngrams with n {one.get('n')!r}: n is a whole number from 1 to {LONGEST}")


def create(seed, **parameters):
    return NGrams(**parameters)


def encode(notes):
    """The events of `(notes, 3)` of a piece: pitch, quarters since the onset before, and duration; int64 `(notes,)`."""
    pitch, since, duration = notes.astype(np.float64).T
    steps = np.diff(pitch, prepend=pitch[:1]).astype(int)
    steps = np.sign(steps) * np.where(steps == 0, 0, (np.abs(steps) - 1) % OCTAVE + 1)
    held = np.maximum(duration, 1e-6)
    lengths, counts = np.unique(held, return_counts=True)
    spans = np.clip(np.round(np.log2(held / lengths[counts.argmax()])), -SPANS, SPANS).astype(int)
    return ((steps + OCTAVE) * 2 + (since > 0)) * DURATIONS + spans + SPANS


class NGrams(ClassifierMixin, BaseEstimator):
    """Values are an object array of sequences of events, as `encode` gives them."""

    def __init__(self, n=3):
        self.n = n

    def fit(self, values, classes, sample_weight=None):
        """sample_weight: of the pieces, for the classes' priors alone: an n-gram counts as often as it occurs."""
        self.classes_, own = np.unique(classes, return_inverse=True)
        self.n_features_in_ = EVENTS
        shares = np.bincount(own, weights=sample_weight)
        self.priors_ = np.log(shares / shares.sum())
        of_event = np.repeat(own, [len(each) for each in values])
        self.keys_, self.counts_, self.contexts_, self.totals_, self.types_ = [], [], [], [], []
        for keys in _keys(values, self.n):
            keys, place = np.unique(keys, return_inverse=True)
            counts = np.zeros((len(keys), len(shares)), np.int32)
            np.add.at(counts, (place, of_event), 1)
            contexts, place = np.unique(keys // (EVENTS + 1), return_inverse=True)
            totals, types = (np.zeros((len(contexts), len(shares)), np.int32) for _ in range(2))
            np.add.at(totals, place, counts)
            np.add.at(types, place, counts > 0)
            for kept, new in zip(
                (self.keys_, self.counts_, self.contexts_, self.totals_, self.types_),
                (keys, counts, contexts, totals, types),
                strict=True,
            ):
                kept.append(new)
        return self

    def log_likelihoods(self, values):
        """`(pieces, classes)`: the mean log-probability of an event of each piece by each class."""
        check_is_fitted(self)
        lengths = np.array([len(each) for each in values])
        p = np.full((lengths.sum(), len(self.classes_)), 1 / EVENTS)
        for place, keys in enumerate(_keys(values, self.n)):
            counts = _of(keys, self.keys_[place], self.counts_[place])
            contexts = keys // (EVENTS + 1)
            totals, types = (_of(contexts, self.contexts_[place], each[place]) for each in (self.totals_, self.types_))
            p = np.where(totals > 0, (counts + types * p) / np.maximum(totals + types, 1), p)
        ends = np.cumsum(lengths)[:-1]
        return np.array([each.mean(axis=0) for each in np.split(np.log(p), ends)])

    def decision_function(self, values):
        """`(pieces, classes)`; of two classes `(pieces,)`, half the second's less the first's."""
        lengths = np.array([len(each) for each in values])
        found = self.log_likelihoods(values) + self.priors_ / lengths[:, None]
        return (found[:, 1] - found[:, 0]) / 2 if len(self.classes_) == 2 else found

    def predict(self, values):
        found = self.decision_function(values)
        return self.classes_[(found > 0).astype(int) if found.ndim == 1 else found.argmax(axis=1)]


def _keys(values, n):
    """The number of the n-gram that ends at each event of all pieces, for n-grams of 1 to `n` events. Before a piece stands the
    mark `EVENTS`."""
    marked = [np.concatenate([np.full(n - 1, EVENTS), each]) for each in values]
    for order in range(1, n + 1):
        parts = []
        for each in marked:
            key = np.zeros(len(each) - n + 1, np.int64)
            for back in range(order - 1, -1, -1):
                key = key * (EVENTS + 1) + each[n - 1 - back : len(each) - back]
            parts.append(key)
        yield np.concatenate(parts)


def _of(sought, keys, rows):
    """The row of each key, zeros of one that is not there."""
    place = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return np.where((keys[place] == sought)[:, None], rows[place], 0)
