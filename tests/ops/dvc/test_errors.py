"""Invalid configuration of DVC: the message names the file, the error, and a way out that works."""

import subprocess
import sys

import pytest
from dvc.config import ConfigError

from pipelines.ops.dvc import errors

REMOTE = "['remote \"shelf\"']\n"


def complaint(project, **files):
    (project / ".dvc").mkdir(exist_ok=True)
    for name, text in files.items():
        (project / ".dvc" / {"config": "config", "local": "config.local"}[name]).write_bytes(text.encode("latin-1"))
    with pytest.raises((ConfigError, OSError)) as error:
        errors.check(project)
    return errors.sentence(error.value, project)


@pytest.mark.parametrize(
    ("files", "file", "said"),
    [
        ({"local": REMOTE + "keyfile = /k\n"}, ".dvc/config.local", "remote 'shelf' without its url, and neither does"),
        ({"config": REMOTE + "keyfile = /k\n"}, ".dvc/config", "dvc remote modify shelf url URL"),
        ({"config": "[core\n"}, ".dvc/config", "git checkout HEAD -- .dvc/config"),
        ({"local": "[core]\nanalytics = \xff"}, ".dvc/config.local", "utf-8"),
        ({"config": REMOTE + "url = /shelf\n", "local": REMOTE + "keyfile = /k\n"}, ".dvc/config.local", "keyfile"),
        ({"config": REMOTE + "user = me\n", "local": REMOTE + "url = ssh://a/b\n[core]\nx = 1"}, ".dvc/config.local", "['x']"),
    ],
)  # fmt: skip
def test_the_file_at_fault_is_named(tmp_path, files, file, said):
    text = complaint(tmp_path, **files)
    assert f"{tmp_path / file} " in text.replace(":", " ") and said in text


def test_a_folder_in_its_place_is_a_sentence_too(tmp_path):
    (tmp_path / ".dvc/config.local").mkdir(parents=True)
    assert "Is a directory" in complaint(tmp_path)


@pytest.mark.parametrize("way", ["modify --local shelf url ssh://host/shelf", "remove --local shelf"])
def test_the_ways_out_work(tmp_path, way):
    text = complaint(tmp_path, local=REMOTE + "keyfile = /k\n")
    assert f"dvc remote {way}".replace("ssh://host/shelf", "URL") in text
    (tmp_path / ".dvc/config").write_text("[core]\nno_scm = true\nanalytics = false\n")
    subprocess.run([sys.executable, "-m", "dvc", "remote", *way.split()], cwd=tmp_path, check=True)
    errors.check(tmp_path)


def test_other_errors_have_no_sentence():
    assert errors.sentence(ValueError("x")) == "" == errors.sentence(FileNotFoundError(2, "no", "/x/config"))
