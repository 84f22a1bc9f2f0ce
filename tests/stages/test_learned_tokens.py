"""The stage `symbols` of a representation that learns: from training pieces alone, and kept beside the values."""

import json
from pathlib import Path

import needs
import numpy as np
import pytest

from pipelines.core import paths, shards
from pipelines.core.manifest import PIECES
from pipelines.core.tables import read_table
from pipelines.corpora import folder
from pipelines.notes.midi.write import write
from pipelines.notes.representations import tokens
from pipelines.report import voices
from pipelines.stages import notes, symbols


@pytest.fixture
def corpus(in_tmp):
    """Ten pieces; the split is drawn."""
    needs.package("miditok", "tokens")
    (in_tmp / "music").mkdir()
    rng = np.random.default_rng(0)
    for number in range(10):
        grid = np.repeat(60 + rng.integers(0, 5, (16, 1)), 2, axis=0).astype(np.uint8)
        Path(f"music/{number}.mid").write_bytes(write(voices.piece_of(grid))[0])
    entry = {"module": "folder", "path": "music", "fingerprint": folder.fingerprint(folder.scan(Path("music")))}
    settings = {"corpora": {"made": entry}, "executor": {}, "max_quarantined": {"default": 0}}
    settings["symbols"] = {"tokens": {"scheme": "tsd", "bpe": 9}}
    return settings


def written(settings):
    Path("params.yaml").write_text(json.dumps(settings))
    notes.main("made")
    symbols.main("made", "tokens")
    return paths.features("made", "tokens")


def test_tokens_are_learned_from_training_pieces(corpus):
    corpus["corpora"]["made"] |= {"split": {"train": 0.6, "validation": 0.2, "test": 0.2}, "seed": 1}
    place = written(corpus)
    manifest = read_table(paths.manifest("made"), PIECES)
    found = {clip_id: rows for clip_id, _, rows in symbols.pieces("made")}
    training = [found[clip_id] for clip_id in manifest["clip_id"][manifest["split"] == "train"]]
    learned = (place / "learned.json").read_text()
    assert len(training) == 6 and learned == tokens.learn(training, scheme="tsd", bpe=9)
    figures = json.loads(Path("data/records/symbols/made-tokens.json").read_text())["figures"]
    assert (figures["training pieces it learned from"], figures["notes lost"], figures["notes moved"]) == (6, 0, 0)
    first = manifest["clip_id"][0]
    values = shards.open_shards(place)[0][: len(tokens.compute(found[first], 8.0, scheme="tsd", learned=learned))]
    back = tokens.notes(np.asarray(values), **symbols.with_learned(corpus["symbols"]["tokens"], place))
    assert back["pitch"].tolist() == found[first]["pitch"].tolist()


def test_a_corpus_without_training_pieces_teaches_nothing(corpus):
    with pytest.raises(SystemExit, match="symbols made: tokens: bpe: no training piece has notes"):
        written(corpus)
