"""Is one window of four-part music the continuation of another? Features, a language model and a siamese network, on pairs.

A run reads the representation `satb_grid` of a corpus. Each piece is cut into windows of `bars` bars of 16 steps (a step is a
16th), end to end from its first step. A row is a **pair**: a window A, and a window B that follows it in its piece, or does not.
Of each A there are four pairs, one with its continuation and one with each kind of other window:

| kind | B |
| --- | --- |
| `other_piece` | a window of a piece of another group, on the same side of the split |
| `other_piece_in_key` | the same window, transposed to the key in which it fits A best |
| `same_piece` | a window of the same piece that neither follows A, nor comes before it, nor repeats what does |

bars: length of a window. negatives: `balanced`: every window is B as often as the continuation as it is of each other kind, so
that B alone tells nothing, and windows of other pieces have the same place in their piece; `any`: drawn among all windows, first
and last ones included, to show the error. updates: of a network's weights. leave_out: features that a model of scikit-learn does
not get, by name or pattern (`features.py`). likelihood: what `language_model` scores a pair by: `gain`, log p(B | A) - log p(B),
or `conditional`, log p(B | A) alone.

A model is one file with `fit(train, validation, options, seed, folder) -> figures`, of the training windows and the validation
pairs, and `load(folder, options) -> score`: `score(a, b)` of windows `(n, steps, 8)` is `(n,)`, the higher the likelier B
continues A.
"""

OPTIONS = {
    "bars": (2, "count"),
    "negatives": ("balanced", ("balanced", "any")),
    "updates": (600, "count"),
    "leave_out": ([], "words"),
    "likelihood": ("gain", ("gain", "conditional")),
}

NAMES = {
    "other_piece": "another piece",
    "other_piece_in_key": "another piece in the best-fitting key",
    "same_piece": "the rest of the same piece",
}
"""Kind of other window -> words, for figures and pages."""
