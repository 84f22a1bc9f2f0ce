"""Some of the faults, once each, on the first stages of the small project; `make chaos` tries all of them on all of it."""

import pytest

from chaos import project
from chaos.faults import FAULTS
from chaos.run import BEGIN, END, PAGE

TRIALS = [
    ("kill -9 of a stage, its DVC or the run", 1),
    ("full disk", 1),
    ("a file that changed where it lies", 0),  # a PCM shard
    ("a file that changed where it lies", 7),  # the cache of clips
    ("a file that changed where it lies", 12),  # dvc.lock
    ("SIGTERM", 0),
    ("the clock jumps", 0),
    ("two runs at once", 2),  # one of them Dagster's
    ("the network goes away", 0),
]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return project.undisturbed(tmp_path_factory.mktemp("chaos") / "home", ("features@chords-log_mel",))


@pytest.mark.fault
@pytest.mark.cold
@pytest.mark.parametrize(("fault", "seed"), TRIALS)
def test_nothing_is_lost(fault, seed, reference, tmp_path):
    if why := FAULTS[fault].lacking():
        pytest.skip(why)
    FAULTS[fault].trial(seed, reference, tmp_path)


@pytest.mark.fault
def test_a_difference_is_seen(reference, tmp_path):
    """The measure of all trials: one bit of an output, a file more, and an entry of dvc.lock."""
    place = project.copy(reference, tmp_path / "project")
    assert project.differences(place, reference) == []
    shard = next(place.glob("data/features/chords/log_mel/shard-*.npy"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.unlink()
    shard.write_bytes(content)
    (place / "data/audio/chords/.half.tmp").touch()
    (place / "dvc.lock").write_text((place / "dvc.lock").read_text().replace("data/raw/chords", "data/raw/other"))
    found = project.differences(place, reference)
    for word in (shard.name, ".half.tmp: new", "dvc.lock: raw@chords"):
        assert any(word in line for line in found), (word, found)


def test_the_page_tells_of_every_fault():
    table = PAGE.read_text().split(BEGIN)[1].split(END)[0]
    assert [line.split("|")[1].strip() for line in table.strip().splitlines()[2:-1]] == list(FAULTS)
