"""baseline: an embedding without a network, from the pooled features of every clip of a dataset."""

import numpy as np

from pipelines.core import embeddings, params, paths
from pipelines.core.manifest import scored_and_reference, usable_clips
from pipelines.core.record import write_record
from pipelines.core.tables import read_table
from pipelines.features import POOLED
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.models import baselines


def main(dataset: str, baseline: str) -> None:
    log = start(f"baseline {dataset} {baseline}")
    settings = params.read()
    clips = usable_clips(dataset)
    table = read_table(paths.pooled(dataset), POOLED).set_index("clip_id")
    pooled = table.loc[clips["clip_id"]].to_numpy(np.float64)
    _, reference = scored_and_reference(clips)
    vectors = baselines.load(baseline).embed(pooled, pooled[reference.to_numpy()], **settings["baselines"][baseline])
    path = paths.embeddings(dataset, baseline)
    embeddings.write(path, clips["clip_id"].tolist(), vectors)
    write_record(
        "baseline",
        f"{dataset}-{baseline}",
        figures={"clips": len(clips), "dimensions": vectors.shape[1], "fitted on": int(reference.sum())},
        table=path,
        checks=embeddings.checks(vectors, len(clips)),
    )
    log.info("%d clips, %d dimensions", len(clips), vectors.shape[1])


if __name__ == "__main__":
    command.run(main, __doc__)
