"""F1 of frames, of segments of 1 s and of events on the test clips, beside the answer that everything always plays.

Where instruments play most of the time this answer scores high: a score means something beside it alone. Macro F1 leads: the mean
over the classes that the scored clips have. Segments and events as sed_eval counts them (metrics/activity.py): onsets within
0.2 s, and offsets within 0.2 s or half of the event.
"""

import numpy as np
from sklearn.metrics import average_precision_score

from pipelines.metrics import activity
from pipelines.metrics.scores import Metric
from pipelines.tasks.activity.fit import frames, head

KINDS = ("frame", "segment", "event")
METRICS = {
    "macro_f1": Metric(lambda columns: macro(columns, "frame")),
    "micro_f1": Metric(lambda columns: micro(columns, "frame")),
    "segment_macro_f1": Metric(lambda columns: macro(columns, "segment")),
    "event_macro_f1": Metric(lambda columns: macro(columns, "event")),
    "event_micro_f1": Metric(lambda columns: micro(columns, "event")),
}


def predict(run, folder):
    """unit, group, and for frames, segments and events `<kind>_hits`, `_reference` and `_estimate` `(clips, classes)`."""
    served = head.load(folder)
    return _columns(frames.read(run), lambda values, _: served.active(served.probabilities(values)))


def baseline(run):
    """Every class in every frame."""
    return _columns(frames.read(run), lambda values, n: np.ones((len(values), n), bool))


def details(run, found):
    """Of each class, by the first training: F1 of frames, segments and events, average precision, its share of the training
    and of the test frames (the precision of an answer at random), and the F1 of the answer that it always plays."""
    data, served, always = frames.read(run), head.load(run.trainings[0][1]), baseline(run)
    test = [(served.probabilities(data.values(clip)), data.active(clip)) for clip in data.of("test").itertuples()]
    p, truth = (np.concatenate(each) for each in zip(*test, strict=True))
    per_class = {}
    for place, name in enumerate(data.classes):
        there = bool(truth[:, place].any())
        per_class[name] = {
            **{f"{kind}_f1": _rounded(_f1(found[0], kind)[place]) for kind in KINDS},
            "average_precision": _rounded(average_precision_score(truth[:, place], p[:, place])) if there else None,
            "prior": _rounded(served.config["priors"][place]),
            "share": _rounded(float(truth[:, place].mean())),
            "always_f1": _rounded(_f1(always, "frame")[place]),
            "threshold": served.config["thresholds"][place],
        }
    scored = [one["average_precision"] for one in per_class.values() if one["average_precision"] is not None]
    return {"per_class": per_class, "map": _rounded(float(np.mean(scored))), "losses": served.config["losses"]}


def plots(details):
    """F1 of each class, for the record."""
    values = {name: one["frame_f1"] for name, one in details["per_class"].items() if one["frame_f1"] is not None}
    return {"classes": {"kind": "bars", "values": values, "title": "F1 of each class, frames"}}


def checks(run, found):
    """Groups on one side; is there silence to find: a class that nearly always plays is scored well by any answer."""
    data = frames.read(run)
    sides = data.clips.groupby("group")["split"].nunique()
    share = np.concatenate([data.active(clip) for clip in data.of("test").itertuples()]).mean(axis=0)
    full = [name for name, each in zip(data.classes, share, strict=True) if each > 0.95]
    return {
        "no group on two sides": (
            bool((sides == 1).all()),
            f"{int((sides > 1).sum())} of {len(sides)} groups are on several sides",
        ),
        "no class plays nearly always": (not full, f"in over 95% of test frames: {', '.join(full) or 'none'}"),
    }


def micro(columns, kind: str) -> float:
    """F1 of all classes' counts together; NaN of none."""
    hits, both = _sums(columns, kind)
    return float(2 * hits.sum() / both.sum()) if both.sum() else float("nan")


def macro(columns, kind: str) -> float:
    """Mean F1 over the classes that the clips have; NaN of none."""
    values = _f1(columns, kind)[columns[f"{kind}_reference"].sum(axis=0) > 0]
    return float(values.mean()) if len(values) else float("nan")


def _f1(columns, kind: str) -> np.ndarray:
    hits, both = _sums(columns, kind)
    return np.where(both > 0, 2 * hits / np.maximum(both, 1), np.nan)


def _sums(columns, kind: str) -> tuple[np.ndarray, np.ndarray]:
    both = columns[f"{kind}_reference"] + columns[f"{kind}_estimate"]
    return columns[f"{kind}_hits"].sum(axis=0), both.sum(axis=0)


def _columns(data, answer):
    """`answer` gets a clip's frames and the number of classes, and gives `(frames, classes)` bool."""
    clips, counted = data.of("test"), {kind: [] for kind in KINDS}
    for clip in clips.itertuples():
        truth, said = data.active(clip), answer(data.values(clip), len(data.classes))
        reference, estimate = data.own(clip), activity.from_frames(said, data.classes, data.hop_s)
        counted["frame"].append(np.stack([(truth & said).sum(axis=0), truth.sum(axis=0), said.sum(axis=0)]))
        for kind, found in (
            ("segment", activity.segments(reference, estimate, clip.duration_s)),
            ("event", activity.events(reference, estimate)),
        ):
            counted[kind].append(np.array([found.get(name, activity.Counts()) for name in data.classes]).T)
    columns = {"unit": clips["clip_id"].to_numpy(str), "group": clips["group"].to_numpy(str)}
    for kind, each in counted.items():
        for place, name in enumerate(("hits", "reference", "estimate")):
            columns[f"{kind}_{name}"] = np.stack(each)[:, place].astype(np.int64)
    return columns


def _rounded(value) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
