"""Predictions of a fitted run for files that are in no dataset: their representation is computed as the pipeline computes it, and
`predict.py` of the run's family turns it into a prediction (pipelines/tasks/__init__.py)."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import tasks
from pipelines.audio import shards as pcm_shards
from pipelines.core import chunks, embeddings, manifest, paths
from pipelines.core.pcm import INDEX
from pipelines.core.tables import read_table, write_table
from pipelines.features import POOLED, WAVEFORM
from pipelines.features import load as load_feature
from pipelines.harness import executor
from pipelines.inference import onnx
from pipelines.inference.embedding import embed
from pipelines.models import baselines, encoders
from pipelines.models.encoders import encoding, fingerprints
from pipelines.notes import representations
from pipelines.predict import fitted
from pipelines.representations import build
from pipelines.stages import features, notes, score, symbols
from pipelines.stages import manifest as listing

Failed = list[dict]  # {"path", "reason"} each
NOT_OF_NEW_FILES = ("views", "combined")


def load(name: str, settings: dict) -> tasks.Run:
    """The run `name` of params.yaml. Checks that its family predicts, and that it was fitted with the present params.yaml.

    Raises `ValueError` that says what to do.
    """
    run = tasks.run(settings, name)
    if not (tasks.FOLDER / run.task / "predict.py").exists():
        raise ValueError(
            f"the family {run.task!r} of run {name!r} gives no predictions for new files (pipelines/tasks/{run.task}/predict.py)"
        )
    if run.input.parts[1] in NOT_OF_NEW_FILES:
        raise ValueError(
            f"run {name!r} reads {run.input}, for which a file of sound is not enough: no predictions for new files"
        )
    return fitted.checked(run, settings)


def predict(run: tasks.Run, files: list[Path], settings: dict) -> tuple[list[dict], Failed]:
    """(`{"path", "duration_s", **answer}` of each file, in their order; the files that cannot be used). By the first training."""
    represent = _notes if reads_notes(run, settings) else _sound
    build.SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build.SCRATCH) as folder:
        clips, failed, new = represent(run, files, Path(folder), settings)
        if clips.empty:
            return [], failed
        ids = clips["clip_id"].tolist()
        answers = tasks.part(run.task, "predict").predict(run, run.trainings[0][1], new, ids)
    return [
        {"path": path, "duration_s": round(seconds, 3), **answer}
        for path, seconds, answer in zip(clips["path"], clips["duration_s"], answers, strict=True)
    ], failed


def digest(run: tasks.Run) -> str:
    """16 hex digits of the files of the fitted model that answers, as data/scores/<run>/about.json has them."""
    return score.digest(run.trainings[0][1])


def reads_notes(run: tasks.Run, settings: dict) -> bool:
    """Whether the run's files are of notes (MIDI), not of sound."""
    return run.dataset in (settings.get("corpora") or {})


def _sound(run: tasks.Run, files: list[Path], folder: Path, settings: dict) -> tuple[pd.DataFrame, Failed, Path]:
    """(rows of a manifest of the files that can be used, the others, their representation in the form of `run.input`)."""
    rows = pd.DataFrame({"path": [str(path.absolute()) for path in files], "title": [str(path) for path in files]})
    rows = rows.assign(split="all", group=rows["path"], source="", licence="", tags=[[] for _ in files])
    clips, unread = listing.build(rows, folder, settings["executor"], "headers")
    (audio := folder / "audio").mkdir()
    wanted = settings["audio"] | {"cache": settings["cache"]["limit_gb"] > 0}
    index, unheard = pcm_shards.build(clips, audio, wanted, settings["executor"], "audio")
    clips = clips[clips["clip_id"].isin(index["clip_id"])].reset_index(drop=True)
    failed = _failed(rows, unread, unheard)
    clips["path"] = clips["title"]
    if clips.empty:
        return clips, failed, folder
    write_table(index, audio / "index.parquet", INDEX)
    if run.input.parts[1] == "embeddings":
        return clips, failed, _embedded(run, index, audio, folder, settings)
    return clips, failed, _represented(run.input.name, index, audio, folder, settings)


