"""Small copies of the published datasets in their published layout: real rows of metadata where there are any, made sound."""

import csv
import hashlib
import io
import json
import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import soundfile

from pipelines.datasets import gtzan, jamendo, magnatagatune
from pipelines.datasets.sources.published import Remote

PUBLISHED = Path(__file__).parent / "published"
RATE = 16_000
FOLDS = {1: ("blues.00012 1", "blues.00013 1"), 2: ("blues.00029 2", "classical.00011 9"), 3: ("jazz.00054 3",)}
MTAT_TAGS = ["no voice", "guitar", "classical", "rock", "techno"]
MTAT = {  # path: (clip id, artist, tags)
    "0/a_band-first-01-one-0-29.mp3": (2, "A Band", ["guitar", "rock"]),
    "b/a_band-first-01-one-30-59.mp3": (6, "A Band", ["rock"]),
    "c/quartet-op.4-02-two-0-29.mp3": (10, 'The "Quartet"', ["classical", "no voice"]),
    "d/machine-on-03-three-0-29.mp3": (11, "Machine", ["techno", "rock"]),
    "f/machine-on-04-four-0-29.mp3": (12, "Machine", []),
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3": (35644, "Norine Braun", ["guitar"]),
}


def sound(path: Path, seed: int) -> Path:
    """Two seconds of a seeded tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(2 * RATE) / RATE
    y = 0.3 * np.sin(2 * np.pi * (110 + 10 * seed) * t) + 0.01 * np.random.default_rng(seed).standard_normal(len(t))
    soundfile.write(path, y, RATE)
    return path


def make_gtzan(folder: Path) -> dict:
    """Nineteen excerpts: copies are copies, and jazz.00054 is no sound. The index has the MD5 of what was made."""
    shutil.copytree(PUBLISHED / "gtzan", folder)
    path = folder / gtzan.INDEX.name
    index = json.loads(path.read_text())
    first: dict[str, Path] = {}
    for seed, (name, files) in enumerate(index["tracks"].items()):
        target = folder / "genres" / name.partition(".")[0] / f"{name}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        published_md5 = files["audio"][1]
        if published_md5 in first:
            shutil.copy(first[published_md5], target)
        elif name == "jazz.00054":
            target.write_bytes(b"no sound at all" * 100)
        else:
            first[published_md5] = sound(target, seed)
        files["audio"][1] = hashlib.md5(target.read_bytes()).hexdigest()
    path.write_text(json.dumps(index))
    (folder / "genres" / "blues" / "._blues.00012.wav").write_bytes(b"macOS leaves such files")
    for fold, rows in FOLDS.items():
        lines = [f"./{name.replace('.', '_')}.wav\t{artist}\n" for name, artist in map(str.split, rows)]
        (folder / f"f{fold}_evaluate_groups.txt").write_text("".join(lines))
    return {"module": "gtzan", "local": str(folder)}


def make_jamendo(folder: Path) -> dict:
    lists = folder / "splits" / "split-0"
    shutil.copytree(PUBLISHED / "mtg_jamendo", lists)
    paths = [path for tsv in lists.glob("*.tsv") for path in re.findall(r"\d\d/\d+(?=\.mp3)", tsv.read_text())]
    for seed, path in enumerate(sorted(paths)):
        sound(folder / "audio" / f"{path}.low.mp3", seed)
    return {"module": "jamendo", "local": str(folder)}


def make_magnatagatune(folder: Path) -> dict:
    """Tables with tabs and quotes as published, and one clip of 0 bytes as published."""
    folder.mkdir(parents=True)
    rows = [[clip, *(int(tag in tags) for tag in MTAT_TAGS), path] for path, (clip, _, tags) in MTAT.items()]
    _table(folder / "annotations_final.csv", [["clip_id", *MTAT_TAGS, "mp3_path"], *rows])
    columns = ["clip_id", "track_number", "title", "artist", "album", "url", "segmentStart", "segmentEnd"]
    columns += ["original_url", "mp3_path"]
    rows = [
        [clip, int(path.split("-")[2]), f"Song {path[0]}", who, "Album", "u", 0, 29, "o", path]
        for path, (clip, who, _) in MTAT.items()
    ]
    _table(folder / "clip_info_final.csv", [columns, *rows])
    for seed, path in enumerate(MTAT):
        sound(folder / path, seed)
    (folder / magnatagatune.EMPTY[0]).write_bytes(b"")
    return {"module": "magnatagatune", "local": str(folder)}


def serve_gtzan(folder: Path, host, patch) -> dict:
    """Put the copy on `host` as published, and the module's addresses there."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder / "genres", "genres")
    patch.setattr(gtzan, "ARCHIVE", put(host, "genres.tar.gz", buffer.getvalue()))
    patch.setattr(gtzan, "INDEX", put(host, gtzan.INDEX.name, (folder / gtzan.INDEX.name).read_bytes()))
    lists = {side: put(host, r.name, (folder / r.name).read_bytes()) for side, r in gtzan.FILTERED.items()}
    patch.setattr(gtzan, "FILTERED", lists)
    return {"module": "gtzan"}


def serve_jamendo(folder: Path, host, patch, quality: str = "low") -> dict:
    kind, sums = jamendo.KINDS[quality], []
    for place in sorted((folder / "audio").iterdir()):
        buffer, name = io.BytesIO(), f"raw_30s_{kind}-{place.name}.tar"
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path in place.iterdir():
                shown = path.name if quality == "low" else path.name.replace(".low", "")
                archive.add(path, f"{place.name}/{shown}")
        put(host, f"raw_30s/{kind}/{name}", buffer.getvalue())
        sums.append(f"{hashlib.sha256(buffer.getvalue()).hexdigest()} {name}\n")
    metadata = io.BytesIO()
    with zipfile.ZipFile(metadata, "w") as archive:
        for path in (folder / "splits").rglob("*.tsv"):
            archive.write(path, f"data/{path.relative_to(folder)}")
        archive.writestr("data/download/raw_30s_audio_sha256_tars.txt", "".join(sums))
    patch.setattr(jamendo, "METADATA", put(host, "data.zip", metadata.getvalue()))
    patch.setattr(jamendo, "LOW_LIST", put(host, jamendo.LOW_LIST.name, "".join(sums).encode()))
    patch.setattr(jamendo, "HOSTS", (f"{host.url}/gone", host.url))
    return {"module": "jamendo", "quality": quality}


def serve_magnatagatune(folder: Path, host, patch) -> dict:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for path in MTAT:
            archive.write(folder / path, path)
    content = whole.getvalue()
    third = len(content) // 3
    parts = {f"mp3.zip.00{n + 1}": content[n * third : None if n == 2 else (n + 1) * third] for n in range(3)}
    parts |= {path.name: path.read_bytes() for path in folder.glob("*.csv")}
    patch.setattr(magnatagatune, "REMOTES", {name: put(host, name, body) for name, body in parts.items()})
    return {"module": "magnatagatune"}


def put(host, path: str, content: bytes) -> Remote:
    host.files[f"/{path}"] = content
    return Remote(Path(path).name, (f"{host.url}/{path}",), (f"sha256:{hashlib.sha256(content).hexdigest()}",))


def _table(path: Path, rows: list[list]) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter="\t", quoting=csv.QUOTE_ALL).writerows(rows)
