"""Tag files that are in no dataset: what `conservatory predict` does. Any length, in bounded memory."""

import os
from pathlib import Path

import numpy as np
import torch
from torch import nn

from pipelines.audio import decode, probe
from pipelines.audio.pcm import to_float
from pipelines.models import taggers

TRAINED = Path("models/tagging")
BATCH_SIZE = 8  # chunks; of 29 s they are 15 MB


def load_model(name: str, architecture: str = "", tags: list[str] | None = None) -> tuple[nn.Module, dict]:
    """(tagger, config with "name", "tags" and "chunk") for the name of a trained tagger, a folder that has one, or a published
    checkpoint `.pth`, which holds neither its architecture nor its tags.

    Raises `ValueError` that says what there is, or what is missing.
    """
    if name.endswith(".pth"):
        if not architecture:
            raise ValueError(f"{name} does not say which network it is of: give --architecture")
        model = taggers.load_published(architecture, name)
        n_tags = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1].out_features
        tags = tags or [f"tag {number}" for number in range(n_tags)]
        if len(tags) != n_tags:
            raise ValueError(f"{name} has {n_tags} tags, and --tags names {len(tags)}")
        return model, {"name": architecture, "tags": tags, "chunk": taggers.load_module(architecture).CHUNK}
    folder = Path(name) if (Path(name) / "config.json").exists() else TRAINED / name
    if not (folder / "config.json").exists():
        trained = ", ".join(sorted(path.parent.name for path in TRAINED.glob("*/config.json")))
        raise ValueError(
            f"no trained tagger {name!r}: there is {trained or 'none yet; `conservatory run` trains them'}"
        )
    return taggers.load(folder)


def predict(model: nn.Module, config: dict, path: str | os.PathLike) -> dict:
    """What `model` hears in one file:

    {"path", "duration_s", "probabilities" `(tags,)`: means over chunks, "embedding" `(d,)`: likewise,
    "start_s" `(chunks,)`, "timeline" `(chunks, tags)`}; float32. Chunks do not overlap; what is left at the end is not
    heard; a file shorter than a chunk is played again. Raises `Unreadable` with the reason for a file that cannot be used.
    """
    probe.header(path)
    chunk, heard = config["chunk"], []
    waiting, n_samples = np.zeros(0, np.int16), 0
    for block in decode.blocks(path, taggers.SAMPLE_RATE):
        waiting, n_samples = np.concatenate([waiting, block]), n_samples + len(block)
        while len(waiting) >= BATCH_SIZE * chunk:
            heard.append(_hear(model, waiting[: BATCH_SIZE * chunk], chunk))
            waiting = waiting[BATCH_SIZE * chunk :]
    if not n_samples:
        raise probe.Unreadable("it holds no samples")
    if whole := len(waiting) // chunk:
        heard.append(_hear(model, waiting[: whole * chunk], chunk))
    elif not heard:
        heard.append(_hear(model, np.resize(waiting, chunk), chunk))
    timeline, embeddings = (np.concatenate(values) for values in zip(*heard, strict=True))
    return {
        "path": str(path),
        "duration_s": n_samples / taggers.SAMPLE_RATE,
        "probabilities": timeline.mean(axis=0),
        "embedding": embeddings.mean(axis=0),
        "start_s": np.arange(len(timeline)) * chunk / taggers.SAMPLE_RATE,
        "timeline": timeline,
    }


@torch.no_grad()
def _hear(model: nn.Module, samples: np.ndarray, chunk: int) -> list[np.ndarray]:
    return [values.numpy() for values in model(torch.from_numpy(to_float(samples).reshape(-1, chunk)))]


def top(found: dict, tags: list[str], n: int = 5) -> list[tuple[str, float]]:
    """The `n` likeliest tags with their probabilities, the likeliest first."""
    order = np.argsort(-found["probabilities"], kind="stable")[:n]
    return [(tags[place], float(found["probabilities"][place])) for place in order]


def as_json(found: dict, tags: list[str]) -> dict:
    """`found` for machines: plain numbers, rounded to six places."""
    return {
        "path": found["path"],
        "duration_s": round(found["duration_s"], 3),
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

    from pipelines.store.files import atomic

    names = [tag for tag, _ in top(found, tags, n)]
    rows = found["timeline"].T[[tags.index(name) for name in names]]
    figure = Figure(figsize=(9, 1.2 + 0.28 * len(names)), layout="constrained")
    axes = figure.add_subplot()
    step = found["start_s"][1] if len(found["start_s"]) > 1 else found["duration_s"]
    ends = (0, step * rows.shape[1], len(names) - 0.5, -0.5)
    image = axes.imshow(rows, aspect="auto", cmap="magma", vmin=0, vmax=1, extent=ends, interpolation="nearest")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="seconds", title=Path(found["path"]).name.replace("$", r"\$"))
    figure.colorbar(image, label="probability")
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
