"""Model music in voices on a grid, generate it, and measure the likelihood of held-out pieces and what was copied from training.

A run reads the representation `satb_grid` (four voices) or `melody_grid` (one) of a corpus. Models have one unit, **nats a
step**: minus the natural logarithm of the joint probability of a step's cells, one of each voice, given all steps before it, as
a mean over the steps of all test pieces. A step is a 16th. Models read pitches alone: a repeated note is a held
one, as in the published JSB Chorales.

n: of n-gram models, the length of an n-gram in cells, the predicted one included; of four voices four cells are a step.
context: of `kneser_ney`, `all` cells before, `blind` to which voice a cell is of, or the voice's `own` cells alone. states: of a
hidden Markov model. preset: the size of a network and of its training, `tiny`, `cpu` (minutes), `cpu_long` (ten) or `gpu`.
transpose: training pieces are also read in other keys, up to so many semitones away, as far as each voice stays in its range;
0: in their own alone. samples, bars: how many pieces of how many bars of 16 steps are generated to be measured; temperature,
top_p: how (`sampling.py`). gate: the bounds that statistics of generated pieces must keep, `chorales`, `held_out` (those of the
corpus's own validation pieces) or `none` (`statistics.py`).
"""

OPTIONS = {
    "n": (5, "count"),
    "context": ("all", ("all", "blind", "own")),
    "states": (32, "count"),
    "preset": ("tiny", ("tiny", "cpu", "cpu_long", "gpu")),
    "transpose": (0, "whole"),
    "samples": (64, "count"),
    "bars": (16, "count"),
    "temperature": (1.0, "positive"),
    "top_p": (1.0, "share"),
    "gate": ("chorales", ("chorales", "held_out", "none")),
}
