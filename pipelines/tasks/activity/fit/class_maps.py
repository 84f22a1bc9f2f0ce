"""Classes of instruments: which class the events of a General MIDI program are (events of the target `program`, whose labels are
"0" to "127", and "drums").

course9: the nine classes of a course's homework on Slakh (Deep Learning for Music Analysis and Generation, National Taiwan
    University), as its file idx2instrument_class.json maps the programs (a copy: github.com/tzamou/DeepMIR-hw, hw1). There the
    class of programs 109 and 111 is spelt otherwise than in the list of classes, so that they have none; here they are `wind`.
slakh13: drums, and the first twelve groups of General MIDI, which Slakh2100's metadata.yaml calls `inst_class` (Manilow et al.
    2019); `ensemble` is "Strings (continued)" there. Programs from 96 on (effects, ethnic, percussive) have no class.
"""

import pandas as pd

from pipelines.core import events

DRUMS = "drums"
_COURSE9 = {
    "piano": (range(8), [108]),
    "percussion": (range(8, 16), range(112, 120), [DRUMS]),
    "organ": (range(16, 24),),
    "guitar": (range(24, 32),),
    "bass": (range(32, 40),),
    "strings": (range(40, 52), [55], range(104, 108), [110]),
    "voice": (range(52, 55),),
    "wind": (range(56, 80), [109, 111]),
    "synth": (range(80, 104), range(120, 128)),
}
_GROUPS = (
    "piano", "chromatic percussion", "organ", "guitar", "bass", "strings", "ensemble", "brass", "reed", "pipe", "synth lead",
    "synth pad",
)  # fmt: skip
MAPS = {
    "course9": {str(program): name for name, parts in _COURSE9.items() for part in parts for program in part},
    "slakh13": {str(program): _GROUPS[program // 8] for program in range(8 * len(_GROUPS))} | {DRUMS: DRUMS},
}
"""Name of the map -> label of `program` -> class."""


def classes(aligned: pd.DataFrame, name: str) -> pd.DataFrame:
    """The events `aligned` (core/events.py) of programs as events of classes, which neither overlap nor touch: while a program of
    the class plays. Programs without a class are left out; "none" changes nothing.

    Raises `ValueError` for labels that are no programs.
    """
    if name == "none":
        return aligned
    if unknown := sorted(set(aligned["label"]) - {DRUMS, *map(str, range(128))}):
        raise ValueError(
            f"class_map {name} is of events of General MIDI programs (target: program), and there is the label {unknown[0]!r}"
        )
    own = aligned.assign(path=aligned["clip_id"], label=aligned["label"].map(MAPS[name])).dropna(subset="label")
    return events.activity(own, "class").rename(columns={"path": "clip_id"})
