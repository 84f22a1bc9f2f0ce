"""Model cards, written from the files of training (`config.json`, `history.csv`); no training stage loads this module."""

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
- Test scores: reports/scores.json. Rendered scores are easier than recordings in some ways and harder in others:
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
RUN = """# {name}

A model of the task `{task}` ({about}), fitted on the `{dataset}` dataset of this project.

- Model: `{model}`, on `{reads}`
- Options: {options}
- Trainings: {trainings}, seeds {seeds}
- Scores on {n} clips ({split} split) of {n_groups} groups, 95% intervals over groups:

{table}

The same scores with all their figures: reports/scores.json.
"""
MONITORS = {"roc_auc": ("macro ROC-AUC", "validation_roc_auc"), "loss": ("cross-entropy", "validation_loss")}
"""What chooses the checkpoint -> how it is called, and its column of history.csv."""
TAGGERS, FAMILIES = (Path(__file__).parents[1] / folder for folder in ("models/taggers", "tasks"))


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


def of_run(name: str, about: dict, scores: dict[str, dict]) -> str:
    """The card of a run, in Markdown. about, scores: its about.json and scores.json in data/scores/."""
    lead = scores[about["lead"]]
    options = ", ".join(f"{key} {value}" for key, value in about["options"].items()) or "none"
    rows = ["| metric | score | 95% interval | baseline | chance |", "| --- | --- | --- | --- | --- |"]
    for metric, found in scores.items():
        interval = "-" if found["ci95"] is None else "[{:.3f}, {:.3f}]".format(*found["ci95"])
        numbers = [found[key] for key in ("value", "baseline", "chance")]
        value, baseline, chance = ("-" if number is None else f"{number:.3f}" for number in numbers)
        rows.append(f"| {metric} | {value} | {interval} | {baseline} | {chance} |")
    return RUN.format(
        name=name,
        about=_first_line(FAMILIES / about["task"] / "__init__.py"),
        **{key: about[key] for key in ("task", "dataset", "model", "reads")},
        options=options,
        trainings=len(about["models"]),
        seeds=", ".join(about["models"]),
        **{key: lead[key] for key in ("n", "n_groups", "split")},
        table="\n".join(rows),
    )


def _about(architecture: str) -> str:
    return _first_line(TAGGERS / f"{architecture}.py")


def _first_line(module: Path) -> str:
    """Of a module's docstring; read and not imported, because PyTorch takes seconds."""
    text = module.read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or module.stem).splitlines()[0].rstrip(".")
