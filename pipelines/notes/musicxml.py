"""A piece as MusicXML, written by music21: a part for each track, bars by the metres, notes tied over bar lines.

Velocity, channels and programs are not written. Equal pieces give equal bytes: music21's date, random identifiers and its name
as composer are left out.
"""

import re

from pipelines.notes.lines import lines
from pipelines.notes.tables import Piece

FINEST = 96  # parts of a quarter: triplets of 64ths, and 128ths
ADDED = re.compile(rb"\s*<(?:encoding-date>[^<]*</encoding-date|creator[^>]*>Music21</creator)>")
RANDOM = re.compile(rb'"([IP][0-9a-f]{20,40})"')


def write(piece: Piece, title: str = "") -> bytes:
    """The file. Raises `ValueError` as `notes.lines.lines` does."""
    parts = lines(piece, FINEST)  # before music21, which takes seconds to import
    from music21 import chord, key, metadata, meter, musicxml, note, stream, tempo

    score = stream.Score()
    score.metadata = metadata.Metadata(title=title or "Piece")
    for number, line in enumerate(parts, start=1):
        part = stream.Part(id=f"P{number}")
        part.partName = f"Voice {number}"
        for row in piece.metres:
            part.insert(float(row["onset"]), meter.TimeSignature(f"{row['numerator']}/{row['denominator']}"))
        if not len(piece.metres) or piece.metres["onset"][0] > 0:
            part.insert(0, meter.TimeSignature("4/4"))
        for row in piece.keys:
            part.insert(float(row["onset"]), key.KeySignature(int(row["fifths"])).asKey(str(row["mode"])))
        for row in piece.tempos if number == 1 else []:
            part.insert(float(row["onset"]), tempo.MetronomeMark(number=round(60e6 / row["quarter_us"], 3)))
        for one in line:
            made = (
                note.Rest()
                if not one.pitches
                else note.Note(one.pitches[0])
                if len(one.pitches) == 1
                else chord.Chord(one.pitches)
            )
            made.quarterLength = one.duration
            part.insert(one.onset, made)
        score.insert(0, part)
    text = ADDED.sub(b"", musicxml.m21ToXml.GeneralObjectExporter(score).parse())
    known = {
        name: b'"' + name[:1] + str(n).encode() + b'"' for n, name in enumerate(dict.fromkeys(RANDOM.findall(text)), 1)
    }
    return RANDOM.sub(lambda found: known[found[1]], text)
