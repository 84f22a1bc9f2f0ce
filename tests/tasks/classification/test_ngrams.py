"""n-gram models of classes: Witten and Bell's formula written out, sums of 1, what key and speed change, and a run on shards."""

import json
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import labelled_clips
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.core import paths, shards
from pipelines.core.tables import write_table
from pipelines.tasks.classification import fit, predict, score
from pipelines.tasks.classification.fit import labelled, model_file
from pipelines.tasks.classification.models import ngrams

NOTES = st.lists(st.tuples(st.integers(30, 90), st.sampled_from([0, 0.5, 1, 3]), st.sampled_from([0.25, 1, 2, 16])))


def sequences(*pieces):
    found = np.empty(len(pieces), dtype=object)
    found[:] = [np.array(piece, dtype=np.int64) for piece in pieces]
    return found


def written_out(pieces, n):
    """p(w | h) by counting, with fractions."""
    counts = Counter()
    for piece in pieces:
        marked = [ngrams.EVENTS] * (n - 1) + piece
        for place in range(n - 1, len(marked)):
            counts.update((tuple(marked[place - back : place]), marked[place]) for back in range(n))

    def p(event, before):
        total = sum(times for (h, _), times in counts.items() if h == before)
        types = sum(1 for h, _ in counts if h == before)
        shorter = p(event, before[1:]) if before else Fraction(1, ngrams.EVENTS)
        return (counts[before, event] + types * shorter) / (total + types) if total else shorter

    return p


PIECES = {"bach": [[1, 2, 1, 3, 1, 2], [2, 1, 2]], "haydn": [[3, 3, 1, 3]], "mozart": [[4], [1, 4, 4]]}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_likelihood_is_the_formula(n):
    classes = [name for name, own in PIECES.items() for _ in own]
    model = ngrams.NGrams(n).fit(sequences(*[each for own in PIECES.values() for each in own]), np.array(classes))
    asked = [[1, 2, 1], [3, 3, 5, 1, 4], [4]]
    found = model.log_likelihoods(sequences(*asked))
    decided = model.decision_function(sequences(*asked))
    for row, piece in enumerate(asked):
        for column, own in enumerate(PIECES.values()):
            marked, p = [ngrams.EVENTS] * (n - 1) + piece, written_out(own, n)
            each = [p(marked[at], tuple(marked[at - n + 1 : at])) for at in range(n - 1, len(marked))]
            assert found[row, column] == pytest.approx(np.mean([np.log(float(one)) for one in each]))
            wanted = np.log(len(own) / 5) / len(piece)
            assert decided[row, column] - found[row, column] == pytest.approx(wanted)
    assert model.predict(sequences(*asked)).tolist() == [model.classes_[row.argmax()] for row in decided]


def test_probabilities_of_the_next_event_add_up_to_one():
    model = ngrams.NGrams(3).fit(sequences([1, 2, 1, 3, 1, 2], [3, 3]), np.array(["a", "b"]))
    for before in ([1, 2], [9, 1], [7, 7]):
        every = sequences(*[[*before, event] for event in range(ngrams.EVENTS)])
        so_far = model.log_likelihoods(sequences(before)) * 2
        np.testing.assert_allclose(np.exp(model.log_likelihoods(every) * 3 - so_far).sum(axis=0), 1)


def test_two_classes_and_weights():
    values, classes = sequences([1, 2], [1, 2], [2, 2]), np.array(["a", "a", "b"])
    model = ngrams.NGrams(1).fit(values, classes)
    both = model.log_likelihoods(values) + np.log([2 / 3, 1 / 3]) / 2
    np.testing.assert_allclose(model.decision_function(values), (both[:, 1] - both[:, 0]) / 2)
    assert model.predict(values).tolist() == model.classes_[both.argmax(axis=1)].tolist()
    even = ngrams.NGrams(1).fit(values, classes, sample_weight=[0.75, 0.75, 1.5])
    np.testing.assert_allclose(np.exp(even.priors_), [0.5, 0.5])
    np.testing.assert_allclose(even.log_likelihoods(values), model.log_likelihoods(values))


