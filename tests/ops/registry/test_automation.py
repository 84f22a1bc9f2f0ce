"""Dagster's side: the job that retrains and promotes, and the sensor that starts it."""

import json
import os
import shutil

import dagster as dg
import pytest
import small_models as small
from helpers import PROJECT

from assets import automation, folders, retraining, schedules, sensors
from pipelines.ops.registry import history
from pipelines.ops.settings import load_params

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return small.finished(tmp_path_factory.mktemp("automation") / "project")


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    return shutil.copytree(made, tmp_path / "project", symlinks=True)


def told(result):
    (event,) = [event for event in result.all_events if event.is_successful_output]
    return {name: value.text for name, value in event.event_specific_data.metadata.items()}


@pytest.mark.system
def test_the_job_promotes_refuses_and_fails_with_a_reason(project):
    job = retraining.job(project)
    assert told(job.execute_in_process())["short"].startswith("version 1 promoted: the first version")
    small.edit(project, "skill: 2.0", "skill: 0.1")
    small.commit(project)
    result = job.execute_in_process()
    assert result.success and told(result)["short"].startswith("version 2 refused: worse than version 1")
    assert told(result)["commit"] == small.git(project, "for-each-ref", "--format=%(objectname)", "refs/heads/retrain")
    small.edit(project, "stage, name = sys.argv[1], sys.argv[-1]", 'sys.exit("no more disk")', "steps.py")
    small.commit(project)
    with dg.instance_for_test() as instance:
        failed = job.execute_in_process(instance=instance, raise_on_error=False)
        assert not failed.success
        (failure,) = [event for event in failed.all_events if event.is_step_failure]
        assert "To continue: conservatory retrain --resume" in str(failure.step_failure_data)
    assert history.champion(history.read(project, "short")) == 1


@pytest.fixture(scope="module")
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def look(sensor, cursor, instance):
    with dg.build_sensor_context(cursor=cursor, instance=instance) as context:
        data = sensor.evaluate_tick(context)
        return data.run_requests, data.skip_message, data.cursor


def test_new_data_are_waited_for_and_start_one_run(tmp_path, instance):
    music = tmp_path / "music"
    (music / "rock").mkdir(parents=True)
    (music / "rock/a.wav").write_text("a")
    archive = tmp_path / "b.zip"
    archive.write_text("b")
    entries = {
        "mine": {"path": str(music), "fingerprint": "x"},
        "theirs": {"local": str(archive)},
        "built": {"module": "m"},
    }
    (tmp_path / "params.yaml").write_text(json.dumps({"datasets": entries}))
    sensor = sensors.new_data(tmp_path, retraining.job(tmp_path), on=False)
    requests, why, cursor = look(sensor, None, instance)
    assert not requests and why == "2 watched files have not changed"
    for change in (
        lambda: (music / "rock/c.wav").write_text("c"),
        lambda: (music / "rock/a.wav").write_text("longer"),
        lambda: (music / "rock/c.wav").unlink(),
        lambda: archive.write_text("other"),
        lambda: (tmp_path / "raw.dvc").write_text("outs: []"),
    ):
        change()
        requests, why, cursor = look(sensor, cursor, instance)
        assert not requests and "waiting until none does" in why
        requests, _, cursor = look(sensor, cursor, instance)
        assert len(requests) == 1 and requests[0].run_key.startswith(folders.signature(tmp_path)[0])
        requests, why, cursor = look(sensor, cursor, instance)
        assert not requests and "have not changed" in why
    (tmp_path / ".dvc/cache").mkdir(parents=True)
    (tmp_path / ".dvc/cache/of a run").write_text("made")
    assert "have not changed" in look(sensor, cursor, instance)[1]  # or a retraining would start the next
    music.rename(tmp_path / "elsewhere")  # a disk that is not mounted is no new data
    for _ in range(2):
        requests, why, cursor = look(sensor, cursor, instance)
        assert not requests and why == f"missing: {music}; waiting until it is back"
    (tmp_path / "elsewhere").rename(music)
    assert "have not changed" in look(sensor, cursor, instance)[1]


def datasets(project, **paths):
    (project / "params.yaml").write_text(
        json.dumps({"datasets": {name: {"path": str(p)} for name, p in paths.items()}})
    )


