"""Some test clips on a timeline: what plays, what the model says, and the notes."""

import numpy as np

from pipelines.core import events as time_events
from pipelines.core import paths
from pipelines.core.tables import read_table
from pipelines.metrics import activity

LONGEST_S = 20.0
"""Of a clip: what follows is not shown."""


def examples(run, data, served, columns) -> list[dict]:
    """The clips with the lowest, the median and the highest F1 of units: `clip_id`, `title`, `f1`, `length_s`, `truth` and
    `found` (class -> spans in s); `notes` `[stem, pitch, onset, length]` where the dataset has events of the target `note`."""
    both = (columns["unit_reference"] + columns["unit_estimate"]).sum(axis=1)
    f1 = 2 * columns["unit_hits"].sum(axis=1) / np.maximum(both, 1)
    order = np.argsort(f1, kind="stable")
    chosen = dict.fromkeys(order[[0, len(order) // 2, -1]].tolist())
    clips, notes = list(data.of("test").itertuples()), _notes(run)
    return [_one(data, served, clips[row], float(f1[row]), notes) for row in chosen]


def _one(data, served, clip, f1, notes):
    length_s = min(LONGEST_S, float(clip.duration_s))
    said = served.active(served.probabilities(data, clip))
    unit_s = data.unit_s if data.vectors is None else float(clip.duration_s)
    found = activity.from_frames(said, data.classes, unit_s)
    own = notes[(notes["clip_id"] == clip.clip_id) & (notes["onset_s"] < length_s)]
    return {
        "clip_id": clip.clip_id,
        "title": clip.title,
        "f1": round(f1, 4),
        "length_s": length_s,
        "truth": _spans(data.own(clip), data.classes, length_s),
        "found": _spans(found, data.classes, length_s),
        "notes": [
            [note.label, int(note.value), round(note.onset_s, 3), round(min(note.offset_s, length_s) - note.onset_s, 3)]
            for note in own.itertuples()
        ],
    }


def _spans(table, classes, length_s):
    table = time_events.crop(table, 0.0, length_s)
    return {
        name: table.loc[table["label"] == name, ["onset_s", "offset_s"]].round(3).to_numpy().tolist()
        for name in classes
    }


def _notes(run):
    table = read_table(paths.events(run.dataset), time_events.EVENTS)
    return table[(table["target"] == "note") & table["value"].notna()]
