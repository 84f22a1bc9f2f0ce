"""A folder of files through the stages: with more workers, and with a few new files."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pandas as pd

from engine.peers import RATE, make_clips, seconds
from pipelines.audio import shards as pcm_shards
from pipelines.datasets import listing
from pipelines.representations import build as representations
from pipelines.stages import manifest as manifest_stage

AUDIO = {
    "sample_rate": RATE,
    "channels": 1,
    "min_duration_s": 1.0,
    "silence_dbfs": -80.0,
    "shard_mb": 16,
    "cache": True,
}


def extract(source: Path, out: Path, workers: int, cached: bool) -> None:
    """A folder <label>/<file> to PCM shards and the two features of the demo, as the stages do it."""
    settings = {
        "audio": AUDIO | {"cache": cached},
        "features": {"log_mel": {"n_mels": 128}, "pooled": {}},
        "executor": {"kind": "processes", "workers": workers},
        "cache": {"limit_gb": 100 if cached else 0},
    }
    files = listing.scan(source)  # hashes new files; knows those it has seen
    clips = pd.DataFrame({"path": [str(source / path) for path in files["path"]], "sha256": files["sha256"]})
    manifest, _ = manifest_stage.build(clips, out, settings["executor"])
    index, _ = pcm_shards.build(manifest, out / "pcm", settings["audio"], settings["executor"])
    for name in settings["features"]:
        representations.build(index, out / "pcm", out / name, name, settings)


def collection(folder: Path, n_clips: int, wanted: Callable[[str], bool]) -> Iterator[tuple[str, float]]:
    os.environ["CONSERVATORY_CACHE"] = str(folder / "cache")
    os.chdir(folder)  # where the hashes of files are remembered
    paths = make_clips(folder / "made", n_clips + max(1, n_clips // 100), ("flac",))
    source = folder / "source" / "label"
    source.mkdir(parents=True)
    for path in paths[:n_clips]:
        os.link(path, source / path.name)
    out = folder / "out"

    def timed(workers: int, cached: bool) -> float:
        shutil.rmtree(out, ignore_errors=True)
        return seconds(extract, source.parent, out, workers, cached)

    timed(2, False)  # what is compiled is compiled, and all files have been read once
    if wanted("scaling"):
        times = [[timed(workers, False) for workers in (1, 2)] for _ in range(3)]
        yield "scaling", median(one / two for one, two in times)
    if wanted("increment"):
        all_of_it = timed(2, True)
        for path in paths[n_clips:]:
            os.link(path, source / path.name)
        yield "increment", timed(2, True) / all_of_it
    os.chdir("/")