def test_labels_that_are_links_are_watched_and_circles_are_not_walked(tmp_path):
    music, rock, jazz = (tmp_path / name for name in ("music", "elsewhere/rock", "elsewhere/jazz"))
    for folder in (music, rock, jazz):
        folder.mkdir(parents=True)
    (rock / "a.wav").write_text("a")
    (music / "rock").symlink_to(rock)
    (music / "again").symlink_to(rock)  # one folder under two labels is as good as two
    (music / "round").symlink_to(music)
    (music / "up").symlink_to(tmp_path)  # where Dagster writes at each look
    (rock / "jazz").symlink_to(jazz)
    (jazz / "rock").symlink_to(rock)  # no link to what it stands in, by its own path
    datasets(tmp_path, mine=music)
    before, count = folders.signature(tmp_path)
    assert count == 2
    (jazz / "b.wav").write_text("b")
    after, count = folders.signature(tmp_path)
    assert after != before and count == 4


def test_what_a_csv_lists_is_watched(tmp_path):
    audio, table = tmp_path / "audio", tmp_path / "tables/mine.csv"
    for folder in (audio, table.parent):
        folder.mkdir()
    for name in ("a", "b, live"):
        (audio / f"{name}.wav").write_text(name)
    table.write_text(
        f'path,label\n../audio/a.wav,x\n"../audio/b, live.wav",y\n{audio}/c.wav,x\nnul\0.wav,y\n', encoding="utf-8-sig"
    )
    datasets(tmp_path, mine=table)
    seen = [folders.signature(tmp_path)]
    assert seen[0][1] == 3
    (audio / "b, live.wav").write_text("another recording")
    seen.append(folders.signature(tmp_path))
    (audio / "c.wav").write_text("c")
    seen.append(folders.signature(tmp_path))
    assert len(set(seen)) == 3 and seen[-1][1] == 4
    assert folders.away(tmp_path) == []
    audio.rename(tmp_path / "away")  # the disk with the audio, not that with the table
    assert folders.away(tmp_path) == [f"the files that {table} lists"]


@pytest.mark.parametrize("damaged", [b"", b"name,label\na.wav,x\n", b"path,label\n\xff.wav,x\n", b"\0\0\0"])
def test_of_a_csv_that_cannot_be_read_its_own_state_is_watched(tmp_path, damaged):
    (tmp_path / "mine.csv").write_bytes(damaged)
    datasets(tmp_path, mine="mine.csv")
    assert folders.signature(tmp_path)[1] == 1 and folders.away(tmp_path) == []


