"""baseline: an embedding without a network, from the pooled features of every clip of a dataset."""

import argparse
from pathlib import Path

import numpy as np

from pipelines.core import embeddings, params
from pipelines.core.manifest import scored_and_reference, usable_clips
from pipelines.core.record import write_record
from pipelines.core.tables import read_table
from pipelines.features import POOLED
from pipelines.harness.logging import start
from pipelines.models import baselines


def main(dataset: str, name: str) -> None:
    log = start(f"baseline {dataset} {name}")
    settings = params.read()
    clips = usable_clips(dataset)
    table = read_table(f"data/features/{dataset}/pooled/pooled.parquet", POOLED).set_index("clip_id")
    pooled = table.loc[clips["clip_id"]].to_numpy(np.float64)
    _, reference = scored_and_reference(clips)
    vectors = baselines.load(name).embed(pooled, pooled[reference.to_numpy()], **settings["baselines"][name])
    path = Path("data/embeddings") / dataset / f"{name}.parquet"
    embeddings.write(path, clips["clip_id"].tolist(), vectors)
    write_record(
        "baseline",
        f"{dataset}-{name}",
        figures={"clips": len(clips), "dimensions": vectors.shape[1], "fitted on": int(reference.sum())},
        table=path,
        checks=embeddings.checks(vectors, len(clips)),
    )
    log.info("%d clips, %d dimensions", len(clips), vectors.shape[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    parser.add_argument("baseline")
    arguments = parser.parse_args()
    main(arguments.dataset, arguments.baseline)
