"""export: write a trained tagger as an ONNX model, which embeds and tags, and compare it with PyTorch on real chunks."""

import numpy as np
import torch

from pipelines.core import chunks, params, paths
from pipelines.core.files import sha256, write_json
from pipelines.core.manifest import usable_clips
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.inference import onnx
from pipelines.models import export, taggers
from pipelines.training import inference


def main(tagger: str) -> None:
    log = start(f"export {tagger}")
    figures, checks = build(tagger, params.read())
    write_record("export", tagger, figures=figures, checks=checks)
    log.info("%s", checks["equals PyTorch"][1])


def build(name: str, settings: dict) -> tuple[dict, dict]:
    """Write models/onnx/<name>/ from models/tagging/<name>/; returns the record's figures and checks."""
    tagger, trained = taggers.load(paths.trained(name))
    module, reads = taggers.load_module(trained["name"]), trained["reads"]
    options, dataset = settings["export"], settings["training"]["dataset"]
    clips = usable_clips(dataset)
    samples = some_chunks(
        chunks.Clips(chunks.source(dataset, reads), trained["chunk"], trained["hop"]),
        clips.loc[clips["split"] == "train", "clip_id"].tolist(),
        options["n_chunks"],
    )
    features = inference.features(tagger, torch.from_numpy(samples))
    folder = paths.exported(name)
    export.export(tagger, features[:2], folder / "model.onnx")
    with torch.no_grad():
        logits, wanted = tagger.classify(features)
    config = {
        **{key: trained[key] for key in ("name", "tags", "reads", "representation", "chunk", "hop")},
        "front": module.FRONT,
        "front_parameters": trained["representation"] if reads == module.FRONT else module.READS.get(module.FRONT, {}),
        "features": list(features.shape[1:]),
        "embedding": wanted.shape[1],
        "opset": export.OPSET,
        "parameters": sum(tensor.numel() for tensor in tagger.parameters()),
        "weights": sha256(paths.trained(name) / "model.safetensors"),
    }
    write_json(folder / "config.json", config)
    found, found_config = onnx.load(folder)
    outputs = [
        np.stack(values) for values in zip(*(onnx.hear(found, found_config, chunk) for chunk in samples), strict=True)
    ]
    probability = float(np.abs(outputs[0] - torch.sigmoid(logits).numpy()).max())
    embedding = float(np.abs(outputs[1] - wanted.numpy()).max() / np.abs(wanted.numpy()).max())
    tolerance = options["tolerance"]
    figures = {
        "bytes": (folder / "model.onnx").stat().st_size,
        "parameters": config["parameters"],
        "opset": config["opset"],
        "chunks compared": len(samples),
        "largest difference of a probability": float(f"{probability:.2g}"),
        "largest difference of an embedding, over its largest value": float(f"{embedding:.2g}"),
    }
    equal = (
        probability <= tolerance and embedding <= tolerance,
        f"largest difference from PyTorch on {len(samples)} chunks of {dataset}: {probability:.2g} of a probability, "
        f"{embedding:.2g} of the largest embedding value; {tolerance:g} is allowed",
    )
    return figures, {"equals PyTorch": equal}


def some_chunks(clips: chunks.Clips, clip_ids: list[str], n: int) -> np.ndarray:
    """`(n, ...)`: the first chunks of `n` clips, evenly spread over `clip_ids`; of fewer clips, some twice."""
    places = np.linspace(0, len(clip_ids) - 1, n).astype(int)
    return np.stack([clips.crop(clip_ids[place], 0) for place in places])


if __name__ == "__main__":
    command.run(main, __doc__)
