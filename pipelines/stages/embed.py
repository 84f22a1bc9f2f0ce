"""embed: a tagger's embedding and tag scores of every clip of a dataset."""

import argparse
from pathlib import Path

import pandas as pd
import torch

from pipelines import datasets, params
from pipelines.models import taggers
from pipelines.progress import progress
from pipelines.stages.record import start, write_record
from pipelines.store import embeddings
from pipelines.store.tables import write_table
from pipelines.training import chunks, inference

CLIPS_A_ROUND = 16


def main(dataset: str, name: str) -> None:
    log = start(f"embed {dataset} {name}")
    tagger, config = taggers.load(Path("models/tagging") / name)
    chunks.check_input(taggers.load_module(config["name"]), params.load())
    clips = datasets.usable_clips(dataset)
    data = chunks.Clips(chunks.source(dataset, config["input"]), config["chunk"])
    ids = clips["clip_id"].tolist()
    rounds = range(0, len(ids), CLIPS_A_ROUND)
    scores, vectors = [], []
    size = lambda first: min(CLIPS_A_ROUND, len(ids) - first)  # noqa: E731
    for first in progress(rounds, f"embed {dataset} {name}", len(ids), size=size):
        probabilities, embedding = inference.predict(tagger, data, ids[first : first + CLIPS_A_ROUND])
        scores.append(torch.from_numpy(probabilities))
        vectors.append(torch.from_numpy(embedding))
    scores, vectors = torch.cat(scores).numpy(), torch.cat(vectors).numpy()
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