def test_every_dvc_file_of_the_project_is_watched_and_none_of_its_tools(tmp_path):
    datasets(tmp_path)
    for name in ("raw.dvc", "data/a/b.dvc", "music/old/songs.dvc", ".venv/lib/x.dvc", ".cache/retrain/1/raw.dvc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("outs: []")
    before, count = folders.signature(tmp_path)
    assert count == 3
    (tmp_path / "music/old/songs.dvc").write_text("outs: [path: songs]")
    after = folders.signature(tmp_path)[0]
    (tmp_path / ".cache/retrain/1/raw.dvc").write_text("outs: [path: raw]")
    assert before != after == folders.signature(tmp_path)[0]


@pytest.fixture
def watched(tmp_path):
    """The sensor, and a function that gives the watched music other bytes, or back those it had, to the nanosecond."""
    music = tmp_path / "music"
    music.mkdir()
    (tmp_path / "params.yaml").write_text(json.dumps({"datasets": {"mine": {"path": str(music)}}}))

    def put(text):
        (music / "a.wav").write_text(text)
        os.utime(music / "a.wav", (1_000_000_000, 1_000_000_000))

    put("x")
    return sensors.new_data(tmp_path, retraining.job(tmp_path), on=False), put


def asked(sensor, cursor, instance):
    """The request of the look at which data that have changed are at rest; and the cursors before and after it."""
    requests, why, before = look(sensor, cursor, instance)
    assert not requests and "waiting until none does" in why
    (request,), _, after = look(sensor, before, instance)
    assert "have not changed" in look(sensor, after, instance)[1]
    return request, before, after


def test_data_that_come_back_are_asked_for_anew(watched, instance):
    """Dagster leaves a request alone whose run key it has seen, however long ago."""
    sensor, put = watched
    _, _, cursor = look(sensor, None, instance)
    requests = []
    for text in ("other", "x", "other", "x"):
        put(text)
        request, _, cursor = asked(sensor, cursor, instance)
        requests.append(request)
    assert len({request.run_key for request in requests}) == 4
    assert len({request.tags[sensors.DATA] for request in requests}) == 4  # or tries of the first would count


def test_a_look_that_is_done_again_asks_under_the_same_key(watched, instance):
    """Killed between the request and the cursor, Dagster looks again from the cursor before."""
    sensor, put = watched
    _, _, cursor = look(sensor, None, instance)
    put("other")
    request, before, after = asked(sensor, cursor, instance)
    (again,), _, cursor = look(sensor, before, instance)
    assert again.run_key == request.run_key and cursor == after


def test_a_cursor_of_before_there_were_numbers_is_read(watched, instance, tmp_path):
    sensor, put = watched
    now = folders.signature(tmp_path)[0]
    old = json.dumps({"seen": now, "trained": now})
    # the retraining that the old sensor asked for has failed: its tag was the signature alone
    broken = retraining.job(tmp_path)
    broken.execute_in_process(instance=instance, tags={sensors.DATA: now, sensors.TRY: "1"}, raise_on_error=False)
    assert "the next try is in" in look(sensor, old, instance)[1]
    put("other")
    request, _, _ = asked(sensor, old, instance)
    assert request.run_key == f"{folders.signature(tmp_path)[0]}.1"


def test_a_dataset_that_is_not_committed_is_waited_for(project, tmp_path, instance):
    """A retraining starts from the commit: it would find nothing new, and nobody would ask again."""
    sensor = sensors.new_data(project, retraining.job(project), on=False)
    _, _, cursor = look(sensor, None, instance)
    archive = tmp_path / "more.zip"
    archive.write_text("music")
    small.edit(project, "datasets:\n", f"datasets:\n  more: {{local: {archive}}}\n")
    _, _, cursor = look(sensor, cursor, instance)
    for _ in range(2):
        requests, why, cursor = look(sensor, cursor, instance)
        assert not requests and why == "a retraining starts from the last commit: commit more first"
    small.commit(project)
    requests, _, cursor = look(sensor, cursor, instance)
    assert len(requests) == 1
    assert "have not changed" in look(sensor, cursor, instance)[1]


@dg.job
def mended():
    dg.op(name="nothing")(lambda: None)()


@pytest.mark.system
def test_a_retraining_that_failed_is_tried_again_and_not_for_ever(tmp_path, monkeypatch):
    music = tmp_path / "music"
    music.mkdir()
    (tmp_path / "params.yaml").write_text(json.dumps({"datasets": {"mine": {"path": str(music)}}}))
    job = retraining.job(tmp_path)  # not under git: it fails
    sensor = sensors.new_data(tmp_path, job, on=False)
    with dg.instance_for_test() as instance:
        _, _, cursor = look(sensor, None, instance)
        (music / "a.wav").write_text("a")
        _, _, cursor = look(sensor, cursor, instance)
        requests, _, cursor = look(sensor, cursor, instance)
        keys = []
        for _ in range(sensors.TRIES - 1):
            keys.append(requests[0].run_key)
            assert not job.execute_in_process(instance=instance, tags=requests[0].tags, raise_on_error=False).success
            monkeypatch.setattr(sensors, "TRY_AFTER", 3600)
            requests, why, cursor = look(sensor, cursor, instance)
            assert not requests and "the next try is in 60 minutes" in why
            monkeypatch.setattr(sensors, "TRY_AFTER", 0)
            requests, _, cursor = look(sensor, cursor, instance)
        keys.append(requests[0].run_key)
        job.execute_in_process(instance=instance, tags=requests[0].tags, raise_on_error=False)
        requests, why, cursor = look(sensor, cursor, instance)
        assert not requests and "failed 3 times" in why and len({*keys}) == 3
        # what was started again by hand, and came to its end, is the end of it
        assert mended.execute_in_process(instance=instance, tags={sensors.DATA: keys[0]}).success
        assert look(sensor, cursor, instance)[1] == "1 watched files have not changed"


def test_off_unless_params_say_otherwise(project):
    job = retraining.job(project)
    assert automation.wanted(load_params(project / "params.yaml"), "registry") is False
    assert automation.wanted({}, "registry") is False and automation.wanted({"registry": 9}, "registry") is False
    small.edit(project, "n_bootstrap: 200", "n_bootstrap: 200\n  automatic: true")
    assert automation.wanted(load_params(project / "params.yaml"), "registry") is True
    for on, status in ((True, "RUNNING"), (False, "STOPPED")):
        assert schedules.weekly_retrain(job, on).default_status.value == status
        assert sensors.new_data(project, job, on).default_status.value == status
