"""encode: an embedding of every clip of a dataset by an encoder: a model from elsewhere, or vectors made elsewhere."""

import numpy as np
import pandas as pd

from pipelines.core import chunks, embeddings, params, paths
from pipelines.core.manifest import scored_and_reference, usable_clips
from pipelines.core.plain import some
from pipelines.core.record import write_record
from pipelines.core.tables import write_table
from pipelines.harness import command, executor
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.models.encoders import VECTORS, encoding, fingerprints, open_encoder, vectors


def main(dataset: str, encoder: str) -> None:
    log = start(f"encode {dataset} {encoder}")
    settings = params.read()
    entry, clips = settings["encoders"][encoder], usable_clips(dataset)
    path, key = paths.embeddings(dataset, encoder), f"{dataset}-{encoder}"
    if entry["kind"] == VECTORS and dataset not in entry["files"]:
        write_table(embeddings.ENCODED.empty_table().to_pandas(), path, embeddings.ENCODED)
        why = None, f"{encoder} has no vectors of {dataset} (encoders.{encoder}.files in params.yaml)"
        names = (
            "every clip",
            "finite",
            "not collapsed",
            "every clip has a vector of its own",
            "every vector has a clip",
        )
        write_record("encode", key, table=path, checks=dict.fromkeys(names, why))
        log.info(why[1])
        return
    try:
        found, figures, checks = (_read if entry["kind"] == VECTORS else _hear)(
            dataset, encoder, entry, clips, settings
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f"encode {dataset} {encoder}: {error}") from error
    embeddings.write(path, clips["clip_id"].tolist(), found, embeddings.ENCODED)
    figures = {"clips": len(clips), "dimensions": found.shape[1], **figures}
    write_record("encode", key, figures=figures, table=path, checks=embeddings.checks(found, len(clips)) | checks)
    log.info("%d clips, %d dimensions", len(clips), found.shape[1])


def _read(
    dataset: str, encoder: str, entry: dict, clips: pd.DataFrame, settings: dict
) -> tuple[np.ndarray, dict, dict]:
    """(vectors, figures, checks) from the dataset's file."""
    file = entry["files"][dataset]
    fingerprints.check(file["fingerprint"], file["path"], *([file["ids"]] if "ids" in file else []))
    reference = scored_and_reference(clips)[1].to_numpy()
    found = vectors.read(file, clips, reference, entry.get("missing", "error"))
    lacking = f"{len(found.missing)} clips have the mean of the training clips' vectors{some(found.missing, ': ')}"
    left_out = f"{len(found.extra)} rows of the file are of no clip of {dataset}{some(found.extra, ': ')}"
    checks = {
        "every clip has a vector of its own": (not found.missing, lacking),
        "every vector has a clip": (not found.extra, left_out),
    }
    return found.vectors, {"missing": len(found.missing), "extra": len(found.extra)}, checks


def _hear(
    dataset: str, encoder: str, entry: dict, clips: pd.DataFrame, settings: dict
) -> tuple[np.ndarray, dict, dict]:
    """(vectors, figures, checks) by a model that hears the clips."""
    fingerprints.check(entry["fingerprint"], entry["path"])
    model, rate = open_encoder(entry), settings["audio"]["sample_rate"]
    n_threads = executor.n_workers(settings["executor"]["workers"])
    ids = clips["clip_id"].tolist()
    parts = encoding.encode(model, chunks.source(dataset, "waveform"), ids, rate, n_threads)
    found = np.stack(list(progress(parts, f"encode {dataset} {encoder}", len(ids))))
    whole = True, "the encoder heard every clip"
    return found, model.facts, {"every clip has a vector of its own": whole, "every vector has a clip": whole}


if __name__ == "__main__":
    command.run(main, __doc__)
