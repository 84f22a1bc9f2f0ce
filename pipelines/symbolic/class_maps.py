"""Classes of instruments for activity: which class the notes of a General MIDI program are.

course9: the nine classes of a course's homework on Slakh (Deep Learning for Music Analysis and Generation, National Taiwan
    University), as its file idx2instrument_class.json maps the programs (a copy: github.com/tzamou/DeepMIR-hw, hw1). There the
    class of programs 109 and 111 is spelt otherwise than in the list of classes, so that they have none; here they are `wind`.
slakh13: drums, and the first twelve groups of General MIDI, which Slakh2100's metadata.yaml calls `inst_class` (Manilow et al.
    2019); `ensemble` is "Strings (continued)" there. Programs from 96 on (effects, ethnic, percussive) have no class.
"""

import pandas as pd

from pipelines.core import events

DRUMS = 128
"""The program of drums, whatever the kit."""
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
    "course9": {program: name for name, parts in _COURSE9.items() for part in parts for program in part},
    "slakh13": {program: _GROUPS[program // 8] for program in range(8 * len(_GROUPS))} | {DRUMS: "drums"},
}
"""Name of the map -> program -> class."""


def activity(notes: pd.DataFrame) -> pd.DataFrame:
    """Events of a target for each map: while a note of the class is held. notes: `path`, `program` (`DRUMS` for drums),
    `onset_s`, `offset_s`; notes of programs without a class have no event."""
    found = []
    for name, classes in MAPS.items():
        own = notes.assign(label=notes["program"].map(classes)).dropna(subset="label")
        found.append(events.activity(own, name))
    return pd.concat(found, ignore_index=True)
