"""A withdrawn file is in no manifest, whatever its name; it is counted, and holds against nobody's files."""

import json
from pathlib import Path

import pytest
import soundfile
import yaml

from pipelines.core import params
from pipelines.core.files import sha256
from pipelines.core.manifest import MANIFEST, QUARANTINE
from pipelines.core.tables import read_table
from pipelines.datasets import listing
from pipelines.ops.settings import load_params
from pipelines.stages import audio, manifest, raw


@pytest.fixture
def project(in_tmp, chord):
    """A folder of six sounds, one of them there twice, and a project with that dataset."""
    for n in range(6):
        path = Path("music", ("rock", "folk")[n % 2], f"{n}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, chord(seed=n), 16_000)
    Path("music/folk/copy of 0.wav").write_bytes(Path("music/rock/0.wav").read_bytes())
    write_params({})
    return in_tmp


def write_params(withdrawn):
    entry = {
        "module": "folder",
        "path": str(Path("music").absolute()),
        "fingerprint": listing.fingerprint(listing.scan("music")),
    }
    sound = {"sample_rate": 16000, "channels": 1, "min_duration_s": 1.0, "silence_dbfs": -80.0, "shard_mb": 1}
    settings = {
        "withdrawn": withdrawn,
        "datasets": {"mine": entry},
        "audio": sound,
        "max_quarantined": {"default": 0.0},
        "executor": {"workers": 1},
        "cache": {"limit_gb": 1},
        "training": {"dataset": "mine"},
    }
    params.PARAMS.write_text(yaml.safe_dump(settings))


def run():
    for stage in (raw, manifest, audio):
        stage.main("mine")
    tables = [read_table(f"data/manifests/mine{end}.parquet", schema) for end, schema in
              (("", MANIFEST), (".quarantine", QUARANTINE))]  # fmt: skip
    figures = json.loads(Path("data/records/manifest/mine.json").read_text())["figures"]
    return (*tables, figures)


def test_every_copy_goes_to_quarantine_and_the_run_goes_on(project):
    before, _, figures = run()
    assert len(before) == 7 and figures["withdrawn"] == 0
    content = sha256("music/rock/0.wav")
    write_params({content: "letter of 3 May: all", sha256("music/rock/2.wav"): "the same", "f" * 64: "nobody's"})
    listed, quarantine, figures = run()
    assert figures["withdrawn"] == 3 and figures["clips"] == 4 and figures["quarantined"] == 3
    assert content not in set(listed["sha256"])
    assert sorted(Path(path).name for path in quarantine["path"]) == ["0.wav", "2.wav", "copy of 0.wav"]
    assert set(quarantine["reason"]) == {"withdrawn: letter of 3 May: all", "withdrawn: the same"}
    kept = before[before["clip_id"].isin(listed["clip_id"])].reset_index(drop=True)
    assert listed.equals(kept), "the others are what they were"
    record = json.loads(Path("data/records/audio/mine.json").read_text())
    # none of three may be spoilt (one of a few always may), and three are withdrawn
    assert record["checks"]["nothing quarantined"]["passed"] and "| withdrawn | 3 |" in record["note"]
    write_params({})
    again, _, _ = run()
    assert again.equals(before)


@pytest.mark.parametrize("withdrawn", [["a" * 64], {"a": "too short"}, "a" * 64])
def test_a_list_that_is_none_is_refused(project, withdrawn):
    write_params(withdrawn)
    with pytest.raises(SystemExit, match="withdrawn in params.yaml is .* must be a table"):
        load_params()  # as the guard before every stage does
