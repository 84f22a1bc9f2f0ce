"""Which instruments play in each frame: a small head on frames of a frozen feature, with events as targets.

target: whose events (core/events.py) are learned: `instrument`, `stem`. hop_s: seconds between the feature's frames (0.016 of a
hop of 256 at 16 kHz). context: frames before and after that the head sees too. frames_per_clip: of training, drawn by the seed.
imbalance: `class_weights` gives a rare class more weight. thresholds: each class's is the best on validation, or 0.5. smooth_s:
length of the median filter that is applied to decisions before they become events. epochs, hidden, learning_rate: of the head.
"""

OPTIONS = {
    "target": ("instrument", "word"),
    "hop_s": (None, "positive"),
    "context": (4, "whole"),
    "frames_per_clip": (200, "count"),
    "imbalance": ("none", ("none", "class_weights")),
    "thresholds": ("validation", ("validation", "half")),
    "smooth_s": (0.25, "positive"),
    "epochs": (20, "count"),
    "hidden": (128, "count"),
    "learning_rate": (0.001, "positive"),
}
