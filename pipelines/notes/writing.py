"""The bytes of a piece in the format that a file's name asks for."""

from pathlib import Path

from pipelines.notes.tables import Piece

FORMATS = {".mid": "MIDI", ".midi": "MIDI", ".abc": "ABC", ".musicxml": "MusicXML", ".xml": "MusicXML"}


def content(piece: Piece, path: Path, title: str = "") -> bytes:
    """What to write to `path`. Raises `ValueError` for another ending, and for notes that the notation has no place for."""
    match FORMATS.get(path.suffix.lower()):
        case "MIDI":
            from pipelines.notes.midi import write

            return write.write(piece)[0]
        case "ABC":
            from pipelines.notes.abc import write

            return write.write(piece, title)
        case "MusicXML":
            from pipelines.notes import musicxml

            return musicxml.write(piece, title)
    raise ValueError(f"{path}: notes are written as {', '.join(FORMATS)}: give the file one of these endings")
