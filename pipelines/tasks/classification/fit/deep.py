"""Train and read networks: chunks of frames or samples of the training clips, early stopping on validation, safetensors.

A network's file has `network(n_classes, n_bands, width) -> nn.Module`, `BANDS` (does it read frames, or samples), `LONGEST` (rows
of a chunk at most) and `PARAMETERS`, what it changes of the ones here. The module has `front(chunks)`, which does nothing here,
and `classify(chunks) -> (logits (batch, n_classes), embedding (batch, d))`: chunks are `(batch, frames, bands)` as shards have
them, or samples `(batch, samples)`. The first layer normalises by statistics of training batches. A network of frames that is
given samples computes its mel spectrum itself (`mel.py`), so that samples can be augmented. `NOTES = True`: rows are notes.

Training is the taggers' (pipelines/training): random chunks drawn from (seed, epoch, item), dropout and augmentation from (seed,
step), so that a killed run goes on and ends with the same weights. A clip's logits are the means over its chunks.

With `target: tags` a network has one output a label, and thresholds of the best F1 on validation (`objectives.py`).
"""

import hashlib
import json
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from scipy.special import softmax
from torch import nn

from pipelines.core import chunks, params, paths, shards
from pipelines.core.files import atomic, read_json, sha256, write_json
from pipelines.core.record import loaded_code
from pipelines.core.tables import read_table
from pipelines.metrics import multilabel as scores
from pipelines.tasks import Run, part
from pipelines.tasks.classification.fit import answers, labelled, mel, multilabel, objectives, preparation
from pipelines.training import augment
from pipelines.training import fit as training

PARAMETERS: dict[str, Any] = {
    "epochs": 30,
    "learning_rate": 0.001,
    "weight_decay": 0.0001,
    "batch_size": 32,
    "chunks_per_clip": 1,
    "patience": 8,
    "precision": "32-true",
    "width": 1.0,
    "chunk": 0,
    "scale": "decibel",
    "augment": {},
}
"""Of every network, as in the recipes of params.yaml. chunk: rows (frames or samples) of a chunk; 0: as many as the median of the
training clips has, at most `LONGEST`. scale: of the mel spectrum that a network of frames computes of samples."""
WORDS = {"precision": ("32-true", "bf16-mixed", "auto"), "scale": mel.SCALES}
CHECKPOINTS = Path(".cache/training/runs")


def fit(run: Run, seed: int, folder: Path) -> dict:
    """Writes model.safetensors, history.csv and config.json: classes, parameters, what it reads, temperature; of several labels a
    clip also their thresholds and their shares of the training clips (`priors`)."""
    several, module = multilabel.is_multi_label(run), part(run.task, f"models.{run.model}")
    if several:
        multilabel.check(run.options)
    data = multilabel.read(run) if several else labelled.read(run)
    settings = _settings(run, module, seed) | {"monitor": "map" if several else "macro_f1"}
    ids = data.clips["clip_id"].to_numpy(str)
    held = data.of("validation")
    rows = preparation.training_rows(data.of("train"), data.classes, run.options["imbalance"], seed)
    classes = np.array(data.labels) if several else np.unique(data.classes[rows])
    held = held if several else held[np.isin(data.classes[held], classes)]
    if not len(held):
        raise ValueError(f"model {run.model} stops early on validation clips, and dataset {run.dataset!r} has none")
    clips = _clips(run.input, settings["chunk"] or _median(run, ids[rows], module), module)
    n_bands = _bands(clips, module)
    torch.manual_seed(seed)
    network = _network(module, len(classes), n_bands, settings, clips.waveform)
    given = {
        "clips": clips,
        "train_ids": ids[rows].tolist(),
        "train_tags": _targets(data.classes[rows], classes),
        "validation_ids": ids[held].tolist(),
        "validation_tags": _targets(data.classes[held], classes),
        "weights": _weights(data.classes[rows], classes, run.options["imbalance"]),
    }
    kind = objectives.Labelling if several else objectives.Classifying
    place = _place(run, seed, settings)
    figures = training.fit(run.name, network, given, settings, place, kind)
    truth, logits = given["validation_tags"], objectives.logits_of(network, clips, given["validation_ids"])
    temperature = (answers.of_labels if several else answers.temperature)(
        logits, truth if several else truth.argmax(axis=1)
    )
    with atomic(folder / "model.safetensors") as temporary:
        tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        temporary.write_bytes(safetensors.torch.save(tensors))
    shutil.copy(place / "history.csv", folder / "history.csv")
    chosen = {name: settings[name] for name in PARAMETERS} | {"chunk": clips.length}
    config = {"classes": classes.tolist(), "parameters": chosen, "temperature": temperature, "features": n_bands}
    if several:
        limits = scores.thresholds(truth > 0, answers.two_classes(logits, temperature))
        config |= {"thresholds": limits.tolist(), "priors": data.classes[rows].mean(axis=0).tolist()}
    write_json(folder / "config.json", config | {"figures": figures})
    kept = ("epochs", "best epoch", kind.FIGURE[0], "parameters")
    told = {"clips": len(rows), "classes": len(classes)} | {name: figures[name] for name in kept}
    return told | (multilabel if several else labelled).without_label(run, data)


