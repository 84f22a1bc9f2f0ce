"""embed: a tagger's embedding and tag scores of every clip of a dataset, by its exported model."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import chunks, embeddings, params
from pipelines.core.manifest import usable_clips
from pipelines.core.record import write_record
from pipelines.core.tables import write_table
from pipelines.harness import executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.inference import onnx
from pipelines.inference.embedding import embed


def main(dataset: str, name: str) -> None:
    log = start(f"embed {dataset} {name}")
    settings = params.read()
    tagger, config = onnx.load(Path("models/onnx") / name)
    chunks.check(config["name"], config["input"], config["n_mels"], settings)
    clips = usable_clips(dataset)
    data = chunks.Clips(chunks.source(dataset, config["input"]), config["chunk"])
    ids = clips["clip_id"].tolist()
    n_threads = executor.n_workers(settings["executor"]["workers"])
    found = progress(embed(tagger, config, data, ids, n_threads), f"embed {dataset} {name}", len(ids))
    scores, vectors = (np.stack(values) for values in zip(*found, strict=True))
    path = Path("data/embeddings") / dataset / f"{name}.parquet"
    embeddings.write(path, ids, vectors)
    predictions = pd.DataFrame({"clip_id": ids, "scores": list(scores)})
    write_table(predictions, Path("data/predictions/tagging") / dataset / f"{name}.parquet", embeddings.PREDICTIONS)
    write_record(
        "embed",
        f"{dataset}-{name}",
        figures={"clips": len(ids), "dimensions": vectors.shape[1], "tags": scores.shape[1]},
        table=path,
        checks=embeddings.checks(vectors, len(clips)),
    )
    log.info("%d clips, %d dimensions", len(ids), vectors.shape[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("tagger")
    arguments = parser.parse_args()
    main(arguments.dataset, arguments.tagger)
