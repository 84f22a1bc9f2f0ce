"""Model cards, written from what training recorded (`config.json`, `history.csv`); no stage that trains loads this."""

import ast
from pathlib import Path

from pipelines.core import training_clips

TRAINED = """# {name}

A music tagger ({about}), trained on the `{dataset}` dataset of this project.

- Parameters: {parameters:,} (width {width}; 1.0 is the published network)
- Input: {reads}, {chunk} samples at 16 kHz a chunk; a clip's scores and embedding are means over its chunks
- Tags: {tags}
- Left out of training: {left_out}
- Trained on {train} clips; {monitor} on {validation} validation clips chose the checkpoint ({score}, epoch {epoch})
- Recipe `{recipe}` (config.json has all of it), {precision} on {device}; weights are float32
- Test scores: reports/tagging.json. Rendered scores are easier than recordings in some ways and harder in others:
  do not expect these figures on recorded music.
"""
PUBLISHED = """# {name}

A music tagger ({about}) with published weights; nothing was trained here.

- Source: {source}
- Licence: {licence}
- File: {file}, SHA-256 {sha256}
- Parameters: {parameters:,}
- Input: {reads}, {chunk} samples at 16 kHz a chunk; a clip's scores and embedding are means over its chunks
- Tags: {tags}
"""
MONITORS = {"roc_auc": ("macro ROC-AUC", "validation_roc_auc"), "loss": ("cross-entropy", "validation_loss")}
"""What chooses the checkpoint -> how it is called, and its column of history.csv."""
TAGGERS = Path(__file__).parents[1] / "models/taggers"


def written(name: str, config: dict, history: list[dict]) -> str:
    """The card of the model `name`, in Markdown. config: its config.json; history: rows of its history.csv, one an epoch."""
    figures, facts = config["figures"], config.get("published")
    common = {
        "about": _about(config["name"]),
        "name": name,
        "tags": ", ".join(config["tags"]),
        "chunk": config["chunk"],
        "reads": config["reads"],
    }
    if facts:
        return PUBLISHED.format(**common, parameters=figures["parameters"], **facts)
    training = config["training"]
    monitor, column = MONITORS[training["monitor"]]
    epoch = figures["best epoch"]
    return TRAINED.format(
        **common,
        **{key: config[key] for key in ("dataset", "width")},
        **{key: figures[key] for key in ("parameters", "precision", "recipe", "device")},
        **config["clips"],
        left_out=training_clips.in_words(training.get("leave_out")),
        monitor=monitor,
        score=f"{float(history[epoch - 1][column]):.4f}",
        epoch=epoch,
    )


def _about(architecture: str) -> str:
    """The first line of the architecture's module, read and not imported: PyTorch takes seconds."""
    text = (TAGGERS / f"{architecture}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or architecture).splitlines()[0].rstrip(".")
