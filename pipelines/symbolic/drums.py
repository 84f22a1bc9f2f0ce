"""Drums to play along with a piece: the kits of General MIDI 2 and patterns of a bar, written for this project.

A pattern has a line for each drum (General MIDI's key), and in it a character for each quarter of a beat: `X` loud, `x` normal,
`.` nothing. Every pattern has a hit on each half beat, and a hit counts as held for half a beat: while drums play, they are
active without a gap.
"""

import numpy as np

from pipelines.symbolic import excerpt

KITS = (0, 8, 16, 24, 25, 32, 40, 48)
"""Standard, room, power, electronic, TR-808, jazz, brush, orchestra: bank 128 of TimGM6mb.sf2 and FluidR3Mono_GM.sf3 has them."""
VOICE = 4
"""Of the drums beside the four voices of a chorale."""
STEPS = 4
"""Of a beat."""
KICK, RIM, SNARE, CLOSED, PEDAL, OPEN, RIDE, TOM = 36, 37, 38, 42, 44, 46, 51, 45
PATTERNS = {
    3: (
        {KICK: "X...........", SNARE: "....x...x...", CLOSED: "X.x.x.x.x.x."},
        {KICK: "X.....x.....", RIM: "....x...x...", RIDE: "X.x.X.x.X.x."},
        {KICK: "X.......x...", TOM: "......x...x.", CLOSED: "x.x.x.x.x.x."},
    ),
    4: (
        {KICK: "X.......X.......", SNARE: "....X.......X...", CLOSED: "X.x.X.x.X.x.X.x."},
        {KICK: "X.....x.X.......", SNARE: "....X.......X..x", CLOSED: "xxxxxxxxxxxxxxxx"},
        {KICK: "X...X...X...X...", SNARE: "....X.......X...", CLOSED: "x...x...x...x...", OPEN: "..x...x...x...x."},
        {KICK: "X..x..x.X..x..x.", RIM: "...x..x...x..x..", CLOSED: "x.x.x.x.x.x.x.x."},
        {KICK: "X.........x.....", PEDAL: "....x.......x...", RIDE: "X.x.X.xxX.x.X.xx"},
        {KICK: "X.......x.......", SNARE: "........X.......", TOM: "............x.x.", RIDE: "x.x.x.x.x.x.x.x."},
    ),
}
"""Beats of a bar -> its patterns."""


def play(beats: int, beat_s: float, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Hits from 0 to `duration_s` by a drawn kit and pattern: `excerpt.SOUND` with `program` (the kit) and `velocity`.

    beats: of a bar; bars of six and nine are played as those of three, others as those of four.
    """
    kit, bars = int(rng.choice(KITS)), PATTERNS[3 if beats % 3 == 0 else 4]
    pattern, step_s = bars[int(rng.integers(len(bars)))], beat_s / STEPS
    rows = []
    for key, line in pattern.items():
        for step in range(int(np.ceil(duration_s / step_s))):
            if (hit := line[step % len(line)]) != ".":
                rows.append((step * step_s, STEPS / 2 * step_s, key, VOICE, kit, 110 if hit == "X" else 85))
    found = np.array(rows, [*excerpt.SOUND.descr, ("program", "i4"), ("velocity", "i4")])
    found["velocity"] += rng.integers(-8, 9, len(found))
    found["duration_s"] = np.minimum(found["duration_s"], duration_s - found["onset_s"])
    return np.sort(found[found["duration_s"] >= excerpt.MIN_NOTE_S], order=["onset_s", "pitch"])