def probabilities(run: Run, folder: Path, clip_ids: np.ndarray, source: Path | None = None) -> np.ndarray:
    """`(clips, classes)` in the order of the config's classes; of several labels each by itself.

    source: shards of clips in no dataset, as `run.input` has them.
    Raises `ValueError` where the files are no network of the run."""
    config, module = read_json(folder / "config.json"), part(run.task, f"models.{run.model}")
    clips = _clips(source or run.input, config["parameters"]["chunk"], module)
    network = _network(module, len(config["classes"]), config["features"], config["parameters"], clips.waveform)
    try:
        network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except (safetensors.SafetensorError, RuntimeError, OSError) as error:
        told = " ".join(str(error).split())
        raise ValueError(f"{folder}/model.safetensors is no network {run.model}, or is damaged: {told:.200}") from error
    found = objectives.logits_of(network.eval(), clips, clip_ids.tolist()).astype(np.float64)
    if "thresholds" in config:
        return answers.two_classes(found, config["temperature"])
    return softmax(found / config["temperature"], axis=1)


def _network(module: ModuleType, n_classes: int, n_bands: int, parameters: dict, waveform: bool) -> nn.Module:
    """Images are stored channels last: a CPU's training step of cnn2d then takes two thirds of the time."""
    network = module.network(n_classes, n_bands, parameters["width"]).to(memory_format=torch.channels_last)
    return mel.OnSamples(network, parameters["scale"]) if waveform and module.BANDS else network


def _bands(clips: chunks.Clips, module: ModuleType) -> int:
    """Values a frame that the network reads; 0 where it reads samples."""
    if not module.BANDS:
        return 0
    return mel.N_MELS if clips.waveform else clips.read.arrays[0].shape[1]


