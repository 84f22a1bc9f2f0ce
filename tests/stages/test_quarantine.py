"""How many unusable files a run bears, and what it says where there are more."""

import sys

import pandas as pd
import pytest
import soundfile
from helpers import copy_project, run_in
from ruamel.yaml import YAML

from pipelines.core import max_quarantined


@pytest.fixture
def project(tmp_path, chord):
    """A project with a folder of three good files, three that are no sound, and one that only decoding finds silent."""
    folder = copy_project(tmp_path / "project")
    music = tmp_path / "music"
    for number in range(3):
        (music / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        soundfile.write(music / "ab"[number % 2] / f"{number}.wav", chord((220 + number,), 2.0), 16_000)
    soundfile.write(music / "b" / "silent.wav", [0.0] * 32_000, 16_000)
    for number in range(2):
        (music / "a" / f"text\n{number}.wav").write_text("no sound")
    (music / "b" / "song.m4a").write_text("of another kind")
    (music / "b" / "notes.txt").write_text("says nothing of the music's health")
    run_in(folder, sys.executable, "-m", "pipelines.cli", "add", str(music), "--name", "mine")
    run_in(folder, sys.executable, "-m", "pipelines.stages.raw", "mine")
    return folder


def set_limits(project, **shares):
    editor, path = YAML(), project / "params.yaml"
    document = editor.load(path.read_text())
    document["max_quarantined"].update(shares)
    with path.open("w") as file:
        editor.dump(document, file)


def stage(project, name, check=True):
    return run_in(project, sys.executable, "-m", f"pipelines.stages.{name}", "mine", check=check)


def test_more_than_the_limit_stops_the_first_stage_that_knows_with_the_tables_path(project):
    (project.parent / "music/b/song.m4a").with_suffix(".wma").write_text("of another kind")
    run_in(project, sys.executable, "-m", "pipelines.cli", "refresh")
    stage(project, "raw")
    done = stage(project, "manifest", check=False)  # four bad, four good: half, and one more is found by decoding
    assert done.returncode == 0, done.stderr
    assert "a/text 0.wav: not audio" in done.stderr, "a name is on one line"
    done = stage(project, "audio", check=False)
    assert done.returncode == 1 and "5 of 8 files" in done.stderr and "(1%, or 10 files)" in done.stderr
    assert "data/audio/mine/quarantine.parquet" in done.stderr and "Traceback" not in done.stderr
    assert "max_quarantined.mine in params.yaml (to 0.63)" in done.stderr
    listed = pd.read_parquet(project / "data/audio/mine/quarantine.parquet")
    assert len(listed) == 6 and not (project / "data/records/audio/mine.json").exists()
    assert "convert it to FLAC or WAV" in listed.set_index("path")["reason"].filter(like=".m4a").item()
    set_limits(project, default=0.9)
    set_limits(project, mine=0.0)
    assert stage(project, "audio", check=False).returncode == 1, "a dataset's own limit goes before the default"
    set_limits(project, mine=0.63)
    stage(project, "audio")
    assert len(pd.read_parquet(project / "data/audio/mine/index.parquet")) == 3
    (project.parent / "music/a/text3.wav").write_text("one more")
    run_in(project, sys.executable, "-m", "pipelines.cli", "refresh")
    set_limits(project, mine=0.0)
    stage(project, "raw")
    done = stage(project, "manifest", check=False)
    assert done.returncode == 1 and "manifest mine: 5 of 9 files" in done.stderr, "said before anything is decoded"


@pytest.mark.parametrize(
    ("bad", "good", "share", "borne"),
    [
        (1, 65, 0.01, True),
        (10, 56, 0.01, True),
        (11, 55, 0.01, False),
        (11, 55, 0.2, True),
        (1, 1, 0.0, True),
        (2, 1, 0.0, False),
        (2, 1, 0.7, True),
        (10, 990, 0.01, True),
        (11, 1089, 0.01, True),
        (12, 1088, 0.01, False),
        (0, 0, 1.0, False),
        (3, 0, 1.0, False),
    ],
)
def test_ten_files_or_the_share_but_never_all(bad, good, share, borne):
    settings = {"max_quarantined": {"default": share}}
    if borne:
        max_quarantined.refuse("audio", "mine", bad, good, settings, "table")
    else:
        said = (
            f"{bad} of {bad + good} files cannot be used"
            if good
            else "no file can be used. All are listed with reasons in table"
        )
        with pytest.raises(SystemExit, match=said) as error:
            max_quarantined.refuse("audio", "mine", bad, good, settings, "table")
        assert ("raise max_quarantined" in str(error.value)) == bool(good), "no limit helps where nothing is good"


def test_reasons_of_one_kind_differ_in_their_numbers_and_what_follows():
    reasons = [
        "truncated: it ends after 1.5 s of 3.0 s; copy or download it again",
        "truncated: its header states 1,000 bytes of sound, and 400 are there",
        "99% of its samples are beyond full scale, up to 10,897.1 times it: export it again",
        "100% of its samples are beyond full scale, up to 2.5 times it: export it again",
        ".3gp cannot be read: convert it to FLAC or WAV",
        "its name is not UTF-8: rename it",
    ]
    assert [max_quarantined.kind(reason) for reason in reasons] == [
        *2 * ["truncated"],
        *2 * ["… of its samples are beyond full scale, up to … times it"],
        ".3gp cannot be read",
        "its name is not UTF-8",
    ]
