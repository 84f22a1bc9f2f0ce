"""A small but whole project as its stages would leave it: two datasets, taggers, scores, and a dvc.lock with true hashes.

Sound, tables and scores come from the project's own writers and metrics; embeddings are drawn around class means.
"""

import hashlib
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from pipelines.audio.shards import build
from pipelines.core import paths, pcm, shards
from pipelines.core.files import sha256, write_json
from pipelines.core.manifest import MANIFEST, NOTES, QUARANTINE
from pipelines.core.tables import read_table, write_table
from pipelines.evaluation import clustering
from pipelines.features import log_mel
from pipelines.metrics import tagging
from pipelines.report import dataset_page, front, state
from pipelines.stages import page, report

RATE = 16_000
HOSTILE = "<script>alert(\"1\")</script> & 'Übung' ☃ </title>"
SETTINGS = {
    "executor": {"kind": "processes", "workers": 1},
    "datasets": {
        "scores": {"module": "scores", "imports": "pipelines/symbolic", "seed": 7},
        "mine": {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music & more"},
    },
    "audio": {
        "sample_rate": RATE,
        "channels": 1,
        "min_duration_s": 0.1,
        "silence_dbfs": -80.0,
        "shard_mb": 128,
    },
    "max_quarantined": {"default": 0.5},
    "features": {"log_mel": {"n_fft": 512, "hop_length": 256, "n_mels": 128, "fmin": 0, "fmax": 8000}},
    "recipes": {
        "modern": {"phases": [{"optimizer": "adamw", "learning_rate": 0.001, "epochs": 3}], "precision": "auto"}
    },
    "taggers": {
        "short": {"network": "short", "reads": "log_mel", "recipe": "modern", "width": 0.25, "epochs": 3},
        "sample": {"network": "sample", "reads": "waveform", "recipe": "modern", "width": 0.5, "epochs": 3},
    },
    "baselines": {"pooled_pca": {"dimensions": 4, "seed": 3}},
    "training": {"dataset": "scores", "seed": 5},
    "clustering": {"maps": ["tsne", "umap"], "seed": 11},
    "report": {"excerpt_s": 1.0, "max_players": 18, "n_examples": 3, "n_queries": 2},
}
STYLES = ("Bach chorales", "Irish reels", "Palestrina masses", "Ragtime")
VOICES = ("one voice", "four voices")
LABELS = (HOSTILE, "blues", "rock 'n' roll")


def lay_out(root: Path, n_mine: int = 15, labels: tuple[str, ...] = LABELS) -> None:
    """Write the project into `root`, which must be the working folder. Of `labels`, the first has a single clip."""
    (root / "params.yaml").write_text(yaml.safe_dump(SETTINGS, sort_keys=False), encoding="utf-8")
    styles = [{"style": STYLES[i % 4], "voices": VOICES[i % 4 == 0]} for i in range(40)]
    scores = _clips("scores", styles, ["train", "validation", "test", "test"])
    mine = _clips("mine", [{"label": labels[1 + i % (len(labels) - 1) if i else 0]} for i in range(n_mine)], ["all"])
    _write_notes(scores)
    for name, clips in (("scores", scores), ("mine", mine)):
        _write_dataset(
            name, clips, [] if name == "scores" else [(f"/music/{HOSTILE}.wav", "truncated: too <b>short</b>")]
        )
        _write_features(name)
        _write_clusters(name, clips, null_silhouette=name == "mine")
    _write_taggers(scores)
    write_lock()


def _clips(name: str, labels: list[dict], splits: list[str]) -> pd.DataFrame:
    rows, folder = [], Path("data/raw") / name
    folder.mkdir(parents=True)
    for i, own in enumerate(labels):
        path = folder / f"clip {i:02d}.wav"
        t = np.arange(int((1.6 + 0.02 * i) * RATE)) / RATE
        y = 0.2 * np.sin(2 * np.pi * 220 * 2 ** (i % 12 / 12) * t) * np.exp(-t)
        soundfile.write(path, y, RATE)
        rows.append(
            {
                "clip_id": f"{name}{i:02d}",
                "path": str(path),
                "title": HOSTILE if i == 2 else f"{next(iter(own.values()))}, no. {i}",
                "tags": [f"{key}:{value}" for key, value in own.items()] if name == "scores" else [],
                "split": splits[i // 4 % len(splits)],
                "group": f"work {i}",
                "duplicate_of": None,
                "duration_s": len(t) / RATE,
                "sample_rate": RATE,
                "channels": 1,
                "n_bytes": path.stat().st_size,
                "sha256": sha256(path),
                "source": HOSTILE if name == "mine" else "a corpus",
                "licence": "public domain",
                **{f"target_{key}": value for key, value in own.items()},
            }
        )
    return pd.DataFrame(rows).astype({"sample_rate": "int32", "channels": "int32"})


def _write_dataset(name: str, clips: pd.DataFrame, refused: list) -> None:
    write_table(clips, f"data/manifests/{name}.parquet", MANIFEST)
    index, bad = build(clips, f"data/audio/{name}", SETTINGS["audio"] | {"cache": False}, {"workers": 1})
    assert bad.empty
    write_table(index, f"data/audio/{name}/index.parquet", pcm.INDEX)
    rows = [{"path": path, "stage": "manifest", "reason": reason, "exception": ""} for path, reason in refused]
    quarantine = pd.DataFrame(rows, columns=["path", "stage", "reason", "exception"])
    write_table(quarantine, f"data/audio/{name}/quarantine.parquet", QUARANTINE)
    checks = {"every clip accounted for": {"passed": name == "scores", "detail": f"of {name}"}}
    write_json(f"data/records/raw/{name}.json", {"figures": {"clips": len(clips)}, "checks": checks})


def _write_notes(clips: pd.DataFrame) -> None:
    rows = [
        {"path": Path(clip.path).name, "voice": voice, "program": 19, "pitch": 60 + i % 12 - 12 * voice, "velocity": 80,
         "onset_s": 0.25 * step, "duration_s": 0.2}
        for i, clip in enumerate(clips.itertuples()) for voice in range(2) for step in range(8)
    ]  # fmt: skip
    table = pd.DataFrame(rows).astype({key: "int32" for key in ("voice", "program", "pitch", "velocity")})
    write_table(table, "data/raw/scores/notes.parquet", NOTES)


def _write_features(name: str) -> None:
    index = read_table(f"data/audio/{name}/index.parquet", pcm.INDEX)
    sound = shards.open_shards(f"data/audio/{name}")
    folder, rows = Path("data/features") / name / "log_mel", []
    with shards.writer(shards.shard_path(folder, 0), "float16", (128,)) as write_clip:
        for row in index.itertuples():
            y = sound[row.shard][row.offset : row.offset + row.length].astype(np.float32) / 32768
            offset, length = write_clip([log_mel.compute(y, RATE)])
            rows.append({"clip_id": row.clip_id, "shard": 0, "offset": offset, "length": length})
    write_table(pd.DataFrame(rows), folder / "index.parquet", shards.INDEX)


def _write_clusters(name: str, clips: pd.DataFrame, null_silhouette: bool) -> None:
    scored = clips[clips["split"].isin(["test", "all"])].reset_index(drop=True)
    records, confusions, assignments, maps = {}, {}, [], []
    for place, embedding in enumerate(("short", "sample", "pooled_pca")):
        generator = np.random.default_rng(place)
        for target in (key.removeprefix("target_") for key in clips if key.startswith("target_")):
            labels = scored[f"target_{target}"]
            classes = sorted(labels.unique())
            actual = np.array([classes.index(label) for label in labels])
            centres = (4, 1.2, 0.7)[place] * np.eye(len(classes), max(6, len(classes)))
            points = centres[actual] + generator.standard_normal((len(scored), centres.shape[1]))
            record, predicted, confusion = clustering.evaluate(points, actual, classes, 2, 50, 20, 1)
            if null_silhouette:
                record["silhouette"] = None
            records.setdefault(target, {})[embedding] = record
            confusions.setdefault(target, {})[embedding] = {"classes": classes, "counts": confusion.tolist()}
            assignments.append(
                pd.DataFrame(
                    {"clip_id": scored["clip_id"], "target": target, "embedding": embedding, "actual": labels,
                     "predicted": [classes[i] for i in predicted]}
                )
            )  # fmt: skip
        for method in ("tsne", "umap"):
            x, y = (points[:, :2] * (1 if method == "tsne" else -1)).T.astype(np.float32)
            maps.append(
                pd.DataFrame({"clip_id": scored["clip_id"], "embedding": embedding, "method": method, "x": x, "y": y})
            )
    folder = Path("data/clusters") / name
    write_json(folder / "scores.json", records)
    write_json(folder / "confusions.json", confusions)
    write_table(pd.concat(assignments, ignore_index=True), folder / "assignments.parquet", state.ASSIGNMENTS)
    write_table(pd.concat(maps, ignore_index=True), folder / "maps.parquet", state.MAPS)


def _write_taggers(clips: pd.DataFrame) -> None:
    test = clips[clips["split"] == "test"]
    tags = sorted({tag for present in clips["tags"] for tag in present})
    truth = np.array([[tag in present for tag in tags] for present in test["tags"]], np.float32)
    found = {}
    for place, name in enumerate(("short", "sample")):
        scores = truth * 0.3 + np.random.default_rng(place).random(truth.shape)
        record = tagging.evaluate(truth, scores, tags, 50, 1)
        found[name] = {
            key: {
                "value": record[key],
                "ci95": record[f"{key}_ci95"],
                "n": record["n"],
                "baseline": record["baseline"][key],
            }
            for key in ("roc_auc", "pr_auc")
        }
        folder = Path("models/tagging") / name
        figures = {
            **{"epochs": 3, "best epoch": 2, "validation ROC-AUC": 0.71, "precision": "32-true", "parameters": 1234},
            **{"recipe": "modern", "device": "CPU"},
        }
        config = {"name": name, "width": 0.25, "tags": tags, "reads": "log_mel", "chunk": 59049, "dataset": "scores"}
        config |= {"clips": {"train": 12, "validation": 8}, "training": {"monitor": "roc_auc"}, "figures": figures}
        write_json(folder / "config.json", config)
        rows = [f"{epoch},{0.7 / epoch:.6f},{0.6 + 0.05 * epoch:.6f},{0.3 + 0.05 * epoch:.6f}" for epoch in (1, 2, 3)]
        header = "epoch,loss,validation_roc_auc,validation_pr_auc"
        (folder / "history.csv").write_text("\n".join([header, *rows]) + "\n")
        history = dict(
            zip(header.split(","), zip(*(map(float, row.split(",")) for row in rows), strict=True), strict=True)
        )
        trained = {"config": {key: config[key] for key in ("figures", "reads", "tags", "width")}, "history": history}
        write_json(f"data/scores/{name}/details.json", record | trained)
        write_json(f"data/scores/{name}/about.json", {"task": "tagging"})
    write_json("reports/scores.json", {"tagging": found})


def write_lock() -> None:
    """A dvc.lock of the shape DVC writes, over what lies in the working folder."""
    code = {"path": "pipelines/core/files.py", "hash": "md5", "md5": "c0de" * 8, "size": 1}
    stages = {}

    def add(name: str, outs: list[str], deps: list[str], **params) -> None:
        stages[name] = {
            "cmd": f"python -m pipelines.stages.{name.replace('@', ' ')}",
            "deps": [{"path": path, "hash": "md5", **_hashed(path)} for path in deps] + [code],
            "params": {"params.yaml": params},
            "outs": [{"path": path, "hash": "md5", **_hashed(path)} for path in outs],
        }

    for name in ("scores", "mine"):
        add(f"raw@{name}", [f"data/raw/{name}", f"data/records/raw/{name}.json"], [])
        manifest, entry = f"data/manifests/{name}.parquet", {f"datasets.{name}": SETTINGS["datasets"][name]}
        add(f"manifest@{name}", [manifest], [f"data/raw/{name}"], **entry)
        add(f"audio@{name}", [f"data/audio/{name}"], [manifest, f"data/raw/{name}"], audio=SETTINGS["audio"])
        add(f"features@{name}-log_mel", [f"data/features/{name}/log_mel"], [f"data/audio/{name}"])
        add(
            f"cluster@{name}",
            [f"data/clusters/{name}"],
            [f"data/audio/{name}/index.parquet"],
            clustering=SETTINGS["clustering"],
        )
    for name in ("short", "sample"):
        add(
            f"train@{name}", [f"models/tagging/{name}"], ["data/features/scores/log_mel"], training=SETTINGS["training"]
        )
        add(f"tagging@{name}", [f"data/scores/{name}"], [f"models/tagging/{name}"])
    add("compare", ["reports/scores.json"], ["data/scores"])
    add("stale@gone", ["data/clusters/gone"], [])
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=True))


