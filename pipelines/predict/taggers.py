"""Tag audio files of any length, in bounded memory, without adding them to a dataset."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from pipelines.audio import decode, level, probe
from pipelines.core import paths
from pipelines.core.files import read_json, sha256
from pipelines.core.pcm import to_float
from pipelines.harness import executor
from pipelines.inference import onnx
from pipelines.inference.embedding import in_threads
from pipelines.inference.fronts import SAMPLE_RATE
from pipelines.ops.settings.kinds import nearest

TRAINED, EXPORTED = paths.trained(), paths.exported()
BATCH_SIZE = 8  # chunks; of 29 s they are 15 MB
SILENCE_DBFS = -80.0  # as audio.silence_dbfs of the demo


def load_model(name: str, architecture: str = "", tags: list[str] | None = None) -> tuple[Callable, dict]:
    """(hear, config with "name" (the architecture), "tags", "chunk", and "file" and "sha256" of the weights) for the name
    of a trained tagger, a folder that has one (trained or exported), or a published checkpoint `.pth`, which holds neither its
    architecture nor its tags.

    `hear`: int16 chunks `(batch, samples)` -> (probabilities `(batch, tags)`, embeddings `(batch, d)`), float32. By a trained
    tagger's exported model where there is one of its very weights, else by PyTorch. Raises `ValueError` that says what there
    is, or what is missing.
    """
    if name.endswith(".pth"):
        if not architecture:
            raise ValueError(f"{name} does not name its network: give --architecture")
        from pipelines.models import taggers

        model = taggers.load_published(architecture, name)
        n_tags = taggers.count_tags(model)
        tags = tags or [f"tag {number}" for number in range(n_tags)]
        if len(tags) != n_tags:
            raise ValueError(f"{name} has {n_tags} tags, and --tags lists {len(tags)}")
        return _by_torch(model), {
            "name": architecture,
            "tags": tags,
            "chunk": taggers.load_module(architecture).CHUNK,
            **_identity(Path(name)),
        }
    if architecture or tags:
        raise ValueError(f"--architecture and --tags are for a published .pth: {name} contains both")
    given = Path(name)
    if (given / "model.onnx").exists():
        return _by_onnx(given)
    if not (given / "config.json").exists():
        exported, given = EXPORTED / name, TRAINED / name
        if (exported / "config.json").exists() and _is_of(exported, given):
            return _by_onnx(exported)
    if not (given / "config.json").exists():
        trained = sorted(path.parent.name for path in TRAINED.glob("*/config.json"))
        trained += sorted(path.parent.name for path in paths.fitted("").glob("*/config.json"))
        near = nearest(name, trained)
        raise ValueError(
            f"there is no trained tagger and no fitted run {name!r}{f' (do you mean {near}?)' if near else ''}; there is "
            f"{', '.join(trained) or 'none yet: `conservatory run` makes them'}"
        )
    from pipelines.models import taggers

    model, config = taggers.load(given)
    return _by_torch(model), config | _identity(given / "model.safetensors")


def _identity(weights: Path) -> dict:
    return {"file": str(weights), "sha256": sha256(weights)}


def _is_of(exported: Path, trained: Path) -> bool:
    """Whether an exported model has the trained weights, or there are none to compare with."""
    weights = trained / "model.safetensors"
    return not weights.exists() or read_json(exported / "config.json")["weights"] == sha256(weights)


def _by_onnx(folder: Path) -> tuple[Callable, dict]:
    tagger, config = onnx.load(folder)

    def hear(chunks: np.ndarray) -> list[np.ndarray]:
        found = in_threads(lambda chunk: onnx.hear(tagger, config, chunk), chunks, executor.n_workers())
        return [np.stack(values) for values in zip(*found, strict=True)]

    return hear, config | _identity(folder / "model.onnx")


def _by_torch(model) -> Callable:
    import torch

    def hear(chunks: np.ndarray) -> list[np.ndarray]:
        with torch.no_grad():
            return [
                values.numpy() for values in model(torch.from_numpy(to_float(chunks.ravel()).reshape(chunks.shape)))
            ]

    return hear


def predict(hear: Callable, config: dict, path: str | os.PathLike) -> dict:
    """Tags and embedding of one file by a model (`load_model`):

    {"path", "duration_s", "decoded_s" (from the start), "probabilities" `(tags,)`: means over chunks, "embedding" `(d,)`:
    likewise, "start_s" `(chunks,)`, "timeline" `(chunks, tags)`}; float32. Chunks do not overlap; the rest after the last whole
    one is not used; a file shorter than a chunk is repeated. Raises `Unreadable` with the reason for a file that cannot be
    used, or is silent.

    A chunk's log-mel is made of the chunk alone. The embed stage cuts chunks from the log-mel of the whole clip, on whole
    frames, and sees across their edges: its figures of a file may differ in the third decimal.
    """
    chunk, outputs, found = config["chunk"], [], {}
    waiting = np.zeros(0, np.int16)
    for block in level.measure(decode.blocks(path, SAMPLE_RATE), SAMPLE_RATE, found):
        waiting = np.concatenate([waiting, block])
        while len(waiting) >= BATCH_SIZE * chunk:
            outputs.append(hear(waiting[: BATCH_SIZE * chunk].reshape(-1, chunk)))
            waiting = waiting[BATCH_SIZE * chunk :]
    if not (n_samples := found["n_samples"]):
        raise probe.Unreadable("it contains no samples")
    level.refuse(found, SAMPLE_RATE, {"min_duration_s": 0, "silence_dbfs": SILENCE_DBFS})
    if whole := len(waiting) // chunk:
        outputs.append(hear(waiting[: whole * chunk].reshape(-1, chunk)))
    elif not outputs:
        outputs.append(hear(np.resize(waiting, (1, chunk))))
    timeline, embeddings = (np.concatenate(values) for values in zip(*outputs, strict=True))
    return {
        "path": str(path),
        "duration_s": n_samples / SAMPLE_RATE,
        "decoded_s": min(n_samples, len(timeline) * chunk) / SAMPLE_RATE,
        "probabilities": timeline.mean(axis=0),
        "embedding": embeddings.mean(axis=0),
        "start_s": np.arange(len(timeline)) * chunk / SAMPLE_RATE,
        "timeline": timeline,
    }


def top(found: dict, tags: list[str], n: int = 5) -> list[tuple[str, float]]:
    """The `n` likeliest tags with their probabilities, the likeliest first."""
    order = np.argsort(-found["probabilities"], kind="stable")[:n]
    return [(tags[place], float(found["probabilities"][place])) for place in order]


def as_json(found: dict, tags: list[str]) -> dict:
    """`found` for machines: plain numbers, rounded to six places."""
    return {
        "path": found["path"],
        "duration_s": round(found["duration_s"], 3),
        "decoded_s": round(found["decoded_s"], 3),
        "tags": {tag: round(float(p), 6) for tag, p in zip(tags, found["probabilities"], strict=True)},
        "embedding": [round(float(value), 6) for value in found["embedding"]],
        "timeline": {
            "start_s": [round(float(start), 3) for start in found["start_s"]],
            "tags": {
                tag: [round(float(p), 6) for p in row] for tag, row in zip(tags, found["timeline"].T, strict=True)
            },
        },
    }


def picture(found: dict, tags: list[str], path: str | os.PathLike, n: int = 12) -> None:
    """A PNG: the `n` likeliest tags over time, a column a chunk."""
    from matplotlib.figure import Figure

    from pipelines.core.files import atomic

    names = [tag for tag, _ in top(found, tags, n)]
    rows = found["timeline"].T[[tags.index(name) for name in names]]
    figure = Figure(figsize=(9, 1.2 + 0.28 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    step = found["start_s"][1] if len(found["start_s"]) > 1 else found["decoded_s"]
    ends = (0, step * rows.shape[1], len(names) - 0.5, -0.5)
    image = axes.imshow(rows, aspect="auto", cmap="magma", vmin=0, vmax=1, extent=ends, interpolation="nearest")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="seconds", title=Path(found["path"]).name.replace("$", r"\$"))
    figure.colorbar(image, label="probability")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
