"""`conservatory generate`: the piece of a seed, primers, infilling, and files and names that are none."""

import numpy as np
import pytest
import soundfile
import yaml
from typer.testing import CliRunner

from pipelines import generating, tasks
from pipelines.cli import app
from pipelines.core.files import write_json
from pipelines.notes.midi import read, write
from pipelines.notes.representations import satb_grid
from pipelines.report import voices
from pipelines.tasks.sequences.fit import model_file, sampling
from pipelines.tasks.sequences.models import kneser_ney

OPTIONS = {"n": 9, "transpose": 0, "context": "all"}


@pytest.fixture
def fitted(in_tmp):
    """A run `bach` whose training piece alternates two chords a quarter long."""
    chords = np.repeat(np.array([[72, 65, 57, 48], [74, 67, 59, 50]], np.uint8), 4, axis=0)
    folder = in_tmp / "models/runs/bach/2026"
    folder.mkdir(parents=True)
    model_file.save(folder, "kneser_ney", 4, OPTIONS, *kneser_ney.fit([np.tile(chords, (12, 1))], [], OPTIONS, 0))
    entry = {
        "task": "sequences",
        "dataset": "corpus",
        "from": "features",
        "reads": "satb_grid",
        "model": "kneser_ney",
        "seeds": 1,
    }
    settings = {"runs": {"bach": entry | OPTIONS}, "tasks": {"sequences": {"n_bootstrap": 10, "seed": 2026}}}
    (in_tmp / "params.yaml").write_text(yaml.safe_dump(settings))
    write_json("models/runs/bach/config.json", tasks.identity(tasks.run(settings, "bach")))
    return chords


def invoke(*arguments):
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def grid_of(path):
    piece = read.read(path.read_bytes())
    return satb_grid.compute(piece.notes, piece.length)[:, :4]


def test_midi_and_sound(fitted, in_tmp):
    done = invoke("bach", "-o", "a.mid", "--bars", 2, "--seed", 3, "--wav", "a.wav", "--tempo", 120)
    assert done.exit_code == 0 and "a.mid: 2 bars" in done.output, done.output
    made = generating.make(in_tmp / "models/runs/bach/2026", 2, 3, (1.0, 0, 1.0))
    assert made.shape == (32, 4) and (grid_of(in_tmp / "a.mid") == made).all()
    sound, rate = soundfile.read("a.wav")
    assert rate == 44_100 and len(sound) == round((4 + generating.TAIL_S) * rate) and np.abs(sound).max() > 0.01
    invoke(in_tmp / "models/runs/bach/2026", "-o", "b.mid", "--bars", 2, "--seed", 3, "--tempo", 120)
    assert (in_tmp / "a.mid").read_bytes() == (in_tmp / "b.mid").read_bytes()
    assert invoke("bach", "-o", "c.mid", "--bars", 2, "--seed", 4).exit_code == 0
    assert (grid_of(in_tmp / "c.mid") != made).any()


@pytest.mark.parametrize("suffix", [".musicxml", ".abc"])
def test_notation(fitted, in_tmp, suffix):
    """The file holds the notes of the MIDI file of that seed, and can be a primer."""
    assert invoke("bach", "-o", "a.mid", "--bars", 2, "--seed", 3).exit_code == 0
    done = invoke("bach", "-o", f"a{suffix}", "--bars", 2, "--seed", 3)
    assert done.exit_code == 0, done.output
    assert invoke("bach", "-o", "b.mid", "--bars", 3, "--primer", f"a{suffix}").exit_code == 0
    assert (grid_of(in_tmp / "b.mid")[:32] == grid_of(in_tmp / "a.mid")).all()
    assert "notes are written as .mid" in invoke("bach", "-o", "a.pdf", "--bars", 2).output


