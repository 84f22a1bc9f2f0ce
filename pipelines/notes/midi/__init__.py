"""MIDI files to note tables and back: `tracks.py` checks a file's bytes, mido decodes and encodes them, `read.py` pairs notes,
`write.py` writes them."""
