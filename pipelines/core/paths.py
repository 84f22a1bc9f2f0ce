"""Paths of the outputs of stages, relative to the project's folder. dvc.yaml has the same paths as text."""

from pathlib import Path

RAW, FEATURES, RECORDS, MODELS, REPORTS = "data/raw/", "data/features/", "data/records/", "models/", "reports/"
MANIFESTS, NOTES, EMBEDDINGS, PREDICTIONS = "data/manifests/", "data/notes/", "data/embeddings/", "data/predictions/"
"""The folders of outputs, as prefixes of the paths in dvc.lock."""


def raw(dataset: str) -> Path:
    """The published files of a dataset, or files built from installed packages."""
    return Path(RAW) / dataset


def manifest(dataset: str) -> Path:
    """One row per clip (`core.manifest.MANIFEST`); of a corpus, one per piece (`PIECES`)."""
    return Path(MANIFESTS) / f"{dataset}.parquet"


def manifest_quarantine(dataset: str) -> Path:
    """The files that the manifest stage, or for a corpus the notes stage, refused (`core.manifest.QUARANTINE`)."""
    return Path(MANIFESTS) / f"{dataset}.quarantine.parquet"


def events(dataset: str) -> Path:
    """Targets aligned to time (`core.events.EVENTS`); empty where the dataset has none."""
    return Path("data/events") / f"{dataset}.parquet"


def audio(dataset: str) -> Path:
    """int16 PCM shards, their `index.parquet`, and the `quarantine.parquet` of the manifest and audio stages."""
    return Path("data/audio") / dataset


def notes(corpus: str) -> Path:
    """The note table of a corpus and its maps (`notes.tables.TABLES`)."""
    return Path(NOTES) / corpus


def features(dataset: str, representation: str) -> Path:
    """One representation: shards and their `index.parquet`, or for a pooled one `pooled.parquet`."""
    return Path(FEATURES) / dataset / representation


def pooled(dataset: str) -> Path:
    """The pooled features, one row per clip (`features.POOLED`)."""
    return features(dataset, "pooled") / "pooled.parquet"


def view(dataset: str, name: str) -> Path:
    """A vector of each clip from its words or its notes."""
    return Path(f"data/views/{dataset}/{name}")


def combined(dataset: str, name: str) -> Path:
    """Two tables of one vector a clip, side by side."""
    return Path(f"data/combined/{dataset}/{name}")


def answers(dataset: str, task: str, run: str) -> Path:
    """What a fusion of runs reads of one of them: `about.json` (null where it cannot be fused), and of each training
    `test-<seed>.parquet` and `validation-<seed>.parquet`."""
    return Path(f"data/answers/{dataset}/{task}/{run}")


def copies(dataset: str) -> Path:
    """The group of each clip once near copies share one (`core.manifest.COPIES`)."""
    return Path("data/copies") / f"{dataset}.parquet"


def embeddings(dataset: str, name: str) -> Path:
    """The embedding of each clip by a tagger or baseline (`core.embeddings.EMBEDDINGS`)."""
    return Path(EMBEDDINGS) / dataset / f"{name}.parquet"


def predictions(dataset: str, tagger: str) -> Path:
    """The tag scores of each clip (`core.embeddings.PREDICTIONS`)."""
    return Path(PREDICTIONS, "tagging", dataset, f"{tagger}.parquet")


def clusters(dataset: str) -> Path:
    """Scores, confusions, assignments and maps of clusterings."""
    return Path("data/clusters") / dataset


def study(dataset: str) -> Path:
    """Other clusterings, probes, neighbours and comparisons."""
    return Path("data/study") / dataset


def leaks(dataset: str) -> Path:
    """Test clips that are also in the training data, and the scores without them."""
    return Path("data/leaks") / f"{dataset}.json"


def space() -> Path:
    """The training dataset in every embedding."""
    return Path("data/space")


def ood(dataset: str) -> Path:
    """Other music in the space of the training dataset."""
    return Path("data/ood") / dataset


def degraded(dataset: str) -> Path:
    """Outputs for degraded clips (`core.embeddings.DEGRADED`)."""
    return Path("data/degraded") / f"{dataset}.parquet"


def robustness(dataset: str) -> Path:
    """The change of scores under each degradation."""
    return Path("data/robustness") / f"{dataset}.json"


def trained(tagger: str = "") -> Path:
    """The weights (safetensors), config and training history of a tagger; without a name, the folder of all."""
    return Path(MODELS, "tagging", tagger)


def exported(tagger: str = "") -> Path:
    """The ONNX model of a tagger and its config; without a name, the folder of all."""
    return Path(MODELS, "onnx", tagger)


def fitted(run: str = "") -> Path:
    """The models of a run, one for each of its trainings, and its `config.json`; without a name, the folder of all."""
    return Path(MODELS, "runs", run)


def scores(run: str = "") -> Path:
    """Scores (`scores.json`, `details.json`, `about.json`), predictions of each training and resampled scores of a run; without
    a name, the folder of all."""
    return Path("data/scores") / run


def records(stage: str = "") -> Path:
    """The records of a stage, `<key>.json` each (`core.record`); without a name, the folder of all stages."""
    return Path(RECORDS) / stage


def record(stage: str, key: str = "all") -> Path:
    """The record of a stage, of one of its items where it has some."""
    return records(stage) / f"{key}.json"


def report(part: str) -> Path:
    """Figures of all datasets, or of all runs, in git: `clustering`, `study`, `scores`, `differences` and others."""
    return Path(REPORTS) / f"{part}.json"


def page(name: str = "") -> Path:
    """The page of a dataset's study; without a name, the front page."""
    return Path(REPORTS, "pages", f"{name}.html") if name else Path(REPORTS, "index.html")


def task_page(family: str) -> Path:
    """The page of a family of tasks."""
    return page(f"task_{family}")
