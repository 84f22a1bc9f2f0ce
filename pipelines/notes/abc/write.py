"""A piece as an ABC tune: a voice for each track, bars by the metres, notes tied over bar lines.

Reading the tune gives the same notes, metres, keys and first tempo. A triplet has a length such as 4/3. Velocity, program,
channels, and tempos after the first are not written. Source: The abc music standard 2.1.
"""

from fractions import Fraction

from pipelines.notes.abc import fields
from pipelines.notes.abc.body import STEPS
from pipelines.notes.lines import Chord, bars, lines
from pipelines.notes.tables import Piece

FINEST = 96  # parts of a quarter: triplets of 64ths, and 128ths
UNIT = Fraction(1, 4)  # quarters: L:1/16
SIGNS = {value: sign for sign, value in fields.ALTER.items()}
# of major keys from -7 sharps on, and after them of minor keys
TONICS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#")
BARS_A_LINE = 4


def write(piece: Piece, title: str = "") -> bytes:
    """The tune. Raises `ValueError` as `notes.lines.lines` does."""
    parts, measures = lines(piece, FINEST), bars(piece)
    key = piece.keys[0] if len(piece.keys) and piece.keys["onset"][0] == 0 else None
    name = key_name(int(key["fifths"]), str(key["mode"])) if key is not None else "none"
    head = ["X:1", f"T:{' '.join(title.split())}", f"M:{measures[0][2]}/{measures[0][3]}", "L:1/16"]
    if len(piece.tempos) and piece.tempos["onset"][0] == 0:
        head.append(f"Q:1/4={60e6 / piece.tempos['quarter_us'][0]:.3f}".rstrip("0").rstrip("."))
    changes = {
        Fraction(row["onset"]).limit_denominator(960): key_name(int(row["fifths"]), str(row["mode"]))
        for row in piece.keys
        if row["onset"] > 0
    }
    body = []
    for number, line in enumerate(parts, start=1):
        body += [f"V:{number}", *_voice(line, measures, name, changes)]
    return "\n".join([*head, f"K:{name}", *body, ""]).encode()


def key_name(fifths: int, mode: str) -> str:
    """What `K:` calls a signature."""
    return f"{TONICS[fifths + 10]}m" if mode == "minor" else TONICS[fifths + 7]


def _voice(line: list[Chord], measures: list[tuple], name: str, changes: dict[Fraction, str]) -> list[str]:
    """The lines of text of a voice."""
    written, metre, key = [], measures[0][2:], fields.key(name)
    waiting = list(reversed(line))
    for _, end, *new in measures:
        bar = "" if tuple(new) == tuple(metre) else f"[M:{new[0]}/{new[1]}]"
        metre, altered = new, {}
        while waiting and waiting[-1].onset < end:
            chord = waiting.pop()
            if chord.onset in changes:
                bar += f"[K:{changes[chord.onset]}]"
                key = fields.key(changes[chord.onset])
            if chord.onset + chord.duration > end:
                waiting.append(Chord(end, chord.onset + chord.duration - end, chord.pitches))
                chord = chord._replace(duration=end - chord.onset)
                bar += _chord(chord, key, altered, tied=True)
            else:
                bar += _chord(chord, key, altered, tied=False)
        written.append(bar)
    return ["|".join(written[n : n + BARS_A_LINE]) + "|" for n in range(0, len(written), BARS_A_LINE)]


def _chord(chord: Chord, key: fields.Key, altered: dict[str, int], tied: bool) -> str:
    length = _length(chord.duration)
    if not chord.pitches:
        return f"z{length} "
    names = [_pitch(pitch, key, altered) for pitch in chord.pitches]
    tie = "-" if tied else ""
    if len(names) == 1:
        return f"{names[0]}{length}{tie} "
    return f"[{''.join(name + tie for name in names)}]{length} "


def _pitch(pitch: int, key: fields.Key, altered: dict[str, int]) -> str:
    """A note's accidental, letter and octave. An accidental is written where the bar or the key says something else."""
    ways = [(letter, (pitch - step + 6) % 12 - 6) for letter, step in STEPS.items()]
    ways = [(letter, alter) for letter, alter in ways if -1 <= alter <= 1]
    flat = key.fifths < 0
    letter, alter = min(
        ways, key=lambda way: (way[1] != key.alters.get(way[0], 0), abs(way[1]), (way[1] > 0) == flat, way[0])
    )
    sign = "" if altered.get(letter, key.alters.get(letter, 0)) == alter else SIGNS[alter]
    if sign:
        altered[letter] = alter
    octave = (pitch - alter - STEPS[letter]) // 12
    name = letter.lower() + "'" * (octave - 6) if octave >= 6 else letter + "," * (5 - octave)
    return sign + name


def _length(duration: Fraction) -> str:
    units = duration / UNIT
    top = "" if units.numerator == 1 else str(units.numerator)
    return top if units.denominator == 1 else f"{top}/{units.denominator}"
