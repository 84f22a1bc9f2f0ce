"""A run of the family: fitted, scored and described on a made-up corpus, and input that is none."""

import base64
import json
import re

import numpy as np
import pytest
import toy_corpus

from pipelines.core import shards
from pipelines.core.files import write_json
from pipelines.metrics import scores
from pipelines.notes.midi import read
from pipelines.notes.representations import melody_grid
from pipelines.report.context import Context, Task
from pipelines.report.lineage import Lineage
from pipelines.report.templates import filler
from pipelines.tasks.sequences import fit, score, section
from pipelines.tasks.sequences.fit import model_file, pieces
from pipelines.tasks.sequences.models import unigram
from pipelines.tasks.sequences.section import contexts


@pytest.fixture
def scored(in_tmp):
    """(its corpus, a fitted Kneser-Ney run, its answers)."""
    grids = toy_corpus.write()
    run = toy_corpus.run("kneser_ney", n=5)
    seed, folder = run.trainings[0]
    figures = fit.fit(run, seed, folder)
    assert figures["pieces"] == 8 and figures["steps"] == sum(map(len, grids[:8]))
    return grids, run, score.predict(run, folder)


def test_nats_are_those_of_the_pieces(scored):
    grids, run, answers = scored
    module, model, _ = model_file.load(run.trainings[0][1])
    losses = module.cell_nats(model, grids[10:])
    trivial = score.baseline(run)
    found, resampled = scores.score(score.METRICS, [answers], trivial, "test", 50, 1)
    n_steps = sum(map(len, grids[10:]))
    assert found["nats_per_step"]["value"] == pytest.approx(sum(loss.sum() for loss in losses) / n_steps)
    assert found["nats_per_cell"]["value"] == pytest.approx(found["nats_per_step"]["value"] / 4)
    apart = sum(loss.sum() for loss in losses[:3]) / sum(map(len, grids[10:13]))
    assert found["nats_per_step_apart"]["value"] == pytest.approx(apart), (
        "two test pieces are of groups of training pieces"
    )
    n_notes = sum(((np.diff(grid.astype(int), axis=0, prepend=0) != 0) & (grid > 0)).sum() for grid in grids[10:])
    assert found["nats_per_note"]["value"] == pytest.approx(sum(loss.sum() for loss in losses) / n_notes)
    counted, _ = unigram.fit(grids[:8], [], {"transpose": 0}, 0)
    floor = np.concatenate(unigram.cell_nats(unigram.build(counted, {}), grids[10:])).sum(axis=1).mean()
    assert found["nats_per_step"]["baseline"] == pytest.approx(floor)
    assert not found["nats_per_step"]["higher_is_better"]
    assert resampled["nats_per_step"].shape == (50,)


def test_what_is_told_of_a_run(scored):
    _, run, answers = scored
    found = score.details(run, [answers])
    json.dumps(found)
    assert {side: one["pieces"] for side, one in found["losses"].items()} == {"train": 8, "validation": 2, "test": 5}
    assert found["likelihood"] == "exact" and np.isnan(answers["bound"]).all()
    assert found["losses"]["test"]["per_step"] == pytest.approx(answers["nats"].sum() / answers["steps"].sum())
    assert found["losses"]["test"]["per_cell"] == pytest.approx(found["losses"]["test"]["per_step"] / 4)
    assert found["originality"]["generated"]["n"] == 6 and found["originality"]["people"]["n"] == 5
    with np.load("data/scores/kneser_ney/generated.npz", allow_pickle=False) as file:
        made = file["pieces"]
    assert made.shape == (6, 32, 4)
    voice, pitch, first, _ = found["rolls"]["first"][0]
    assert made[0, first, voice] == pitch
    checks = score.checks(run, [answers])
    passed, said = checks["no group on two sides"]
    assert passed is False and "2 of 5" in said
    assert {name for name in checks if name.startswith("generated")} == {
        f"generated {name}" for name in ("polyphony", "onsets_per_bar", "pitch_class_entropy", "distinct")
    }
    assert score.details(run, [answers]) == found, "the same bytes again"