def _settings(run: Run, module: ModuleType, seed: int) -> dict:
    """What pipelines/training takes. Raises `ValueError` for a parameter that networks do not have."""
    known = PARAMETERS | module.PARAMETERS
    for name, value in run.options["parameters"].items():
        if name not in known:
            raise ValueError(f"model {run.model} has no parameter {name!r}; it has {', '.join(known)}")
        if isinstance(value, list):
            raise ValueError(
                f"parameter {name} of {run.model} is a list: a network takes one value, and early stopping chooses"
            )
        if name == "augment":
            if not isinstance(value, dict):
                raise ValueError(f"parameter augment of {run.model} is {value!r}, and must be a table")
        elif name in WORDS:
            if value not in WORDS[name]:
                raise ValueError(
                    f"parameter {name} of {run.model} is {value!r}, and must be {' or '.join(WORDS[name])}"
                )
        elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ValueError(f"parameter {name} of {run.model} is {value!r}, and must be a number, 0 or more")
    found = known | run.options["parameters"]
    if found["augment"] and getattr(module, "NOTES", False):
        raise ValueError(f"parameter augment of {run.model}: augmentations are of sound, and the model reads notes")
    try:
        augment.check(found["augment"], run.input.name)
    except ValueError as error:
        raise ValueError(f"parameter augment of {run.model}: {error}") from error
    if found["scale"] != PARAMETERS["scale"] and not (module.BANDS and run.input.name == "waveform"):
        raise ValueError(f"parameter scale of {run.model} is for a network of frames that reads `waveform`")
    if run.input.name == "waveform" and (module.BANDS or found["augment"]):
        _check_rate(run.model, "its mel spectrum" if module.BANDS else "the augmentation of samples")
    if run.options["selection"] != "none":
        raise ValueError(f"model {run.model} is a network, and selects no features: leave out `selection`")
    if run.options["leave_out"]:
        raise ValueError(f"model {run.model} is a network, and reads all bands: leave out `leave_out`")
    phase = {name: found[name] for name in ("epochs", "learning_rate", "weight_decay")}
    fixed = {"recipe": run.model, "devices": 1, "seed": seed}
    return found | fixed | {"phases": [{"optimizer": "adamw", "schedule": "cosine", **phase}]}


def _check_rate(model: str, what: str) -> None:
    """Raises `ValueError` where audio is at another rate than that of the mel spectrum and of augmentations."""
    rate = params.read()["audio"]["sample_rate"] if params.PARAMS.exists() else mel.RATE
    if rate != mel.RATE:
        raise ValueError(
            f"model {model} reads `waveform`, and {what} is for {mel.RATE} Hz; audio.sample_rate in params.yaml is {rate}"
        )


def _clips(source: Path, chunk: int, module: ModuleType) -> chunks.Clips:
    """Chunks of `chunk` rows. Raises `ValueError` where the input is frames and the network reads samples."""
    clips = chunks.Clips(source, chunk - 1, 1)
    if clips.waveform:
        return chunks.Clips(source, chunk)
    if not module.BANDS:
        raise ValueError(f"{source} has frames, and the network reads `waveform`")
    return clips


def _median(run: Run, clip_ids: np.ndarray, module: ModuleType) -> int:
    longest = module.LONGEST * (mel.HOP_LENGTH if module.BANDS and run.input.name == "waveform" else 1)
    index = read_table(run.input / "index.parquet", shards.INDEX).set_index("clip_id")
    return int(min(longest, max(2, np.median(index.loc[clip_ids, "length"]))))


def _targets(classes: np.ndarray, names: np.ndarray) -> np.ndarray:
    """`(clips, classes)` float32: 1 for the class of each clip, or for each of its labels."""
    if classes.ndim == 2:
        return classes.astype(np.float32)
    return np.eye(len(names), dtype=np.float32)[np.searchsorted(names, classes)]


def _weights(classes: np.ndarray, names: np.ndarray, imbalance: str) -> np.ndarray:
    """Of each class in the loss."""
    if imbalance != "class_weights":
        return np.ones(len(names), np.float32)
    counts = np.unique(classes, return_counts=True)[1]
    return (len(classes) / (len(names) * counts)).astype(np.float32)


def _place(run: Run, seed: int, settings: dict) -> Path:
    """Where checkpoints lie: a killed training goes on only if it was the same one, with the same parameters, data and code."""
    hashes = [sha256(path) for path in [paths.manifest(run.dataset), *sorted(run.input.iterdir())]]
    identity = json.dumps([settings, dict(run.options), hashes, loaded_code()], sort_keys=True)
    place = CHECKPOINTS / f"{run.name}-{seed}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for other in CHECKPOINTS.glob(f"{run.name}-{seed}-*"):
        if other != place:
            shutil.rmtree(other)
    return place
