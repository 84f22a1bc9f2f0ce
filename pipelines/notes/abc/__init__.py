"""ABC tunes to the tables of a piece: `tunes.py` splits a book, `fields.py` reads fields, `body.py` music, `read.py` both."""