def test_a_primer_is_continued_and_a_voice_or_bars_are_filled_in(fitted, in_tmp):
    music = np.tile(fitted, (4, 1))  # two bars
    (in_tmp / "given.mid").write_bytes(write.write(voices.piece_of(music))[0])
    assert invoke("bach", "-o", "on.mid", "--bars", 3, "--primer", "given.mid", "--top-k", 1).exit_code == 0
    assert len(grid_of(in_tmp / "on.mid")) == 48 and (grid_of(in_tmp / "on.mid")[:32] == music).all()
    done = invoke("bach", "-o", "bass.mid", "--primer", "given.mid", "--infill", "bass")
    made = grid_of(in_tmp / "bass.mid")
    assert done.exit_code == 0 and (made[:, :3] == music[:, :3]).all() and (made[:, 3] == music[:, 3]).mean() > 0.9
    assert invoke("bach", "-o", "bars.mid", "--primer", "given.mid", "--infill", "2-2").exit_code == 0
    assert (grid_of(in_tmp / "bars.mid")[:16] == music[:16]).all()


def test_a_model_of_one_voice_writes_a_melody(fitted, in_tmp):
    tune = np.tile(np.repeat(np.array([[72], [74]], np.uint8), 4, axis=0), (12, 1))
    folder = in_tmp / "models/runs/bach/2026"
    model_file.save(folder, "kneser_ney", 1, OPTIONS, *kneser_ney.fit([tune], [], OPTIONS, 0))
    (in_tmp / "given.mid").write_bytes(write.write(voices.piece_of(tune[:32]))[0])
    done = invoke("bach", "-o", "on.abc", "--bars", 3, "--primer", "given.mid", "--top-k", 1)
    assert done.exit_code == 0, done.output
    assert generating._grid_of(in_tmp / "on.abc", 1).tolist() == tune[:48].tolist()
    assert invoke("bach", "-o", "bars.mid", "--primer", "given.mid", "--infill", "2").exit_code == 0
    assert (generating._grid_of(in_tmp / "bars.mid", 1)[:16] == tune[:16]).all()
    assert "name a voice (melody)" in " ".join(
        invoke("bach", "-o", "a.mid", "--primer", "given.mid", "--infill", "bass").output.split()
    )
    (in_tmp / "four.mid").write_bytes(write.write(voices.piece_of(np.tile(fitted, (4, 1))))[0])
    refused = " ".join(invoke("bach", "-o", "a.mid", "--bars", 9, "--primer", "four.mid").output.split())
    assert "notes that fit no voice in 32 of 32" in refused and "one note at a time" in refused


def test_infilling_fits_what_comes_later():
    """Of a voice that stays on one of two pitches for the whole piece, the last cell says which the first is."""
    pieces = [np.full((4, 4), pitch, np.uint8) for pitch in (60, 70)] * 20
    arrays, _ = kneser_ney.fit(pieces, [], {"n": 5, "transpose": 0, "context": "all"}, 0)
    model = kneser_ney.build(arrays, {})
    given = np.full((4, 4), sampling.FREE)
    given[3] = 70
    for seed in range(5):
        assert (sampling.infill(lambda n, rng: kneser_ney.begin(model, n, rng), given, 64, seed)[:3] == 70).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bahc"], "do you mean bach"),
        (["bach", "--infill", "bass"], "--infill needs --primer"),
        (["bach", "--primer", "none.mid"], "none.mid"),
        (["bach", "--primer", "text.mid"], "MIDI"),
        (["bach", "--primer", "two.mid", "--infill", "9-12"], "bars of the file from 1 to 1"),
        (["bach", "--primer", "two.mid", "--infill", "cello"], "name a voice"),
        (["bach", "--primer", "two.mid", "--bars", "1"], "--bars must be more"),
    ],
)
def test_what_cannot_be_done_is_said(fitted, in_tmp, arguments, told):
    (in_tmp / "text.mid").write_text("no music")
    (in_tmp / "two.mid").write_bytes(write.write(voices.piece_of(np.tile(fitted, (2, 1))))[0])
    done = invoke(*arguments, "-o", "x.mid")
    assert done.exit_code == 2 and told in done.output and not (in_tmp / "x.mid").exists()
