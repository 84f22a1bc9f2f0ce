"""A folder of MIDI files by `conservatory add`, `list`, `run --dataset` and `remove`, and its card on the front page."""

import shutil

import pandas as pd
import pytest
from helpers import PROJECT, copy_params
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.core import params
from pipelines.ops import adding_notes, due, run
from pipelines.ops.dvc.freshness import FRESH, NEVER, State
from pipelines.ops.settings import load_params
from pipelines.report import corpora
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.stages import notes

EDGE = PROJECT / "tests/notes/edge_midi"


@pytest.fixture
def project(in_tmp):
    copy_params(in_tmp)
    shutil.copy(PROJECT / "dvc.yaml", in_tmp)
    (in_tmp / "pipelines").mkdir()
    for number, place in enumerate(("a/x.mid", "a/w/y.mid", "b/z.mid", "b/cut.mid")):
        (in_tmp / "midi" / place).parent.mkdir(parents=True, exist_ok=True)
        (in_tmp / "midi" / place).write_bytes(piece(number))
    cut = in_tmp / "midi/b/cut.mid"
    cut.write_bytes(cut.read_bytes()[:-6])
    (in_tmp / "midi/readme.txt").write_text("no music")
    return in_tmp


def piece(number):
    from pipelines.notes.midi.write import write
    from pipelines.notes.tables import KEYS, METRES, NOTES, TEMPOS, Piece, array

    rows = [{"pitch": 60 + number + n, "velocity": 80, "onset": n, "duration": 1} for n in range(4)]
    maps = array(TEMPOS, [{"quarter_us": 500_000}]), array(METRES, []), array(KEYS, [])
    return write(Piece(array(NOTES, rows), *maps, 4.0, 2.0, 480, 1))[0]


def call(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_a_folder_of_midi_files_is_added_listed_and_removed(project):
    before = (project / "params.yaml").read_text()
    status, text = call("add", project / "midi", "--name", "tunes")
    assert status == 0 and "Added tunes: 4 MIDI files, 2 labels." in text, text
    assert "1  ignored: no file of notes by its name" in text and "train 60%" in text
    entry = load_params()["corpora"]["tunes"]
    assert entry["folders"] == "label" and entry["path"] == str(project / "midi") and entry["seed"] == 2026
    assert run.refresh(say=print) == [], "the fingerprint is that of the files"
    assert "already" in call("add", project / "midi", "--name", "tunes")[1]
    assert "not read yet" in call("list")[1]
    notes.main("tunes")
    assert "3 pieces, 12 notes, 2 quarantined" in call("list")[1]
    table = pd.read_parquet("data/manifests/tunes.parquet")
    assert sorted(table["target_label"]) == ["a", "a", "b"] and (pd.read_parquet("data/events/tunes.parquet")).empty
    assert "do you mean tunes?" in call("run", "--dataset", "tune")[1]
    assert call("remove", "tunes")[0] == 0
    assert (project / "params.yaml").read_text() == before


def test_a_folder_of_tunes_and_scores_is_added(project):
    """A tune of a book is a piece, and its book its group; XML beside audio is no score."""
    shutil.copytree(PROJECT / "tests/corpora/published/groove/groove/drummer7", project / "mixed/drums")
    (project / "mixed/book.abc").write_text("X:1\nT:one\nK:C\nCDE|\n\nX:2\nT:two\nK:G\nGAB|\n")
    (project / "mixed/song.krn").write_text("**kern\n*M4/4\n=1\n1c\n==\n*-\n")
    status, text = call("add", project / "mixed", "--name", "mixed", "--folders", "group")
    assert status == 0 and "Added mixed: 3 note files, 1 group." in text, text
    notes.main("mixed")
    table = pd.read_parquet("data/manifests/mixed.parquet").set_index("title")
    assert set(table.index) == {
        "book.abc, 1: one",
        "book.abc, 2: two",
        "drums/session3/40_rock-indie_63_fill_4-4.mid",
        "song.krn",
    }
    assert table["n_notes"].tolist().count(3) == 2 and table["n_notes"]["song.krn"] == 1
    assert table["group"].tolist().count("book.abc") == 2 and table["split"].isin(["train", "validation", "test"]).all()
    (project / "sound").mkdir()
    for name in ("a.wav", "a.xml"):
        (project / "sound" / name).write_bytes(b"")
    assert not adding_notes.is_collection(project / "sound")


def test_stages_of_a_corpus_are_those_of_its_name():
    assert due.dataset_of("notes@tunes") == "tunes" and due.dataset_of("symbols@tunes-piano_roll") == "tunes"


def test_what_a_run_reads_is_not_removed(project):
    call("add", project / "midi", "--name", "tunes", "--folders", "group")
    with params.editing() as document:
        document["symbols"] = {"note_statistics": {}}
        document["runs"]["tuned"] = {
            **{"task": "classification", "dataset": "tunes", "from": "features", "reads": "note_statistics"},
            **{"model": "knn", "seeds": 1, "target": "label"},
        }
    status, text = call("remove", "tunes")
    assert status == 2 and "'tunes' is the dataset of the run tuned in params.yaml: remove them first." in text


def test_what_cannot_be_a_corpus_is_named(project):
    assert (
        "--folders is 'work', and may be label or group"
        in call("add", project / "midi", "--name", "t", "--folders", "work")[1]
    )
    shutil.copytree(project / "midi", project / "mixed")
    (project / "mixed/song.wav").write_bytes(b"RIFF")
    status, text = call("add", project / "mixed", "--name", "mixed")
    assert status == 2 and "contains 4 MIDI and 1 audio files" in text and "a folder of their own" in text
    (project / "bad").mkdir()
    (project / "bad/x.mid").write_bytes((project / "midi/b/cut.mid").read_bytes())
    status, text = call("add", project / "bad", "--name", "bad")
    assert status == 2 and "can be used: 1 x " in text and "cut short" in text


def test_its_card_has_its_counts(project):
    call("add", project / "midi", "--name", "tunes")
    notes.main("tunes")
    state = type("State", (), {"settings": load_params(), "stages": {}})
    card = corpora.cards(state, Lineage({}))[0]
    assert (card["pieces"], card["notes"], card["quarantined"], card["targets"]) == (3, 12, 2, [("label", 2)])
    assert sum(n for _, n in card["splits"]) == 3 and card["licences"] == ["the user's own"]
    html = filler(lambda value: value)("tiles.html.j2", studies=[], corpora=[card], tasks=[])
    assert "notes of 3 pieces" in html and "2 files quarantined: 1 " in html and "licence: the user" in html


def test_a_first_run_of_a_corpus_leaves_out_summaries_of_what_never_ran(project):
    """In dvc.yaml `metrics` reads data/clusters, which only stages of sound make."""
    call("add", project / "midi", "--name", "tunes")
    found = {
        "cluster@scores": State(NEVER),
        "notes@tunes": State(NEVER),
        "metrics": State(NEVER, needs=("cluster@scores",)),
        "report": State(NEVER, needs=("metrics", "notes@tunes")),
    }
    assert due.sorted_out(found, "tunes") == ([], ["notes@tunes"])
    shown = {**found, "cluster@scores": State(FRESH), "metrics": State(FRESH, needs=("cluster@scores",))}
    assert due.sorted_out(shown, "tunes") == (["metrics"], ["notes@tunes", "report"])