@settings(max_examples=40)
@given(NOTES.filter(len), st.integers(-12, 12), st.sampled_from([0.25, 0.5, 2, 4]))
def test_neither_key_nor_notated_speed_matters(notes, semitones, speed):
    played = np.array(notes, np.float64)
    found = ngrams.encode(played)
    assert ((0 <= found) & (found < ngrams.EVENTS)).all()
    other = played * [1, speed, speed] + [semitones, 0, 0]
    assert ngrams.encode(other).tolist() == found.tolist()


def test_an_event_is_its_interval_onset_and_duration():
    notes = [[60, 0, 1], [64, 0, 1], [67, 0, 1], [48, 1, 4], [72, 2, 1]]
    assert ngrams.encode(np.array(notes, float)).tolist() == [
        ((steps + 12) * 2 + later) * 7 + span + 3
        for steps, later, span in [(0, 0, 0), (4, 0, 0), (3, 0, 0), (-7, 1, 2), (12, 1, 0)]
    ]


@pytest.fixture
def notes(in_tmp):
    """`note_events` of the clips of `labelled_clips`: all classes have the same steps, each in an order of its own."""
    table, rng = labelled_clips.write(), np.random.default_rng(1)
    folder = paths.features("made", "note_events")
    folder.mkdir(parents=True)
    own = {"brass": [1, 2, -1, -2], "reed": [2, 1, -1, -2], "string": [1, -1, 2, -2]}
    pieces = []
    for label in table["target_family"]:
        steps = np.where(rng.random(60) < 0.3, rng.integers(-3, 4, 60), np.resize(own[label], 60))
        pieces.append(np.column_stack([60 + np.cumsum(steps), np.ones(60), np.ones(60)]).astype(np.float32))
    np.save(shards.shard_path(folder, 0), np.concatenate(pieces))
    index = pd.DataFrame({"clip_id": table["clip_id"], "shard": np.int32(0), "offset": np.arange(120) * 60})
    write_table(index.assign(length=60, sha256="x"), folder / "index.parquet", shards.INDEX)
    return folder


def test_a_run_reads_notes_and_its_file_answers_alike(notes):
    run = labelled_clips.run("ngrams", parameters={"n": [1, 2, 3]})
    run = replace(run, input=notes)
    folder = run.trainings[0][1]
    figures = fit.fit(run, 2026, folder)
    first = (folder / "model.skops").read_bytes()
    assert figures["validation macro F1"] > 0.8 and figures["n"] > 1, "the order of steps tells the classes"
    found = score.predict(run, folder)
    assert np.mean(found["predicted"] == found["actual"]) > 0.7
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)
    checks = score.checks(run, [found])
    assert checks["preparation saw training clips only"][0] and checks["chosen on validation clips"][0]
    data = labelled.read(run)
    new = predict.predict(run, folder, notes, data.clips["clip_id"].tolist())
    pipeline = model_file.load(folder / "model.skops")
    assert [one["predicted"] for one in new] == pipeline.predict(data.values).tolist()
    fit.fit(run, 2026, folder)
    assert (folder / "model.skops").read_bytes() == first
    assert json.loads((folder / "config.json").read_text())["features"] == ngrams.EVENTS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"selection": "variance"}, "reads sequences, not features"),
        ({"parameters": {"n": 0}}, "n is a whole number from 1 to 6"),
        ({"parameters": {"m": 2}}, "model ngrams with .*'m'"),
    ],
)
def test_what_sequences_have_not(notes, options, message):
    run = labelled_clips.run("ngrams", **options)
    with pytest.raises(ValueError, match=message):
        fit.fit(replace(run, input=notes), 1, run.trainings[0][1])
