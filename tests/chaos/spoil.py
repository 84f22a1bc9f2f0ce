"""Bytes that change where they lie: shards, tables, models, checkpoints, dvc.lock, DVC's cache and lists, the cache of clips."""

import json
import os
import random
import shutil
from pathlib import Path

from chaos import kills, project

HIT = {
    "PCM shard": "data/audio/*/shard-*.npy",
    "feature shard": "data/features/*/log_mel/shard-*.npy",
    "Parquet": "data/**/*.parquet",
    "model": "models/**/model.*",
    "record or figures": "data/**/*.json",
    "checkpoint": ".cache/training/**/*.ckpt",
    "record of a training": ".cache/training/**/done",
    "cache of clips, arrays": ".cache/clips/*/*/*.npy",
    "cache of clips, records": ".cache/clips/*/*/*.json",
    "list of hashes": ".cache/hashes.json",
    "DVC's cache": ".dvc/cache/files/md5/??/*",
    "DVC's memory of runs": ".dvc/cache/runs/*/*/*",
    "dvc.lock": "dvc.lock",
}
HOW = ("a bit", "cut", "zeros")
MAKERS = {
    ".cache/training": ["train@short"],
    ".cache/clips": ["features@chords-log_mel", "features@mine-log_mel", "features@chords-pooled", "audio@chords"],
}
"""Who reads what DVC does not watch."""


def one(seed: int, reference: Path, folder: Path) -> str:
    """Spoil one file of one kind, make its readers stale where DVC would not read it, and run."""
    draw = random.Random(seed)
    kind = list(HIT)[seed % len(HIT)]
    how = draw.choice(HOW)
    place = project.copy(reference, folder / "project")
    path = draw.choice(sorted(path for path in place.glob(HIT[kind]) if path.is_file() and path.stat().st_size))
    name = path.relative_to(place).as_posix()
    spoil(path, how, draw)
    done = f"{kind}: {how} of {name}"
    if name.startswith(".dvc/cache/files"):
        lose_outputs(place, path)
    if kind == "cache of clips, arrays" and not path.parts[-3].endswith("_shards"):
        for shards in (place / ".cache/clips").glob("*_shards"):  # or nobody would read single clips
            shutil.rmtree(shards)
    there = kills.stages(place) if kind != "dvc.lock" else []
    for prefix, makers in MAKERS.items():
        for stage in makers if name.startswith(prefix) else ():
            if stage in there:
                project.forget(place, stage, cold=False)
    kills.rerun(place, reference, done)
    return done


def spoil(path: Path, how: str, draw: random.Random) -> None:
    """In place, so that every name of the file has it."""
    mode = path.stat().st_mode
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    if how == "a bit":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del content[draw.randrange(len(content)) :]
    else:
        first = draw.randrange(len(content))
        content[first : first + 64] = bytes(len(content[first : first + 64])) or b"\0"
    with open(path, "r+b") as file:
        file.write(content)
        file.truncate(len(content))
    path.chmod(mode)
    os.utime(path)


def lose_outputs(place: Path, spoilt: Path) -> None:
    """Take away the outputs that a spoilt copy in DVC's cache is of, so that they must come from there."""
    oid = spoilt.parent.name + spoilt.name
    for entry in project.locked(place).values():
        for out in entry["outs"]:
            cached = place / ".dvc/cache/files/md5" / out["md5"][:2] / out["md5"][2:]
            try:
                members = json.loads(cached.read_text()) if out["md5"].endswith(".dir") else []
            except (ValueError, FileNotFoundError):  # it is the spoilt one, or not cached
                members = []
            if oid in (out["md5"], *(member["md5"] for member in members)):
                path = place / out["path"]
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
