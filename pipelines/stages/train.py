"""train: one tagger on the training dataset's tags; safetensors, config and history."""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import torch

from pipelines.core import chunks, params, training_clips
from pipelines.core.files import sha256
from pipelines.core.manifest import usable_clips
from pipelines.core.record import loaded_code, write_record
from pipelines.harness.logging import start
from pipelines.models import taggers
from pipelines.training import fit, history, recipes


def main(name: str) -> None:
    log = start("train")
    settings = params.read()
    training = settings["training"]
    dataset = training["dataset"]
    try:
        module = taggers.load_module(name)
    except ValueError as error:
        raise SystemExit(f"train {name}: {error}") from error
    options = recipes.resolve(settings, module.INPUT, name)
    width = settings["taggers"][module.INPUT][name]["width"]
    chunks.check_input(module, settings)
    manifest = usable_clips(dataset)
    manifest = manifest[~training_clips.left_out(manifest, training.get("leave_out"))]
    train = manifest[manifest["split"] == "train"]
    validation = manifest[manifest["split"] == "validation"]
    tags = sorted({tag for present in train["tags"] for tag in present})
    if not tags or validation.empty:
        raise SystemExit(f"train {name}: training.dataset {dataset!r} needs tags, and a train and a validation split")
    source = chunks.source(dataset, module.INPUT)
    data = {
        "clips": chunks.Clips(source, module.CHUNK),
        "train_ids": train["clip_id"].tolist(),
        "train_tags": chunks.tag_matrix(train, tags),
        "validation_ids": validation["clip_id"].tolist(),
        "validation_tags": chunks.tag_matrix(validation, tags),
    }
    torch.manual_seed(options["seed"])
    tagger = taggers.create(name, len(tags), width)
    # a killed run goes on only if it was the same run: same parameters, data and code
    identity = json.dumps(
        [
            options,
            width,
            tags,
            # the shards too: another fmin gives other values in the same places
            [sha256(path) for path in sorted(source.iterdir())],
            sha256(f"data/manifests/{dataset}.parquet"),
            loaded_code(),
        ]
    )
    checkpoints = Path(".cache/training") / f"{name}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    for other in Path(".cache/training").glob(f"{name}-*"):
        if other != checkpoints:
            shutil.rmtree(other)
    log.info("%s: %d train and %d validation clips, %d tags", name, len(train), len(validation), len(tags))
    found = fit.fit(name, tagger, data, options, checkpoints)
    folder = Path("models/tagging") / name
    config = {
        "name": name,
        "width": width,
        "tags": tags,
        "input": module.INPUT,
        "chunk": module.CHUNK,
        "dataset": dataset,
        "clips": {"train": len(train), "validation": len(validation)},
        "training": options | {"leave_out": training.get("leave_out") or {}},
        "figures": found,
    }
    taggers.save(tagger, config, folder)
    shutil.copy(checkpoints / "history.csv", folder / "history.csv")
    write_record(
        "train",
        name,
        figures={"train clips": len(train), "validation clips": len(validation), "tags": len(tags), **found},
        checks={
            "better than chance": (
                found["validation ROC-AUC"] > 0.5,
                f"validation macro ROC-AUC {found['validation ROC-AUC']:.3f} on {len(validation)} clips; chance is 0.5",
            ),
            "finite weights": (
                all(bool(np.isfinite(t.numpy()).all()) for t in tagger.state_dict().values()),
                "no NaN or infinity in the weights",
            ),
        },
        plots={"training": _curve(history.read(folder / "history.csv"), name)},
    )


def _curve(rows: list[dict], name: str) -> dict:
    epochs = [int(row["epoch"]) for row in rows]
    curves = {key: [float(row[key]) for row in rows] for key in ("loss", "validation_roc_auc", "validation_pr_auc")}
    return {"kind": "lines", "x_values": epochs, "curves": curves, "title": f"Training of {name}", "x": "epoch"}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tagger")
    main(parser.parse_args().tagger)
