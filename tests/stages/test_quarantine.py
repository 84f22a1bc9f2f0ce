"""How many unusable files a run bears, and what it says where there are more."""

import sys

import pandas as pd
import pytest
import soundfile
from helpers import copy_project, run_in
from ruamel.yaml import YAML


@pytest.fixture
def project(tmp_path, chord):
    """A project with a folder of nine good files and two that are no sound, its first stages run."""
    folder = copy_project(tmp_path / "project")
    music = tmp_path / "music"
    for number in range(9):
        (music / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        soundfile.write(music / "ab"[number % 2] / f"{number}.wav", chord((220 + number,), 2.0), 16_000)
    (music / "a" / "text.wav").write_text("no sound")
    (music / "b" / "song.m4a").write_text("of another kind")
    run_in(folder, sys.executable, "-m", "pipelines.cli", "add", str(music), "--name", "mine")
    for stage in ("raw", "manifest"):
        run_in(folder, sys.executable, "-m", f"pipelines.stages.{stage}", "mine")
    return folder


def limit(project, share):
    editor, path = YAML(), project / "params.yaml"
    document = editor.load(path.read_text())
    document["audio"]["max_quarantined"] = share
    with path.open("w") as file:
        editor.dump(document, file)


def test_more_than_the_limit_stops_the_stage_with_the_tables_path(project):
    command = (sys.executable, "-m", "pipelines.stages.audio", "mine")
    done = run_in(project, *command, check=False)
    assert done.returncode == 1 and "2 of 11" in done.stderr and "(1%)" in done.stderr
    assert "data/audio/mine/quarantine.parquet" in done.stderr and "Traceback" not in done.stderr
    listed = pd.read_parquet(project / "data/audio/mine/quarantine.parquet")
    assert sorted(path.rsplit("/")[-1] for path in listed["path"]) == ["song.m4a", "text.wav"]
    assert "convert it to FLAC or WAV" in listed.set_index("path")["reason"].filter(like=".m4a").item()
    assert not (project / "data/records/audio/mine.json").exists()
    limit(project, 0.2)
    run_in(project, *command)
    assert len(pd.read_parquet(project / "data/audio/mine/index.parquet")) == 9