def _notes(run: tasks.Run, files: list[Path], folder: Path, settings: dict) -> tuple[pd.DataFrame, Failed, Path]:
    """As `_sound`, of MIDI files."""
    rows = pd.DataFrame({"path": [str(path.absolute()) for path in files], "title": [str(path) for path in files]})
    rows = rows.assign(split="all", group="", source="", licence="", sha256="", problem="")
    pieces, unread, found = notes.build(rows, {"module": "folder"}, settings["executor"])
    name = run.input.name
    (out := folder / name).mkdir()
    if found:
        table = zip(pieces["clip_id"], pieces["duration"], (piece.notes for piece in found), strict=True)
        entry = symbols.with_learned(settings["symbols"][name], run.input)
        symbols.write(representations.load(name), list(table), entry, out)
    pieces["path"] = pieces["title"]
    return pieces, _failed(rows, unread), out


def _represented(name: str, index: pd.DataFrame, audio: Path, folder: Path, settings: dict, entry: dict | None = None):
    """The folder with a representation of the clips of `audio`; `entry`: other parameters than those of params.yaml."""
    if name == WAVEFORM:
        return audio
    (out := folder / name).mkdir()
    if entry is not None:
        settings = {**settings, "features": {**settings["features"], name: entry}}
    table, _ = build.build(index, audio, out, name, settings, name)
    features.write(table, out, load_feature(name))
    return out


def _embedded(run: tasks.Run, index: pd.DataFrame, audio: Path, folder: Path, settings: dict) -> Path:
    """A table of embeddings of the clips of `audio`, by the tagger, encoder or baseline that made the run's input."""
    name, ids = run.input.stem, index["clip_id"].tolist()
    n_threads = executor.n_workers(settings["executor"]["workers"])
    if name in settings["baselines"]:
        vectors = _baseline(run, index, audio, folder, settings)
    elif entry := (settings.get("encoders") or {}).get(name):
        if entry["kind"] == encoders.VECTORS:
            raise ValueError(
                f"run {run.name!r} reads vectors that were made elsewhere (encoders.{name} in params.yaml): there is no "
                "model here that could make those of new files"
            )
        fingerprints.check(entry["fingerprint"], entry["path"])
        model, rate = encoders.open_encoder(entry), settings["audio"]["sample_rate"]
        vectors = np.stack(list(encoding.encode(model, audio, ids, rate, n_threads)))
    else:
        model, config = onnx.load(paths.exported(name))
        source = _represented(config["reads"], index, audio, folder, settings, config["representation"])
        data = chunks.Clips(source, config["chunk"], config["hop"])
        vectors = np.stack([vector for _, vector in embed(model, config, data, ids, n_threads)])
    embeddings.write(path := folder / run.input.name, ids, vectors)
    return path


def _baseline(run: tasks.Run, index: pd.DataFrame, audio: Path, folder: Path, settings: dict) -> np.ndarray:
    """The embeddings of a baseline, which is fitted on the clips of the run's dataset on which the stage fits it."""
    source = _represented("pooled", index, audio, folder, settings) / "pooled.parquet"
    try:
        clips, table = manifest.usable_clips(run.dataset), read_table(paths.pooled(run.dataset), POOLED)
    except OSError as error:
        raise ValueError(
            f"{run.input} is fitted on pooled features of {run.dataset}, and {error.filename} is not here: "
            f"`conservatory run {run.name}` or `dvc checkout` restores it"
        ) from error
    _, reference = manifest.scored_and_reference(clips)
    known = table.set_index("clip_id").loc[clips.loc[reference, "clip_id"]].to_numpy(np.float64)
    new = read_table(source, POOLED).set_index("clip_id").loc[index["clip_id"]].to_numpy(np.float64)
    return baselines.load(run.input.stem).embed(new, known, **settings["baselines"][run.input.stem])


def _failed(rows: pd.DataFrame, *quarantines: pd.DataFrame) -> Failed:
    """The unusable files, by the names under which they were given, in their order."""
    reasons = {row.path: row.reason for table in quarantines for row in table.itertuples()}
    return [{"path": row.title, "reason": reasons[row.path]} for row in rows.itertuples() if row.path in reasons]
