"""embed: a tagger's embedding and tag scores of every clip of a dataset, by its exported model.

The model's config names the representation it reads, with its parameters. It is computed from the dataset's waveform through the
cache of clips, where the features stage has left it: DVC has no path that depends on what a tagger reads, and a
dependency on all of `data/features/<dataset>` would embed again after a change of any feature.
"""

import numpy as np
import pandas as pd

from pipelines.core import chunks, embeddings, params, paths
from pipelines.core.code import reached
from pipelines.core.manifest import usable_clips
from pipelines.core.record import loaded_code, write_record
from pipelines.core.tables import write_table
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.inference import onnx
from pipelines.inference.embedding import embed, modules
from pipelines.representations import build


def main(dataset: str, tagger: str) -> None:
    log = start(f"embed {dataset} {tagger}")
    settings = params.read()
    model, config = onnx.load(paths.exported(tagger))
    clips = usable_clips(dataset)
    ids = clips["clip_id"].tolist()
    n_threads = executor.n_workers(settings["executor"]["workers"])
    # now, because less is loaded where the cache has the representation
    code = loaded_code(path for name in modules(config) for path in reached(name)[0].values())
    with build.frames(dataset, config["reads"], config["representation"], settings, tagger) as source:
        data = chunks.Clips(source, config["chunk"], config["hop"])
        found = progress(embed(model, config, data, ids, n_threads), f"embed {dataset} {tagger}", len(ids))
        scores, vectors = (np.stack(values) for values in zip(*found, strict=True))
    path = paths.embeddings(dataset, tagger)
    embeddings.write(path, ids, vectors)
    predictions = pd.DataFrame({"clip_id": ids, "scores": list(scores)})
    write_table(predictions, paths.predictions(dataset, tagger), embeddings.PREDICTIONS)
    write_record(
        "embed",
        f"{dataset}-{tagger}",
        figures={"clips": len(ids), "dimensions": vectors.shape[1], "tags": scores.shape[1]},
        table=path,
        checks=embeddings.checks(vectors, len(clips)),
        code=code,
    )
    log.info("%d clips, %d dimensions", len(ids), vectors.shape[1])


if __name__ == "__main__":
    command.run(main, __doc__)