def test_a_run_of_melodies(in_tmp):
    grids = toy_corpus.write(grid_of=melody_grid)
    run = toy_corpus.run("kneser_ney", "melody_grid", n=3, gate="held_out")
    assert fit.fit(run, *run.trainings[0])["voices"] == 1
    answers = score.predict(run, run.trainings[0][1])
    assert (answers["cells"] == answers["steps"]).all() and answers["steps"].tolist() == [
        len(grid) for grid in grids[10:]
    ]
    found = score.details(run, [answers])
    assert found["voices"] == 1 and {note[0] for note in found["rolls"]["first"]} == {0}
    assert found["losses"]["test"]["per_step"] == found["losses"]["test"]["per_cell"]
    checks = score.checks(run, [answers])
    assert checks["generated polyphony"] == (True, "1.00 different pitches that sound at once; 1 to 1 in this music")
    write_json("data/scores/kneser_ney/details.json", found)
    write_json("data/scores/kneser_ney/about.json", {"task": "sequences", "dataset": "made"})
    scored_as, _ = scores.score(score.metrics(run), [answers], score.baseline(run), "test", 50, 1)
    task = Task("sequences", {"kneser_ney": scored_as}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert "the melody’s 16th" in html and "n 3 cells (2 steps before)" in html
    with pytest.raises(ValueError, match="bounds of chorales in 4 voices, and data/features/made/melody_grid has 1"):
        pieces.read(toy_corpus.run("kneser_ney", "melody_grid"))


def test_the_page_has_what_was_found(scored):
    _, run, answers = scored
    found = score.details(run, [answers])
    scored_as, _ = scores.score(score.METRICS, [answers], score.baseline(run), "test", 50, 1)
    write_json("data/scores/kneser_ney/details.json", found | {"curve": [[10, 5.0, 4.5], [20, 4.0, 4.25]]})
    write_json("data/scores/kneser_ney/about.json", {"task": "sequences", "dataset": "made"})
    task = Task("sequences", {"kneser_ney": scored_as}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert f"{scored_as['nats_per_step']['value']:.3f}" in html and "kneser ney, n 5" in html
    assert f"{found['losses']['train']['per_step']:.3f}" in html and html.count("<svg") == 4
    shared = 0
    for key, (voice, first, end) in zip(
        ("worst", "source"), (found["originality"]["worst"][key] for key in ("run", "source")), strict=True
    ):
        shared += sum(note[0] == voice and first <= note[2] < end for note in found["rolls"][key])
    assert html.count(" marked") == shared >= 2
    assert f"{found['comparison']['mean_overlap']['random']:.2f}" in html and 'data-table="comparison"' in html
    low, high = found["comparison"]["overlaps"]["pitch_range"]["generated"]["ci95"]
    assert f"[{low:.2f}, {high:.2f}]" in html
    link = re.search('href="data:audio/midi;base64,([^"]+)" download="kneser_ney.mid"', html)[1]
    notes = read.read(base64.b64decode(link)).notes
    assert len(notes) == len(found["rolls"]["first"]) and set(notes["program"]) == {19}
    assert "test loss by n" not in html
    write_json("data/scores/older/details.json", {"model": "unigram"})
    task = Task("sequences", {"kneser_ney": scored_as, "older": scored_as}, [], {})
    html = str(section.render(Context(None, Lineage({}), filler(lambda value: value), task=task)))
    assert "until they are run again: older." in html
    assert f"{found['originality']['people']['longest']['mean']:.1f}" in html and "held-out pieces of made" in html
    assert section.render(Context(None, Lineage({}), None, task=Task("sequences", {}, [], {}))) is None


def test_losses_over_n_are_a_figure_where_there_are_several():
    def part(n, test, transpose=0, context="all"):
        options = {"n": n, "transpose": transpose, "context": context}
        return {"kind": "kneser_ney", "dataset": "made", "options": options, "test": test}

    drawn = str(
        section._orders([part(9, 3.7), part(1, 10.0), part(5, 3.8), part(9, 2.7, 6), part(13, 3.9, 0, "blind")])
    )
    assert drawn.count("<polyline") == 1 and len(re.search('points="([^"]+)"', drawn)[1].split()) == 3
    assert section._orders([part(9, 3.7), part(9, 2.7, 6)]) == ""


def test_input_that_is_none(in_tmp):
    toy_corpus.write()
    run = toy_corpus.run("unigram")
    with shards.writer(shards.shard_path(run.input, 0), "uint8", (128,)) as write_clip:
        write_clip([np.zeros((4, 128), np.uint8)])
    for _ in range(2):
        with pytest.raises(ValueError, match="no grid of voices: runs of sequences read the representations satb_grid"):
            pieces.read(run)
        (run.input / "index.parquet").unlink(missing_ok=True)  # as of a representation with a row a piece


def test_pieces_that_are_not_in_four_voices(in_tmp, monkeypatch):
    """Test pieces without their lowest voice."""
    made = toy_corpus.pieces(15)
    for piece in made[10:]:
        piece[:, 3] = 0
    monkeypatch.setattr(toy_corpus, "pieces", lambda n, seed: made)
    toy_corpus.write()
    with pytest.raises(
        ValueError, match="has no test pieces in four voices .5 of 15 pieces have fewer than four voices"
    ):
        pieces.read(toy_corpus.run("unigram"))


def test_the_experiment_on_contexts_says_what_its_runs_say():
    """Differences are stated in nats a cell, whichever of the two runs is named first; without its runs there is no text."""

    def part(n, context, value, transpose=0):
        return {
            "name": f"{context}{n}", "dataset": "made", "voices": 4, "source": Lineage({}).mark("data/scores/x"),
            "options": {"n": n, "context": context, "transpose": transpose},
            "per_cell": {"value": value, "ci95": [value - 0.1, value + 0.1], "n": 93, "n_groups": 90},
        }  # fmt: skip

    fill = filler(lambda value: value)
    runs = [part(1, "blind", 3.387), part(5, "blind", 1.0), part(13, "blind", 0.966), part(2, "own", 0.993)]
    difference = {"a": "blind5", "b": "own2", "metric": "nats_per_step", "value": 0.04, "ci95": [0.02, 0.08]}
    html = str(contexts.render(fill, [*runs, part(5, "blind", 0.7, 6)], [difference]))
    assert "needs 3.39 nats a cell" in html and "1.00 with n = 5" in html and "n = 13 it needs 0.97" in html
    assert (
        "a difference of −0.010 nats a cell from n = 5 [-0.020, -0.005]" in " ".join(html.split())
        and "0.700" not in html
    )
    assert html.count("<polyline") == 2 and "Further steps" not in html
    assert "n = 3 of its own cells needs" in " ".join(
        str(contexts.render(fill, [*runs, part(3, "own", 0.94)], [])).split()
    )
    for missing in range(4):
        assert contexts.render(fill, runs[:missing] + runs[missing + 1 :], []) == ""
