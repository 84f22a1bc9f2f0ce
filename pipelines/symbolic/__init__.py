"""Music as symbols: reading scores, what a score says about itself, which scores are the same piece, and sounding them.

What belongs here takes notes and gives notes, labels or sound. Nothing here knows of clips on disk, manifests or
splits (`datasets/`), nor learns anything (`models/`).

    corpus.py      the scores that music21 carries: what there is, and how a piece is parsed
    score.py       a music21 score as two arrays, notes and bars
    selection.py   which pieces become clips
    excerpt.py     30 s of a piece: where it starts, how fast it goes, which notes sound when
    labels.py      what notes and bars say: texture, metre, mode, tempo band
    similarity.py  which pieces are the same music in another key, hand or book
    instruments.py families of General MIDI programs, and who plays what
    soundfonts.py  which SoundFont sounds, and what it says of its licence
    render.py      notes to a mono waveform
"""
