"""The first page of a run: clips of each class with a player and their notes, and nothing a title could smuggle in."""

import numpy as np
import pandas as pd
import pytest

from pipelines.core.manifest import MANIFEST, NOTES
from pipelines.core.tables import write_table
from pipelines.ops import run
from pipelines.report import first_look

CLIP = {
    "tags": ["style:aird"], "split": "train", "duplicate_of": None, "duration_s": 30.0, "sample_rate": 16000, "channels": 1,
    "n_bytes": 1, "sha256": "0" * 64, "source": "s", "licence": "l",
}  # fmt: skip


@pytest.fixture
def dataset(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        CLIP | {"clip_id": f"{i}", "path": f"data/raw/scores/{i}.flac", "title": f"Tune {i} <b>", "group": f"{i}"}
        for i in range(6)
    ]
    manifest = pd.DataFrame(rows).assign(target_style=["aird", "ryan"] * 3)
    write_table(manifest, tmp_path / "data/manifests/scores.parquet", MANIFEST)
    notes = pd.DataFrame({"path": ["0.flac"] * 3, "voice": 0, "program": 0, "pitch": [60, 64, 67], "velocity": 80})
    notes = notes.assign(onset_s=np.arange(3.0), duration_s=1.0).astype({"voice": "int32", "program": "int32"})
    notes = notes.astype({"pitch": "int32", "velocity": "int32"})
    write_table(notes[NOTES.names], tmp_path / "data/raw/scores/notes.parquet", NOTES)
    return "scores"


def test_two_clips_of_each_class_and_their_notes(dataset):
    page = first_look.write(dataset).read_text()
    assert [page.count(f"{name}</h2>") for name in ("aird", "ryan")] == [1, 1]
    assert page.count("<audio") == 4
    assert page.count("<rect") == 3
    assert 'src="../data/raw/scores/0.flac"' in page
    assert "Tune 0 &lt;b&gt;" in page


def test_a_run_names_the_page_once_and_only_for_a_new_manifest(dataset, monkeypatch, capsys):
    monkeypatch.setattr(run, "load_params", lambda: {"training": {"dataset": dataset}})
    run.Path("params.yaml").touch()  # read by the function above
    look = run._first_look()
    look()
    assert capsys.readouterr().out == ""
    manifest = run.Path("data/manifests/scores.parquet")
    manifest.write_bytes(manifest.read_bytes())
    look()
    look()
    assert capsys.readouterr().out.count("first_look.html while the rest runs") == 1
    manifest.write_bytes(b"")
    look()
    assert "no first page" in capsys.readouterr().out
