"""Instrument families, their General MIDI programs, and the program of each voice in a clip.

Eight of the sixteen General MIDI groups: those of pitched instruments, and in each the programs of TimGM6mb.sf2 that sound every
key of the scores (35 to 97) at its pitch, measured by an FFT, and sustain as long as a hymn's notes. Left out for that reason:
alto saxophone (silent at 64), oboe (below 36), trombone (wrong at the top), accordion (its high keys an octave off), celesta and
tubular bells (inharmonic), xylophone (decays in a quarter of a second), ocarina.
"""

import numpy as np

FAMILIES = {
    "piano": (0, 4, 6),  # grand, electric, harpsichord
    "mallets": (10, 11, 12),  # music box, vibraphone, marimba
    "organ": (19, 20),  # church, reed
    "guitar": (24, 25, 26),  # nylon, steel, jazz
    "strings": (40, 42, 48),  # violin, cello, ensemble
    "brass": (56, 58, 60),  # trumpet, tuba, horn
    "reed": (66, 70, 71),  # tenor saxophone, bassoon, clarinet
    "pipe": (73, 74, 75),  # flute, recorder, pan flute
}
FURTHER = {
    "bass": (32, 33, 35),  # acoustic, finger, fretless
    "voice": (52, 53, 54),  # aahs, oohs, synth voice
    "lead": (80, 85),  # square, voice
    "pad": (88, 89, 91),  # new age, warm, choir
}
"""Families for the voices of multitracks alone. From MIDI note 36 to 84 the strongest partial of each, in TimGM6mb.sf2, is the
note's pitch or a multiple of it, and a note of 1.5 s sounds to its end."""
FAMILY = {program: family for family, programs in (FAMILIES | FURTHER).items() for program in programs}


def assign(notes: np.ndarray, first: int, second: int | None) -> np.ndarray:
    """The program of each note: `first`, but where there is a `second` that plays one voice.

    It gets the voice that sounds longest among those with less than half of all note-seconds. Where one voice sounds,
    it takes the tune over at a note after the middle. So the first program has the most note-seconds, and one or
    two programs sound, whatever the music: how many says nothing of the style.
    """
    programs = np.full(len(notes), first, dtype=np.int32)
    if second is None:
        return programs
    seconds = np.bincount(notes["voice"], weights=notes["duration_s"])
    eligible = np.flatnonzero((seconds > 0) & (seconds < 0.49 * seconds.sum()))
    if len(eligible):
        programs[notes["voice"] == eligible[seconds[eligible].argmax()]] = second
        return programs
    order = np.argsort(notes["onset_s"], kind="stable")
    played = np.cumsum(notes["duration_s"][order]) - notes["duration_s"][order]
    programs[order[played >= 0.6 * notes["duration_s"].sum()]] = second
    return programs
