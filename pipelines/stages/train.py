"""train: train a tagger on the tags of the training dataset, or take its published weights; safetensors, config and history.

With `seeds: 3` it is trained three times. The first training is the tagger; the others stand in its folder `trainings`, with what
they say of the test clips.
"""

import hashlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import torch

from pipelines.core import chunks, embeddings, params, paths, training_clips
from pipelines.core.files import sha256
from pipelines.core.manifest import usable_clips
from pipelines.core.record import loaded_code, write_record
from pipelines.core.tables import write_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.models import taggers
from pipelines.training import fit, history, recipes
from pipelines.training.inference import predict

CHECKPOINTS = Path(".cache/training")


def main(tagger: str) -> None:
    settings = params.read()
    try:
        entry = settings["taggers"][tagger]
        module = taggers.load_module(entry["network"])
    except KeyError as error:
        raise SystemExit(
            f"taggers.{tagger} is incomplete in params.yaml: it needs network, reads and recipe"
        ) from error
    except ValueError as error:
        raise SystemExit(f"train {tagger}: {error}") from error
    chunks.check_input(tagger, entry["network"], entry["reads"], module.READS, settings)
    if "weights" in entry:
        _lay_out(tagger, entry, module, settings)
    else:
        _train(tagger, entry, module, settings)


def _train(name: str, entry: dict, module: ModuleType, settings: dict) -> None:
    log = start("train")
    training = settings["training"]
    dataset = training["dataset"]
    options = recipes.resolve(settings, name)
    width = entry["width"]
    manifest = usable_clips(dataset)
    manifest = manifest[~training_clips.left_out(manifest, training.get("leave_out"))]
    train = manifest[manifest["split"] == "train"]
    validation = manifest[manifest["split"] == "validation"]
    tags = sorted({tag for present in train["tags"] for tag in present})
    if not tags or validation.empty:
        raise SystemExit(f"train {name}: training.dataset {dataset!r} needs tags, and a train and a validation split")
    source = chunks.source(dataset, entry["reads"])
    reading = what_is_read(entry, module, settings)
    data = {
        "clips": chunks.Clips(source, reading["chunk"], reading["hop"]),
        "train_ids": train["clip_id"].tolist(),
        "train_tags": chunks.tag_matrix(train, tags),
        "validation_ids": validation["clip_id"].tolist(),
        "validation_tags": chunks.tag_matrix(validation, tags),
    }
    log.info("%s: %d train and %d validation clips, %d tags", name, len(train), len(validation), len(tags))
    config = {
        "name": entry["network"],
        "width": width,
        "tags": tags,
        **reading,
        "dataset": dataset,
        "clips": {"train": len(train), "validation": len(validation)},
    }
    # the shards too: another fmin gives other values in the same places
    of_data = [[sha256(path) for path in sorted(source.iterdir())], sha256(paths.manifest(dataset)), loaded_code()]
    each = [options | {"seed": options["seed"] + number} for number in range(entry.get("seeds", 1))]
    places = [_place(name, [one, width, tags, *of_data]) for one in each]
    for other in CHECKPOINTS.glob(f"{name}-*"):
        if other not in places:
            shutil.rmtree(other)
    figures, finite = [], []
    for one, checkpoints in zip(each, places, strict=True):
        torch.manual_seed(one["seed"])
        tagger = taggers.create(entry["network"], len(tags), width)
        found = fit.fit(name, tagger, data, one, checkpoints)
        # the first is the one that is exported; of the others the stage tagging reads what they say of the test clips
        folder = paths.trained(name) / ("" if one is each[0] else f"trainings/{one['seed']}")
        training_of = one | {"leave_out": training.get("leave_out") or {}}
        taggers.save(tagger, config | {"training": training_of, "figures": found}, folder)
        shutil.copy(checkpoints / "history.csv", folder / "history.csv")
        if one is not each[0]:
            _predict(tagger, data["clips"], manifest.loc[manifest["split"] == "test", "clip_id"].tolist(), folder)
        figures.append(found)
        finite.append(_finite(tagger))
    found, several = figures[0], {"trainings": len(each)} if len(each) > 1 else {}
    write_record(
        "train",
        name,
        figures={"train clips": len(train), "validation clips": len(validation), "tags": len(tags), **several, **found},
        checks={
            "better than chance": (
                found["validation ROC-AUC"] > 0.5,
                f"validation macro ROC-AUC {found['validation ROC-AUC']:.3f} on {len(validation)} clips; chance is 0.5",
            ),
            "finite weights": min(finite),
        },
        plots={"training": _curve(history.read(paths.trained(name) / "history.csv"), name)},
    )


def _place(name: str, identity: list) -> Path:
    """Where checkpoints lie: a killed training goes on only if it was the same one, with the same parameters, data and code."""
    return CHECKPOINTS / f"{name}-{hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}"


def _predict(tagger: torch.nn.Module, clips: chunks.Clips, clip_ids: list[str], folder: Path) -> None:
    """Tag scores of the test clips, as the stage embed makes them by the exported model of the first training."""
    scores, _ = predict(tagger, clips, clip_ids)
    found = pd.DataFrame({"clip_id": clip_ids, "scores": list(scores)})
    write_table(found, folder / "predictions.parquet", embeddings.PREDICTIONS)


def _lay_out(name: str, entry: dict, module: ModuleType, settings: dict) -> None:
    """Write models/tagging/<name>/ of published weights; nothing is trained."""
    from pipelines.models import published  # here, so that no other tagger's record names it

    log = start("train")
    try:
        tagger, tags, facts = published.load(entry["network"], entry["weights"])
    except ValueError as error:
        raise SystemExit(f"taggers.{name}.weights in params.yaml: {error}") from error
    figures = {"precision": "as published", "parameters": sum(tensor.numel() for tensor in tagger.parameters())}
    config = {
        "name": entry["network"],
        "width": 1.0,
        "tags": tags,
        **what_is_read(entry, module, settings),
        "dataset": "",
        "published": facts,
        "figures": figures,
    }
    taggers.save(tagger, config, paths.trained(name))
    checks = {
        "better than chance": (None, "published weights have their own tags, so they have no score on this dataset"),
        "finite weights": _finite(tagger),
    }
    write_record("train", name, figures={"tags": len(tags), **facts, **figures}, checks=checks)
    log.info("%s: weights from %s, %d tags", name, entry["weights"]["path"], len(tags))


def what_is_read(entry: dict, module: ModuleType, settings: dict) -> dict:
    """What a tagger reads, for its config: the representation with its parameters, and how chunks are cut from it."""
    reads = entry["reads"]
    return {
        "reads": reads,
        "representation": settings["features"][reads] or {},
        "chunk": module.CHUNK,
        "hop": module.READS[reads].get("hop_length", 1),
    }


def _finite(tagger: torch.nn.Module) -> tuple[bool, str]:
    finite = all(bool(np.isfinite(tensor.numpy()).all()) for tensor in tagger.state_dict().values())
    return finite, "no NaN or infinity in the weights" if finite else "NaN or infinite weights"


def _curve(rows: list[dict], name: str) -> dict:
    epochs = [int(row["epoch"]) for row in rows]
    curves = {key: [float(row[key]) for row in rows] for key in ("loss", "validation_roc_auc", "validation_pr_auc")}
    return {"kind": "lines", "x_values": epochs, "curves": curves, "title": f"Training of {name}", "x": "epoch"}


if __name__ == "__main__":
    command.run(main, __doc__)
