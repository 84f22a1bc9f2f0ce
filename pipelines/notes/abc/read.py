"""An ABC tune as a piece: a voice is a track, repeats and endings are written out, and tied notes are one.

The order of parts in the header (`P:AABA`) is followed. Where it writes a letter twice in a row, the two are what the repeat
sign of that part stands for, and are not doubled: of the tunes of the Nottingham collection that state an order, 30 of 41 with
AAB, and all with AABB, have exactly the repeat signs that the order writes out. An order without such a pair (`P:AB`) plays each
part with its repeats, as 202 of 210 such tunes mean it.

Velocity is 64, the program 0. Without `Q:` there are 120 quarters a minute. `fields.py` and `body.py` say what is read of a tune.
"""

import math
import re
from collections import Counter
from fractions import Fraction
from itertools import groupby, pairwise

import numpy as np

from pipelines.notes.abc import body, fields
from pipelines.notes.abc.body import Voice, Written
from pipelines.notes.scores import CHANNELS, VELOCITY
from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, Unreadable, array
from pipelines.symbolic import jumps
from pipelines.symbolic.score import MAX_BARS, Bar, Music, as_played, playing_order

DEFAULT_US = 500_000  # of a quarter
MAX_CHARACTERS = 100_000  # of a tune; long ones have 5,000
MAX_VOICES = 64
MAX_DIVISION = 32_767  # of a MIDI file
MAX_QUARTERS = 200_000  # as of a MIDI file
COMMENT = re.compile(r"(?<!\\)%.*")
INLINE = re.compile(r"\[([A-Za-z]):([^\]\n]{0,500})\]")
ONLY_PROPERTIES = re.compile(r"(?:clef|middle|octave|stafflines|transpose)=")
"""Of a `K:` inside a tune that leaves the key as it is."""
FIELDS_OF_BODY = "IKLMNPQRTUVWXmrsw+"
"""Letters of fields inside a tune; the others are notes (`A:|`)."""


def read(text: str) -> Piece:
    """The piece of the text of one tune, from its `X:` on. Raises `Unreadable`."""
    if len(text) > MAX_CHARACTERS:
        raise Unreadable(f"a tune of {len(text):,} characters: at most {MAX_CHARACTERS:,} are read")
    remarks: Counter = Counter()
    order, voices = _voices(text, remarks)
    voices = [voice for voice in voices if voice]
    if not voices:
        raise Unreadable("a tune without notes")
    if len({len(voice) for voice in voices}) > 1:
        raise Unreadable(f"its voices have {' and '.join(str(len(voice)) for voice in voices)} bars")
    voices = in_order(fields.parts(order), voices)
    bars = jumps.together([[written.bar for written in voice] for voice in voices])
    try:
        music = as_played(bars)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if music.unfollowed:
        remarks[jumps.UNFOLLOWED] += 1
    if music.length > MAX_QUARTERS:
        raise Unreadable(f"it lasts {music.length:,.0f} quarters: at most {MAX_QUARTERS:,} are read")
    return _piece(music, [voices[0][n] for n in playing_order(bars[0])], _division(bars), remarks)


def in_order(letters: str, voices: list[list[Written]]) -> list[list[Written]]:
    """The bars of all voices in the order of the parts that `letters` names, without repeat signs; as they are where it names
    none, or one that the tune does not have."""
    first = [written.part for written in voices[0]]
    sections = {part: [n for n, each in enumerate(first) if each == part] for part in dict.fromkeys(first)}
    if not letters or not set(letters) <= set(sections):
        return voices
    doubled = any(a == b for a, b in pairwise(letters))
    order = list(sections.get("", []))
    for letter, run in groupby(letters):
        places = sections[letter]
        played = [places[n] for n in playing_order([voices[0][n].bar for n in places])]
        starts = [n for n, place in enumerate(played) if place == places[0]]
        times = sum(1 for _ in run)
        if doubled:
            whole, rest = divmod(times, len(starts))
            order += whole * played + rest * played[starts[-1] :]
        else:
            order += times * played
        if len(order) > MAX_BARS:
            raise Unreadable(f"more than {MAX_BARS:,} bars once its parts are written out")
    return [[_plain(voice[n]) for n in order] for voice in voices]


def _plain(written: Written) -> Written:
    plain = written.bar._replace(opens=False, closes=False, endings=frozenset(), marks=frozenset())
    return written._replace(bar=plain)


