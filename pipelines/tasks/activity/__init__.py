"""Which instruments play: in each frame, or in each segment of 5 s, by a head on a frozen feature or by a network.

target: whose events (core/events.py) are learned: `instrument`, `stem`. class_map: `course9` or `slakh13` makes classes of the
events of General MIDI programs (`target: program`; fit/class_maps.py). level: `frame`, or `clip`: segments of clip_s seconds, in
which a class plays where one of its events touches the segment. Of a table of one vector a clip (`from: embeddings`) the segment
is the clip. hop_s: seconds between the frames of the feature (0.016: a hop of 256 at 16 kHz). labels: in a cross test, label of
the other dataset -> class of the run; null leaves it out.

imbalance: `class_weights` gives a rare class more weight in the loss, `repeats` draws clips with a rare class more often (Gupta
et al. 2019), `both` does both. thresholds: each class's is the best on validation, or 0.5. smooth_s: length of the median filter
on frames. events: how frames become events, by the same decisions (`frames`), or by a threshold and a median filter of each
class, chosen on validation by the F1 of events (`validation`).

epochs, learning_rate: of training. Of heads (linear, mlp): context, the frames before and after that they see too;
frames_per_clip, units of a clip that are drawn for training; hidden. Of networks (crnn for frames, resnet for clips): width, a
factor of the channels; batch_size; excerpt_s, the excerpts that crnn is trained on; augment (pipelines/training/augment).
"""

OPTIONS = {
    "target": ("instrument", "word"),
    "class_map": ("none", ("none", "course9", "slakh13")),
    "level": ("frame", ("frame", "clip")),
    "clip_s": (5.0, "positive"),
    "hop_s": (0.016, "positive"),
    "labels": ({}, "table"),
    "imbalance": ("none", ("none", "class_weights", "repeats", "both")),
    "thresholds": ("validation", ("validation", "half")),
    "smooth_s": (0.25, "positive"),
    "events": ("validation", ("validation", "frames")),
    "epochs": (20, "count"),
    "learning_rate": (0.001, "positive"),
    "context": (4, "whole"),
    "frames_per_clip": (200, "count"),
    "hidden": (128, "count"),
    "width": (1.0, "positive"),
    "batch_size": (16, "count"),
    "excerpt_s": (4.0, "positive"),
    "augment": ({}, "table"),
}
