"""Music as symbols: reading scores, what a score says about itself, which scores are the same piece, and sounding them.

What belongs here takes notes and gives notes, labels or sound. Nothing here knows of clips on disk, manifests or
splits (`datasets/`), nor learns anything (`models/`).

    corpus.py      the scores that music21 carries: what there is, and who reads a piece
    musicxml.py    MusicXML to written bars; musicxml_measure.py one measure of it
    humdrum.py     Humdrum to written bars
    music21_score.py  music21's scores, and ABC, to written bars
    score.py       written bars to two arrays, notes and bars as they are played
    selection.py   which pieces become clips
    excerpt.py     30 s of a piece: where it starts, how fast it goes, which notes sound when
    labels.py      what notes and bars say: texture, metre, mode, tempo band
    similarity.py  which pieces are the same music in another key, hand or book
    instruments.py families of General MIDI programs, and who plays what
    soundfonts.py  which SoundFont sounds, and what it says of its licence
    render.py      notes to a mono waveform
"""