def _voices(text: str, remarks: Counter) -> tuple[str, list[list[Written]]]:
    """(the order of parts in the header, the written bars of each voice)."""
    lines = [COMMENT.sub("", line) for line in text.splitlines()]
    end = next((n for n, line in enumerate(lines) if line.startswith("K:")), None)
    if end is None:
        raise Unreadable("no key: the field K: ends the header of a tune")
    header: dict[str, list[str]] = {}
    for line in lines[: end + 1]:
        if found := re.match(r"([A-Za-z]):[ \t]*(.*)", line):
            header.setdefault(found[1], []).append(found[2].strip())
    beats = fields.metre(header.get("M", [""])[-1])
    unit = fields.unit(header["L"][-1]) if "L" in header else fields.default_unit(beats)
    key = header["K"][-1]
    moved = fields.transposition(key)
    tempo = fields.tempo(header["Q"][-1], unit) if "Q" in header else None
    names = [name.partition(" ")[0] for name in header.get("V", [])]
    voices: dict[str, Voice] = {}

    def voice(name: str) -> Voice:
        if name not in voices:
            if len(voices) >= MAX_VOICES:
                raise Unreadable(f"more than {MAX_VOICES} voices")
            said = next((line for line in header.get("V", []) if line.partition(" ")[0] == name), "")
            voices[name] = Voice(
                unit, beats, fields.key(key), tempo, moved | fields.transposition(said.partition(" ")[2])
            )
        return voices[name]

    for name in names:
        voice(name)
    now = voice(names[0] if names else "")
    for line in lines[end + 1 :]:
        if line[1:2] == ":" and line[0] in FIELDS_OF_BODY:
            now = _apply(now, line[0], line[2:].strip(), voice)
            continue
        place = 0
        for found in INLINE.finditer(line):
            body.read(now, line[place : found.start()], remarks)
            now, place = _apply(now, found[1], found[2].strip(), voice), found.end()
        body.read(now, line[place:], remarks)
    for each in voices.values():
        body.end_bar(each)
    return header.get("P", [""])[-1], [each.bars for each in voices.values()]


def _apply(now: Voice, name: str, value: str, voice) -> Voice:
    """What a field inside a tune changes; the voice that is read from here on."""
    if name == "V":
        name, _, said = value.partition(" ")
        now = voice(name)
        now.moved |= fields.transposition(said)
    elif name == "K":
        if not ONLY_PROPERTIES.match(value):
            body.change(now, fields.key(value))
        now.moved |= fields.transposition(value)
    elif name == "M":
        now.beats, now.new_metre = fields.metre(value), True
    elif name == "L":
        now.unit = fields.unit(value)
    elif name == "Q" and (tempo := fields.tempo(value, now.unit)):
        body.change(now, tempo)
    elif name == "P":
        body.end_bar(now)
        now.part, now.opens = value[:1], True
    return now


def _division(parts: list[list[Bar]]) -> int:
    """Ticks a quarter with which all notes begin and end on a tick."""
    times = {time.denominator for bars in parts for bar in bars for note in bar.notes for time in note[:2]}
    times |= {bar.length.denominator for bars in parts for bar in bars}
    if (found := math.lcm(*times)) > MAX_DIVISION:
        raise Unreadable(f"its lengths need {found:,} ticks a quarter: MIDI has at most {MAX_DIVISION:,}")
    return found


def _piece(music: Music, played: list[Written], division: int, remarks: Counter) -> Piece:
    """The tables of what is played; `played`: a bar of the first voice for each of `music.bars`."""
    keys, tempos = _changes(played, music.bars["onset"])
    starts, lengths = np.array([(0.0, DEFAULT_US), *tempos]).T
    passed = np.concatenate([[0.0], np.cumsum(np.diff(starts) * lengths[:-1])])

    def seconds(quarters):
        at = np.searchsorted(starts, quarters, side="right") - 1
        return (passed[at] + (quarters - starts[at]) * lengths[at]) / 1e6

    found = music.notes
    notes = np.zeros(len(found), array(NOTES, []).dtype)
    for name, values in {"onset": found["onset"], "duration": found["duration"], "pitch": found["pitch"]}.items():
        notes[name] = values
    notes["onset_s"] = seconds(notes["onset"])
    notes["duration_s"] = seconds(notes["onset"] + notes["duration"]) - notes["onset_s"]
    notes["track"], notes["velocity"] = found["voice"], VELOCITY
    notes["channel"] = np.take(CHANNELS, found["voice"] % len(CHANNELS))
    metres, last = [], None
    for bar in music.bars if played[0].bar.metre else []:
        if (new := (int(bar["numerator"]), int(bar["denominator"]))) != last:
            metres.append(_at(bar["onset"], seconds) | dict(zip(("numerator", "denominator"), new, strict=True)))
            last = new
    return Piece(
        notes=notes[np.lexsort([notes["pitch"], notes["track"], notes["onset"]])],
        tempos=array(TEMPOS, [_at(onset, seconds) | {"quarter_us": us} for onset, us in tempos]),
        metres=array(METRES, metres),
        keys=array(KEYS, [_at(onset, seconds) | {"fifths": key.fifths, "mode": key.mode} for onset, key in keys]),
        length=music.length,
        length_s=float(seconds(music.length)),
        division=division,
        n_tracks=int(found["voice"].max()) + 1,
        remarks=dict(sorted(remarks.items())),
    )


def _at(onset: float, seconds) -> dict:
    return {"onset": float(onset), "onset_s": float(seconds(onset))}


def _changes(played: list[Written], onsets: np.ndarray) -> tuple[list[tuple], list[tuple]]:
    """((onset, key), ...) and ((onset, microseconds a quarter), ...), each where it is another than before."""
    found: dict[type, list[tuple]] = {fields.Key: [], int: []}
    for written, onset in zip(played, onsets.tolist(), strict=True):
        for offset, value in ((Fraction(0), written.key), (Fraction(0), written.tempo), *written.marks):
            rows = found.get(type(value), [])
            if value is not None and (not rows or rows[-1][1] != value):
                rows.append((onset + float(offset), value))
    return [row for row in found[fields.Key] if row[1].mode], found[int]
