"""Stages side by side: each after what it needs, a failure stops what needs it and nothing else, a GPU has one training."""

import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ops import side_by_side
from pipelines.ops.runs import follow, record
from pipelines.ops.side_by_side import Ended


@st.composite
def graphs(draw):
    """Stage -> the earlier stages it needs."""
    n = draw(st.integers(1, 12))
    earlier = [draw(st.sets(st.integers(0, number - 1), max_size=3)) if number else set() for number in range(n)]
    return {f"stage{number}": tuple(f"stage{need}" for need in sorted(needs)) for number, needs in enumerate(earlier)}


def run(needs, jobs, fails=(), **options):
    """(order of starts, order of ends, failed, most at once)."""
    starts, ends, at_once, lock = [], [], [0, 0], threading.Lock()

    def start(stage, gpu):
        with lock:
            assert all(need in ends or need not in needs for need in needs[stage]), "a need has not ended"
            starts.append((stage, gpu))
            at_once[0] += 1
            at_once[1] = max(at_once)
        with lock:
            at_once[0] -= 1
            ends.append(stage)
        return Ended(1 if stage in fails else 0, [])

    told = []
    failed = side_by_side.schedule(needs, jobs, start, lambda stage, result: told.append(stage), **options)
    assert sorted(told) == sorted(ends)
    return starts, ends, failed, at_once[1]


@settings(deadline=None, max_examples=60)
@given(graphs(), st.integers(1, 4))
def test_every_stage_runs_once_after_what_it_needs(needs, jobs):
    _, ends, failed, most = run(needs, jobs)
    assert sorted(ends) == sorted(needs) and failed == [] and most <= jobs


@settings(deadline=None, max_examples=60)
@given(graphs(), st.integers(1, 4), st.data())
def test_a_failure_stops_what_needs_it_and_nothing_else(needs, jobs, data):
    fails = data.draw(st.sets(st.sampled_from(sorted(needs)), min_size=1, max_size=2))
    lost = set(fails)
    for stage, needed in needs.items():  # in an order in which each comes after what it needs
        if not lost.isdisjoint(needed):
            lost.add(stage)
    after = {stage for stage in lost if not lost.isdisjoint(needs[stage])}
    _, ends, failed, _ = run(needs, jobs, fails)
    assert set(ends) == set(needs) - after and set(failed) == fails - after


def test_what_is_up_to_date_is_not_waited_for():
    assert run({"cluster@mine": ("embed@mine",)}, 2)[1] == ["cluster@mine"]


def test_stages_do_run_at_once():
    both = threading.Barrier(2, timeout=20)  # passed only if two stages are in it together

    def start(stage, gpu):
        both.wait()
        return Ended(0, [])

    assert side_by_side.schedule({"a": (), "b": ()}, 2, start, lambda *_: None) == []


def test_each_gpu_has_one_training():
    busy, most, lock = {"0": 0, "1": 0}, {"0": 0, "1": 0}, threading.Lock()

    def start(stage, gpu):
        assert (gpu != "") == stage.startswith("train")
        if gpu:
            with lock:
                busy[gpu] += 1
                most[gpu] = max(most[gpu], busy[gpu])
            with lock:
                busy[gpu] -= 1
        return Ended(0, [])

    needs = {f"train@{number}": () for number in range(8)} | {f"cluster@{number}": () for number in range(4)}
    trains = [stage for stage in needs if stage.startswith("train")]
    assert side_by_side.schedule(needs, 6, start, lambda *_: None, trains, ["0", "1"]) == []
    assert set(most.values()) == {1}


def test_without_a_gpu_one_training_runs_at_a_time_and_other_stages_beside_it():
    training, beside = threading.Lock(), threading.Barrier(2, timeout=20)

    def start(stage, gpu):
        if stage.startswith("train"):
            assert gpu == "" and training.acquire(blocking=False), "two trainings at once"
        if stage in ("train@0", "cluster"):
            beside.wait()
        if stage.startswith("train"):
            training.release()
        return Ended(0, [])

    needs = {"train@0": (), "train@1": (), "train@2": (), "cluster": ()}
    trains = [stage for stage in needs if stage.startswith("train")]
    assert side_by_side.schedule(needs, 3, start, lambda *_: None, trains) == []


def test_gpus_are_those_that_may_be_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, 3")
    assert side_by_side.gpus() == ["1", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert side_by_side.gpus() == []


def test_output_and_errors_are_kept_with_their_channel():
    said = []
    script = "import sys; print('one', flush=True); print('two', file=sys.stderr, flush=True); sys.exit(3)"
    ended = side_by_side.here([sys.executable, "-c", script], {}, said.append)
    assert ended.status == 3 and sorted(said) == ["one", "two"]
    assert {(text, is_error) for _, text, is_error in ended.lines} == {("one", False), ("two", True)}


def test_the_record_has_the_time_that_a_stage_took(in_tmp):
    """Its lines are read when it has ended; the time is that of the lines."""
    follower = follow.Follower(in_tmp, "test")
    now = time.monotonic()
    first, second = "Running stage 'cluster@a':", "Running stage 'cluster@b':"
    follower.replay([(now - 30, first, False), (now - 5, "cluster: done", False)], 0)
    failed = "ERROR: failed to reproduce 'cluster@b': failed to run: x, exited with 1"
    follower.replay([(now - 40, second, False), (now - 2, "no memory", True), (now - 1, failed, True)], 1)
    follower.end(1)
    found = {entry["stage"]: entry for entry in record.read(in_tmp) if entry["what"] == record.STAGE}
    assert found["cluster@a"]["state"] == "ran" and found["cluster@a"]["seconds"] == pytest.approx(30, abs=2)
    assert found["cluster@b"]["state"] == record.FAILED and found["cluster@b"]["reason"] == "no memory"
    assert found["cluster@b"]["seconds"] == pytest.approx(39, abs=2)