def _hashed(path: str) -> dict:
    """A hash that depends on every byte; a folder's ends in .dir, as DVC's does."""
    place = Path(path)
    if place.is_file():
        return {"md5": hashlib.md5(place.read_bytes()).hexdigest()}
    files = [file for file in sorted(place.rglob("*")) if file.is_file()]
    found = {str(file.relative_to(place)): hashlib.md5(file.read_bytes()).hexdigest() for file in files}
    return {"md5": hashlib.md5(json.dumps(found).encode()).hexdigest() + ".dir"}


class Reader(HTMLParser):
    """What a test wants to know of a page: tables by their attributes, marks, ids, links, and the order of blocks."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.tables: list[dict] = []  # {"attributes", "rows": [[{"attributes", "text"}]]}
        self.marks: list[dict] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.scripts: dict[str, str] = {}
        self.blocks: list[list[str]] = [[]]  # "figure", "table", "mark" between headings
        self.text = ""
        self.open: list[str] = []
        self.script = ""
        self.feed(html)

    def handle_starttag(self, tag, pairs):
        attributes = dict(pairs)
        self.tags.append(tag)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.addresses += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        if tag == "script":
            self.script = attributes.get("id", "page")
        elif tag in ("h1", "h2", "h3", "summary"):
            self.blocks.append([tag])
        elif tag in ("figure", "table"):
            self.blocks[-1].append(tag)
        if "mark" in attributes.get("class", "").split():
            self.marks.append(attributes)
            self.blocks[-1].append("mark")
        if tag == "table":
            self.tables.append({"attributes": attributes, "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append({"attributes": attributes, "text": ""})
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag == "script":
            self.script = ""
        elif tag in ("td", "th"):
            self.open.pop()

    def handle_data(self, text):
        if self.script:
            self.scripts[self.script] = self.scripts.get(self.script, "") + text
            return
        self.text += text
        if self.open:
            self.tables[-1]["rows"][-1][-1]["text"] += text

    def table(self, **attributes) -> list[list[dict]]:
        """The rows of the one table whose data-attributes are these."""
        wanted = {f"data-{key}": value for key, value in attributes.items()}
        found = [table["rows"] for table in self.tables if wanted.items() <= table["attributes"].items()]
        assert len(found) == 1, (attributes, len(found))
        return found[0]


def read(html: str) -> Reader:
    reader = Reader(html)
    reader.html = html
    return reader


@pytest.fixture(scope="session")
def laid_out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        lay_out(folder)
    return folder


def make_pages() -> dict[str, Path]:
    """Run the stages that make pages in the working folder; "front" or the dataset -> its page."""
    for name in ("scores", "mine"):
        page.main(name)
    report.main()
    return {"front": paths.page().absolute()} | {name: paths.page(name).absolute() for name in ("scores", "mine")}


@pytest.fixture(scope="session")
def pages_made(laid_out):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(laid_out)
        return make_pages()


@pytest.fixture(scope="session")
def pages_read(pages_made):
    return {name: read(path.read_text(encoding="utf-8")) for name, path in pages_made.items()}


@pytest.fixture
def seen(pages_read, laid_out, monkeypatch):
    """The pages of the project as laid out, read; the project is the working folder, to be left as it is."""
    monkeypatch.chdir(laid_out)
    return pages_read


@pytest.fixture
def project(laid_out, tmp_path, monkeypatch):
    """The project as the working folder; a copy, to be spoiled freely."""
    folder = tmp_path / "project"
    shutil.copytree(laid_out, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def lay_out_in(monkeypatch):
    """`lay_out_in(folder, **options)`: a project of another size, as the working folder."""

    def make(folder: Path, **options) -> None:
        monkeypatch.chdir(folder)
        lay_out(folder, **options)

    return make


def rendered(name: str = "scores") -> Reader:
    """A page of the project in the working folder: of a dataset, or "front"."""
    if name == "front":
        return read(front.render(state.read())[0])
    return read(dataset_page.render(state.read({name}), name)[0])


@pytest.fixture
def render():
    """`render(name) -> Reader`, as `rendered`."""
    return rendered
