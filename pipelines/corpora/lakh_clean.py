"""Lakh MIDI Dataset, the clean subset: some 17,000 files as `<artist>/<title>.mid`, collected from the web (Raffel 2016).

    lakh: {module: lakh_clean, imports: pipelines/notes/midi, local: /music/clean_midi,
           split: {train: 0.8, validation: 0.1, test: 0.1}, seed: 2026}

`local` is the unpacked folder `clean_midi`. It is not downloaded: its author publishes no checksum of `clean_midi.tar.gz`.
There is no published split; `split` divides artists. **The group is the artist**, so that versions of a song (`<title>.1.mid`,
`<title>.2.mid`) and an artist's other songs stand on one side. Covers of one song by two artists may still stand on two.
Target: `artist`.

The files are anybody's transcriptions. Many are damaged: they are quarantined with the reason, and more than a hundredth of
them, so `max_quarantined` needs an entry for this corpus.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipelines import corpora
from pipelines.datasets.sources import published
from pipelines.notes.midi import read as midi
from pipelines.notes.tables import Piece

BIBTEX = """@phdthesis{raffel2016learning,
  title = {Learning-Based Methods for Comparing Sequences, with Applications to Audio-to-{MIDI} Alignment and Matching},
  author = {Colin Raffel},
  school = {Columbia University},
  year = {2016}
}"""
LICENSE_INFO = "Lakh MIDI Dataset: CC BY 4.0 (colinraffel.com/projects/lmd); the songs may be under copyright"
SUFFIXES = (".mid", ".midi")


def pieces(entry: Mapping) -> pd.DataFrame:
    """A row a file. Raises `ValueError` where `local` has none in folders of artists."""
    folder = published.given(entry["local"])
    files = [path for path in published.files_below(folder) if path.suffix.lower() in SUFFIXES]
    below = [path.relative_to(folder).parts for path in files]
    rows = [
        {
            "path": str(path),
            "title": f"{parts[-2]}, {path.stem}",
            "group": parts[-2],
            "source": f"Lakh MIDI Dataset, clean subset, {'/'.join(parts)}",
            "target_artist": parts[-2],
        }
        for path, parts in zip(files, below, strict=True)
        if len(parts) > 1
    ]
    if not rows:
        raise ValueError(
            f"{entry['local']} has no <artist>/<title>.mid: give the unpacked folder clean_midi as `local`"
        )
    return corpora.table(rows, licence=LICENSE_INFO)


def read(path: Path, content: bytes) -> Piece:
    return midi.read(content)
