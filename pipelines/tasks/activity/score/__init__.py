"""F1 and average precision of units (frames, or segments of 5 s) on the test clips, for frames F1 of segments of 1 s and of
events too, beside the answer that everything always plays.

Where instruments play most of the time this answer scores high: a score means something beside it alone. Macro F1 leads: the
mean over the classes that the scored clips have. Segments and events are counted as sed_eval counts them (metrics/activity.py):
onsets within 0.2 s, and offsets within 0.2 s or half of the event. Average precision is of probabilities rounded to 1/200.
"""

import numpy as np

from pipelines.metrics import activity
from pipelines.metrics.scores import Metric
from pipelines.tasks.activity.fit import model, units
from pipelines.tasks.activity.score import precision, timelines

UNITS = {
    "macro_f1": Metric(lambda columns: macro(columns, "unit")),
    "micro_f1": Metric(lambda columns: micro(columns, "unit")),
    "map": Metric(precision.mean),
}
METRICS = UNITS | {
    "segment_macro_f1": Metric(lambda columns: macro(columns, "segment")),
    "event_macro_f1": Metric(lambda columns: macro(columns, "event")),
    "event_micro_f1": Metric(lambda columns: micro(columns, "event")),
}
UNIT = {"frame": "frame", "clip": "segment"}
"""Level -> what a unit is."""
COUNTS = ("hits", "reference", "estimate")


def metrics(run):
    """Segments of 5 s have no events."""
    return METRICS if run.options["level"] == "frame" else UNITS


def predict(run, folder):
    """unit, group, of units (of frames also of segments and events) `<kind>_hits`, `_reference` and `_estimate` `(clips,
    classes)`, and `positives` and `negatives` (`precision.histogram`)."""
    served = model.load(folder)

    def answer(data, clip):
        raw = served.raw(data, clip)
        p = served.probabilities(data, clip)
        return p, served.active(p), served.in_events(data, raw) if data.level == "frame" else None

    return _columns(units.read(run), answer)


def baseline(run):
    """Every class in every unit."""

    def answer(data, clip):
        p = np.ones((data.count(clip), len(data.classes)), np.float32)
        return p, p > 0, p > 0

    return _columns(units.read(run), answer)


def details(run, found):
    """Of each class, by the first training: its F1s, average precision, share of the training and of the test units (the
    precision of an answer at random), the F1s of the answer that it always plays, threshold, and the curve of precision by
    recall. Then the losses, and some clips: what plays, what was found, and the notes."""
    data, served, always = units.read(run), model.load(run.trainings[0][1]), baseline(run)
    kinds = ("unit", "segment", "event") if data.level == "frame" else ("unit",)
    shares = always["unit_reference"].sum(axis=0) / always["unit_estimate"].sum(axis=0)
    values, curves = precision.of_classes(found[0]), precision.curves(found[0])
    per_class = {}
    for place, name in enumerate(data.classes):
        per_class[name] = {f"{kind}_f1": _rounded(f1(found[0], kind)[place]) for kind in kinds}
        per_class[name] |= {f"always_{kind}_f1": _rounded(f1(always, kind)[place]) for kind in kinds}
        per_class[name] |= {
            "average_precision": _rounded(values[place]),
            "prior": _rounded(served.config["priors"][place]),
            "share": _rounded(shares[place]),
            "threshold": served.config["thresholds"][place],
            "curve": curves[place],
        }
    return {
        "level": data.level,
        "unit_s": data.unit_s,
        "per_class": per_class,
        "events": served.config["events"],
        "losses": served.config["losses"],
        "clips": timelines.examples(run, data, served, found[0]),
    }


def plots(details):
    """F1 of each class, for the record."""
    values = {name: one["unit_f1"] for name, one in details["per_class"].items() if one["unit_f1"] is not None}
    return {"classes": {"kind": "bars", "values": values, "title": f"F1 of each class, {UNIT[details['level']]}s"}}


def checks(run, found):
    """Groups on one side; is there silence to find: a class that nearly always plays is scored well by any answer; is a class of
    the test clips missing from the scores because no training clip has it."""
    data = units.read(run)
    sides = data.clips.groupby("group")["split"].nunique()
    share = np.concatenate([data.active(clip) for clip in data.of("test").itertuples()]).mean(axis=0)
    said = f"{UNIT[data.level]}s"
    of_test = data.events.loc[data.events["clip_id"].isin(data.of("test")["clip_id"]), "label"]
    unknown = sorted(set(of_test) - set(data.classes))
    full = [name for name, each in zip(data.classes, share, strict=True) if each > 0.95]
    return {
        "no group on two sides": (
            bool((sides == 1).all()),
            f"{int((sides > 1).sum())} of {len(sides)} groups are on several sides",
        ),
        "no class plays nearly always": (not full, f"in over 95% of test {said}: {', '.join(full) or 'none'}"),
        "every test class is trained": (
            not unknown,
            f"in no training clip, not scored: {', '.join(unknown) or 'none'}",
        ),
    }


def micro(columns, kind: str) -> float:
    """F1 of all classes' counts together; NaN of none."""
    hits, both = _sums(columns, kind)
    return float(2 * hits.sum() / both.sum()) if both.sum() else float("nan")


def macro(columns, kind: str) -> float:
    """Mean F1 over the classes that the clips have; NaN of none."""
    values = f1(columns, kind)[columns[f"{kind}_reference"].sum(axis=0) > 0]
    return float(values.mean()) if len(values) else float("nan")


def f1(columns, kind: str) -> np.ndarray:
    """Of each class; NaN of one that neither plays nor was found."""
    hits, both = _sums(columns, kind)
    return np.where(both > 0, 2 * hits / np.maximum(both, 1), np.nan)


def _sums(columns, kind: str) -> tuple[np.ndarray, np.ndarray]:
    both = columns[f"{kind}_reference"] + columns[f"{kind}_estimate"]
    return columns[f"{kind}_hits"].sum(axis=0), both.sum(axis=0)


def _columns(data, answer):
    """`answer` gets the data and a clip, and gives, `(units, classes)` each: probabilities, decisions, what is in events."""
    clips, counted, histograms = data.of("test"), {}, []
    for clip in clips.itertuples():
        truth = data.active(clip)
        p, said, in_events = answer(data, clip)
        of_clip = {"unit": np.stack([(truth & said).sum(axis=0), truth.sum(axis=0), said.sum(axis=0)])}
        if data.level == "frame":
            reference, estimate = data.own(clip), activity.from_frames(in_events, data.classes, data.hop_s)
            seconds = activity.from_frames(said, data.classes, data.hop_s)
            of_clip["segment"] = _counts(data, activity.segments(reference, seconds, clip.duration_s))
            of_clip["event"] = _counts(data, activity.events(reference, estimate))
        for kind, each in of_clip.items():
            counted.setdefault(kind, []).append(each)
        histograms.append(precision.histogram(truth, p))
    columns = {"unit": clips["clip_id"].to_numpy(str), "group": clips["group"].to_numpy(str)}
    for kind, each in counted.items():
        for place, name in enumerate(COUNTS):
            columns[f"{kind}_{name}"] = np.stack(each)[:, place].astype(np.int64)
    for name, each in zip(("positives", "negatives"), zip(*histograms, strict=True), strict=True):
        columns[name] = np.stack(each).reshape(len(clips), -1)
    return columns


def _counts(data, found: dict[str, activity.Counts]) -> np.ndarray:
    """`(3, classes)`."""
    return np.array([found.get(name, activity.Counts()) for name in data.classes]).T


def _rounded(value) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
