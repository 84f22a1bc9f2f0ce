"""What stages print of their progress is read back as numbers, and few of it is passed on."""

import io
from itertools import pairwise

import pytest
from tqdm import tqdm

from pipelines.ops.runs.progress import EVERY_S, Main, Pace, Progress, duration, parse


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "features scores:  50%|##########3         | 384/768 [00:09<00:09, 41.20clip/s]",
            "384 of 768 clips, 43 a second, about 9 s left",
        ),
        (
            "study mine:  50%|#####     | 2/4 [01:06<01:06, 33.0s/embedding]",
            "2 of 4 embeddings, 33 s each, about 1 min 6 s left",
        ),
        ("study mine: 100%|##########| 4/4 [02:10<00:00, 33.0s/embedding]", "4 of 4 embeddings, 32 s each"),
        ("download a.tar: 120MiB [00:05, 23.1MiB/s]", "120 MiB, 24 a second"),
        (
            "download a.tar:  33%|###   | 120/360 [00:05<00:10, 23.1MiB/s]",
            "120 of 360 MiB, 24 a second, about 10 s left",
        ),
        (
            "train: short: epoch 3/10, loss 0.4126, validation ROC-AUC 0.7712, 12.3 s, at most 86 s left",
            "3 of 10 epochs, 12 s each, about 1 min 26 s left",
        ),
        ("render scores:   0%|          | 0/768 [00:00<?, ?clip/s]", "0 of 768 clips"),
    ],
)
def test_sentences(line, sentence):
    assert parse(line).sentence() == sentence


@pytest.mark.parametrize(
    "line", ["", "50%", "a | b | 1/2 [3]", "epoch 3/10", "x: 100%|" + "#" * 2000, "[00:01<00:02, 3clip/s]"]
)
def test_other_lines_are_none(line):
    assert parse(line) is None


@pytest.mark.parametrize(("total", "unit"), [(5, "clip"), (None, "file"), (2000, "MiB")])
def test_what_tqdm_writes_is_understood(total, unit):
    """tqdm itself, as pipelines/harness/progress.py calls it where there is no terminal."""
    text = io.StringIO()
    with tqdm(total=total, desc="work on it", unit=unit, ncols=100, ascii=True, mininterval=0, file=text) as bar:
        for _ in range(5):
            bar.update(1)
    found = [parse(line) for line in text.getvalue().split("\r") if line.strip()]
    assert all(found) and (found[-1].done, found[-1].total, found[-1].unit) == (5, total, unit)


def test_pace_is_bounded():
    """A day of a line every five seconds."""
    pace, told = Pace(), []
    for second in range(0, 86_400, 5):
        progress = Progress("x", "clip", second + 1, 86_400, second)
        told += [second] if pace.due(progress, float(second)) else []
    assert 20 <= len(told) <= 20 + 86_400 / 300 and min(b - a for a, b in pairwise(told)) >= EVERY_S


def test_a_second_bar_of_a_stage_is_passed_on_but_not_at_once():
    pace = Pace()
    assert pace.due(Progress("read", "piece", 100, 100, 5), 0.0)
    assert not pace.due(Progress("render", "clip", 1, 1000, 1), 5.0)
    assert pace.due(Progress("render", "clip", 2, 1000, 6), 11.0)


def test_the_longest_bar_gives_the_figures():
    main = Main()
    for progress in (
        Progress("a", "file", 9, 9, 2),
        Progress("b", "clip", 50, 99, 4),
        Progress("b", "clip", 99, 99, 9),
    ):
        main.add(progress)
    main.add(Progress("c", "tagger", 1, 1, 1))
    assert (main.longest.unit, main.longest.done, main.longest.rate) == ("clip", 99, 11)


def test_epochs_of_a_resumed_training_are_those_of_this_run():
    main = Main()
    for epoch in (8, 9, 10):
        main.add(parse(f"train: short: epoch {epoch}/10, loss 0.4, validation ROC-AUC 0.7, 12.0 s, at most 1 s left"))
    assert (main.longest.done, main.longest.unit) == (3, "epoch") and main.longest.elapsed_s == pytest.approx(36)


def test_durations():
    assert [duration(s) for s in (0.84, 5, 42, 185, 7800)] == ["0.8 s", "5 s", "42 s", "3 min 5 s", "2 h 10 min"]
