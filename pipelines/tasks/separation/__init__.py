"""Separate a mixture into its stems with masks on its spectrogram, trained on remixes of stems.

A run reads the stems of a dataset: `from: raw, reads: stems` (core/stems.py). The mixture is their sum.

stems: the stems to separate, in this order; [] is all that the training clips have. A stem that a clip has not is silent in it.
n_fft, hop: of the spectrogram, in samples (Hann window). segment_s: longer signals are separated in overlapping segments.
steps, batch_size, learning_rate, excerpt_s: of training, on remixes of `excerpt_s` seconds. remix: `coherent` takes all stems of
a remix from one clip and time, `incoherent` each stem from another, `both` half of either. gain_db: each stem's gain in a remix
is drawn from -gain_db to gain_db. hidden, layers: of the network. wiener: iterations of the Wiener filter after the masks
(fit/wiener.py). weights: of a model that takes a user's own checkpoints, stem -> {path, sha256} (models/open_unmix.py).

Models that read the notes of the stems (models/score_templates.py) need a dataset with events of the target `note`.
"""

FROM = ("raw",)

OPTIONS = {
    "stems": ([], "words"),
    "n_fft": (2048, "count"),
    "hop": (1024, "count"),
    "segment_s": (10.0, "positive"),
    "steps": (700, "count"),
    "batch_size": (4, "count"),
    "learning_rate": (0.001, "positive"),
    "excerpt_s": (5.0, "positive"),
    "remix": ("coherent", ("coherent", "incoherent", "both")),
    "gain_db": (3.0, "number"),
    "wiener": (0, "whole"),
    "weights": ({}, "table"),
    "hidden": (256, "count"),
    "layers": (2, "count"),
}
