"""Computed once: what makes the engine compute again, and what does not; and the outputs' bytes, which never depend on it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import needs
import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import yaml
from helpers import PROJECT, copy_project, run_in

from pipelines import features
from pipelines.audio import shards as pcm_shards
from pipelines.core import cache
from pipelines.core.shards import Crops, open_shards
from pipelines.representations import build as stage
from pipelines.representations import gpu
from pipelines.stages import features as command
from pipelines.stages import manifest as manifest_stage

AUDIO = {
    "sample_rate": 16_000,
    "channels": 1,
    "min_duration_s": 0.5,
    "silence_dbfs": -80.0,
    "shard_mb": 1,
    "cache": True,
}
FEATURES = {
    "log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 64},
    "mfcc": {"n_fft": 512, "hop_length": 256, "n_mels": 64},
    "tempo": {"n_fft": 1024, "hop_length": 256},
    "beats": {"n_fft": 1024, "hop_length": 256},
}


def settings(limit_gb=1, workers=1, **changed):
    return {
        "audio": AUDIO,
        "features": FEATURES | changed,
        "executor": {"kind": "processes", "workers": workers},
        "cache": {"limit_gb": limit_gb},
    }


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CONSERVATORY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tunes(tmp_path, chord):
    folder = tmp_path / "tunes"
    folder.mkdir()
    for number in range(10):
        soundfile.write(folder / f"{number}.flac", chord((200 + 30 * number,), 2.0, seed=number), 16_000)
    return folder


def listed(folder):
    paths = sorted(str(path) for path in folder.iterdir())
    return pd.DataFrame({"path": paths, "group": paths})


def audio(folder, out):
    clips = listed(folder)
    manifest, _ = manifest_stage.build(clips, PROJECT, {"workers": 1})
    index, _ = pcm_shards.build(manifest, out, AUDIO, {"workers": 1})
    return index


def compute(index, audio_dir, out, name, wanted):
    """(rows, how many were computed, bytes of the shards)."""
    rows, computed = stage.build(index, audio_dir, out, name, wanted)
    return rows, computed, [path.read_bytes() for path in sorted(out.glob("*.npy"))]


def test_one_pass_then_nothing(tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    counts = {}
    for name in FEATURES:
        rows, counts[name], _ = compute(index, tmp_path / "pcm", tmp_path / name, name, settings())
        assert rows["clip_id"].tolist() == index["clip_id"].tolist()
    assert counts == {"log_mel": 10, "mfcc": 0, "tempo": 0, "beats": 0}


@pytest.mark.parametrize("name", FEATURES)
def test_the_values_are_those_of_the_feature_alone(name, tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    pcm = open_shards(tmp_path / "pcm")
    rows, _, _ = compute(index, tmp_path / "pcm", tmp_path / name, name, settings())
    module = features.load(name)
    for clip, row in zip(index.itertuples(), rows.to_dict("records"), strict=True):
        y = pcm[clip.shard][clip.offset : clip.offset + clip.length]
        expected = module.compute(y, 16_000, **FEATURES[name])
        if module.KIND == "pooled":
            assert {key: row[key] for key in expected} == expected
        else:
            place = Crops(tmp_path / name)(row["shard"], row["offset"], row["length"])
            np.testing.assert_array_equal(place, expected.astype(module.DTYPE))


def test_the_bytes_depend_on_no_cache_and_no_number_of_workers(tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    found = []
    for number, wanted in enumerate((settings(), settings(), settings(limit_gb=0), settings(limit_gb=0, workers=2))):
        rows, _, written = compute(index, tmp_path / "pcm", tmp_path / str(number), "mfcc", wanted)
        found.append((rows.to_dict(), written))
    assert all(other == found[0] for other in found)


def test_what_makes_it_compute_again(tunes, tmp_path, chord):
    index = audio(tunes, tmp_path / "pcm")
    compute(index, tmp_path / "pcm", tmp_path / "a", "log_mel", settings())
    (tunes / "3.flac").rename(tunes / "renamed.flac")
    index = audio(tunes, tmp_path / "pcm2")
    assert compute(index, tmp_path / "pcm2", tmp_path / "b", "log_mel", settings())[1] == 0, "a name is no content"
    changed = settings(log_mel={"n_fft": 512, "hop_length": 256, "n_mels": 32})
    assert compute(index, tmp_path / "pcm2", tmp_path / "c", "mfcc", changed)[1] == 0, "another feature's parameter"
    assert compute(index, tmp_path / "pcm2", tmp_path / "d", "log_mel", changed)[1] == 10
    soundfile.write(tunes / "new.flac", chord((700,), 2.0, seed=99), 16_000)
    index = audio(tunes, tmp_path / "pcm3")
    assert compute(index, tmp_path / "pcm3", tmp_path / "e", "log_mel", changed)[1] == 1, "one clip more"
    cache.prune(0)
    rows, computed, _ = compute(index, tmp_path / "pcm3", tmp_path / "f", "log_mel", changed)
    assert computed == 11 and len(rows) == 11, "losing the cache loses time"


@pytest.mark.system
def test_two_runs_at_once_share_and_agree(tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    index.to_parquet(tmp_path / "index.parquet")
    code = (
        "import sys\nfrom pathlib import Path\nimport pandas as pd\nfrom pipelines.representations import build\n"
        f"build.build(pd.read_parquet(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), 'mfcc', {settings()!r})\n"
    )
    outs = [tmp_path / "first", tmp_path / "second"]
    runs = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path / "index.parquet", tmp_path / "pcm", out], cwd=PROJECT)
        for out in outs
    ]
    assert [run.wait() for run in runs] == [0, 0]
    first, second = ([path.read_bytes() for path in sorted(out.glob("*.npy"))] for out in outs)
    assert first == second and first


@pytest.mark.fault
def test_a_killed_run_goes_on_from_the_clips_it_had_finished(tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    index.to_parquet(tmp_path / "index.parquet")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nimport pandas as pd\nfrom pipelines.features import tempo\n"
        "from pipelines.representations import build\n"
        "real, seen = tempo.compute, []\n"
        "def dying(*arguments, **parameters):\n"
        "    seen.append(0)\n"
        "    if len(seen) == 8:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*arguments, **parameters)\n"
        "tempo.compute = dying\n"
        f"build.build(pd.read_parquet(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), 'tempo', {settings()!r})\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "index.parquet", tmp_path / "pcm", tmp_path / "tempo"]
    assert subprocess.run(command, cwd=PROJECT).returncode == -signal.SIGKILL
    rows, computed, _ = compute(index, tmp_path / "pcm", tmp_path / "tempo", "tempo", settings())
    assert (len(rows), computed) == (10, 3)


DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")),
]


@pytest.mark.parametrize("device", DEVICES)
def test_batches_on_a_device_give_the_stages_numbers(device, tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    entry = FEATURES["mfcc"]
    computed = gpu.fill(index, tmp_path / "pcm", "mfcc", entry, 16_000, device, lambda sha256: f"ab{sha256}")
    assert computed == 10
    assert gpu.fill(index, tmp_path / "pcm", "mfcc", entry, 16_000, device, lambda sha256: f"ab{sha256}") == 0
    assert gpu.fill(index, tmp_path / "pcm", "tempo", {}, 16_000, device, lambda sha256: f"ab{sha256}") == 0
    rows, _, _ = compute(index, tmp_path / "pcm", tmp_path / "mfcc", "mfcc", settings())
    read = Crops(tmp_path / "mfcc")
    for clip, row in zip(index.itertuples(), rows.itertuples(), strict=True):
        kept = cache.load_array("mfcc", f"ab{clip.sha256}")
        expected = read(row.shard, row.offset, row.length)
        np.testing.assert_allclose(kept, expected, atol=1e-4 * np.abs(expected).max())


def test_a_device_that_is_not_there_is_explained(tunes, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    index = audio(tunes, tmp_path / "pcm")
    wanted = settings()
    wanted["executor"]["device"] = "cuda"
    with pytest.raises(SystemExit, match="torch sees no GPU"):
        stage.build(index, tmp_path / "pcm", tmp_path / "mfcc", "mfcc", wanted)


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory):
    """A file system of 6 MB."""
    place = tmp_path_factory.mktemp("disk")
    needs.mount(place, "6m")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.fault
def test_a_full_disk_is_said_and_nothing_half_written_stays(small_disk, tunes, tmp_path):
    project = copy_project(tmp_path / "project")
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["datasets"] = {"mine": {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "x"}}
    params["training"]["dataset"] = "mine"
    params["features"] = {"stft": {"n_fft": 4096, "hop_length": 64}}  # 4 MB a clip
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    index = audio(tunes, project / "data/audio/mine")
    from pipelines.core.pcm import INDEX
    from pipelines.core.tables import write_table

    write_table(index, project / "data/audio/mine/index.parquet", INDEX)
    os.symlink(small_disk, project / "data/features", target_is_directory=True)
    command = [sys.executable, "-m", "pipelines.stages.features", "mine", "stft"]
    done = run_in(project, *command, check=False, CONSERVATORY_CACHE=str(small_disk / "cache"))
    assert done.returncode and "The disk is full" in done.stderr and "Traceback" not in done.stderr.split("The disk")[1]
    left = [path for path in Path(small_disk).rglob("*") if path.is_file() and "cache" not in path.parts]
    assert left == []
    assert not list(Path(small_disk).rglob("*.tmp"))
    shutil.rmtree(small_disk / "cache")


def test_stereo_is_averaged(tunes, tmp_path):
    for path in list(tunes.iterdir())[:4]:
        y, rate = soundfile.read(path)
        soundfile.write(path, np.stack([y, 0.25 * y], axis=1), rate)
    clips = listed(tunes)
    manifest, _ = manifest_stage.build(clips, PROJECT, {"workers": 1})
    found = {}
    for channels in (1, 2):
        index, _ = pcm_shards.build(
            manifest, tmp_path / f"pcm{channels}", AUDIO | {"channels": channels}, {"workers": 1}
        )
        out = tmp_path / f"mel{channels}"
        table, _ = stage.build(index, tmp_path / f"pcm{channels}", out, "log_mel", settings())
        frames = Crops(out)
        found[channels] = [
            frames(row.shard, row.offset, row.length).astype(float) for row in table.sort_values("clip_id").itertuples()
        ]
    for mono, stereo in zip(found[1], found[2], strict=True):
        # both are rounded to 16 bits, the one after averaging
        loud = mono > mono.max() - 60
        assert mono.shape == stereo.shape and np.abs(mono - stereo)[loud].max() < 0.5


def test_another_features_wrong_entry_stops_only_that(tunes, tmp_path):
    index = audio(tunes, tmp_path / "pcm")
    for wrong in ({"cqt": {"hop_lenght": 512}}, {"stftt": {}}, {"spectral_contrast": {"n_fft": 64}}):
        table, _ = stage.build(index, tmp_path / "pcm", tmp_path / "mel", "log_mel", settings(**wrong))
        assert len(table) == 10
        (name,) = wrong
        with pytest.raises(
            SystemExit, match=rf"features\.{name} in params\.yaml, at 16000 Hz: .*({name}|hop_lenght|n_fft)"
        ):
            command._checked(name, settings(**wrong))
