"""Note tables: notes in beats and in seconds, with the tempo, metre and key maps of their piece.

A note table is to scores and MIDI what PCM shards are to sound: every representation of notes is computed from it.

    tables.py           the tables of a piece and of a corpus, and their schemas
    midi/, abc/         MIDI files, and ABC tunes, to tables and back
    scores.py           written scores (`symbolic/`) to tables
    grids.py            notes of several voices as a grid, and back
    musicxml.py         tables to MusicXML; lines.py the lines and bars of a piece for notation; writing.py the format of a file
    representations/    what models read, a file each

Not here: where pieces come from (`corpora/`), written scores and their notation (`symbolic/`). It is a package of its own because
the stage `raw` depends on the folder `symbolic/`: an edit of the MIDI reader renders no music again.
"""
