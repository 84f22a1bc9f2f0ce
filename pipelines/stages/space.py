"""space: the training dataset in every embedding, with the role of each clip; other music is compared in this space.

Baselines are fitted again here, on the clips taggers were trained on: the stage `baseline` also fits on left-out classes.
"""

import shutil

import numpy as np

from pipelines.core import embeddings, params, paths, training_clips
from pipelines.core.manifest import usable_clips
from pipelines.core.record import write_record
from pipelines.core.tables import read_table, write_table
from pipelines.features import POOLED
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.models import baselines


def main() -> None:
    log = start("space")
    settings = params.read()
    dataset, leave_out = settings["training"]["dataset"], settings["training"].get("leave_out")
    clips = usable_clips(dataset)
    clips["role"] = training_clips.roles(clips, leave_out)
    ids, reference = clips["clip_id"].tolist(), (clips["role"] == "reference").to_numpy()
    if not reference.any():
        raise SystemExit(
            f"space: {dataset} has no clip left to train taggers on; shorten training.leave_out in params.yaml"
        )
    targets = [name for name in clips if name.startswith("target_")]
    write_table(clips[[*training_clips.CLIPS.names, *targets]], paths.space() / "clips.parquet", training_clips.CLIPS)
    for name in embeddings.names(settings, dataset):
        if name in settings["baselines"]:
            continue
        shutil.copy(paths.embeddings(dataset, name), paths.space() / f"{name}.parquet")
    pooled = read_table(paths.pooled(dataset), POOLED)
    values = pooled.set_index("clip_id").loc[ids].to_numpy(np.float64)
    for name, options in settings["baselines"].items():
        vectors = baselines.load(name).embed(values, values[reference], **options)
        embeddings.write(paths.space() / f"{name}.parquet", ids, vectors)
    fitted_on = pooled[pooled["clip_id"].isin(clips.loc[reference, "clip_id"])]
    write_table(fitted_on, paths.space() / "pooled.parquet", POOLED)
    counts = clips["role"].value_counts()
    figures = {role.replace("_", " "): int(counts.get(role, 0)) for role in training_clips.ROLES}
    write_record(
        "space",
        figures={"left out": training_clips.in_words(leave_out), **figures},
        table=paths.space() / "clips.parquet",
        checks={
            "every clip has a role": (
                bool(clips["role"].isin(training_clips.ROLES).all()),
                ", ".join(f"{n} {role}" for role, n in figures.items()),
            )
        },
    )
    log.info(
        "left out: %s; %s", training_clips.in_words(leave_out), ", ".join(f"{n} {role}" for role, n in figures.items())
    )


if __name__ == "__main__":
    command.run(main, __doc__)
