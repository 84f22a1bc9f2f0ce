"""Symbolic music: read scores, derive labels, find scores of the same piece, and render sound.

Functions take notes and return notes, labels or sound. Clips on disk, manifests and splits are in `datasets/`, learning is in
`models/`.

    corpus.py      the scores inside music21: list them, and choose the reader of a piece
    musicxml.py    MusicXML to written bars; musicxml_measure.py one measure of it
    humdrum.py     Humdrum to written bars
    music21_score.py  music21's scores, and ABC, to written bars
    score.py       written bars to two arrays, notes and bars in the order of performance
    jumps.py       da capo and dal segno
    selection.py   choose the pieces that become clips
    excerpt.py     30 s of a piece: start, tempo, and times of notes
    labels.py      labels from notes and bars: texture, metre, mode, tempo band
    similarity.py  find pieces that are the same music in another key, arrangement or book
    instruments.py families of General MIDI programs, and the program of each voice
    soundfonts.py  choose the SoundFont, and read its licence
    render.py      notes to a mono waveform
"""
