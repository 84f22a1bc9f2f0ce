"""tagging: each tagger's own scores on the test clips of the training dataset, of the classes that were not left out."""

import numpy as np

from pipelines.core import params, paths, training_clips
from pipelines.core.chunks import tag_matrix
from pipelines.core.embeddings import PREDICTIONS
from pipelines.core.files import read_json, write_json
from pipelines.core.manifest import independent_clips
from pipelines.core.record import write_record
from pipelines.core.tables import read_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.harness.progress import progress
from pipelines.metrics import tagging
from pipelines.metrics.intervals import above, written


def main() -> None:
    log = start("tagging")
    settings = params.read()
    dataset, options = settings["training"]["dataset"], settings["tagging"]
    clips = independent_clips(dataset)
    known = ~training_clips.left_out(clips, settings["training"].get("leave_out"))
    test = clips[(clips["split"] == "test") & known].reset_index(drop=True)
    names = params.trained_names(settings)  # published weights name other tags
    records = {}
    for name in progress(names, "tagging", unit="tagger"):
        tags = read_json(paths.trained(name) / "config.json")["tags"]
        table = read_table(paths.predictions(dataset, name), PREDICTIONS).set_index("clip_id")
        scores = np.stack(table.loc[test["clip_id"], "scores"].to_list())
        truth = tag_matrix(test, tags)
        records[name] = tagging.evaluate(
            truth, scores, tags, options["n_bootstrap"], options["seed"], test["group"].to_numpy()
        )
        log.info(
            "%s: macro ROC-AUC %.4f %s, PR-AUC %.4f (a constant: %.4f), %d clips, %d tags",
            name,
            records[name]["roc_auc"],
            written(records[name]["roc_auc_ci95"], ".4f"),
            records[name]["pr_auc"],
            records[name]["baseline"]["pr_auc"],
            records[name]["n"],
            records[name]["n_tags"],
        )
    write_json("reports/tagging.json", {dataset: records})
    write_record(
        "tagging",
        figures={
            f"{what}, {name}": round(found[key], 4)
            for name, found in records.items()
            for what, key in (("ROC-AUC", "roc_auc"), ("PR-AUC", "pr_auc"))
        },
        checks={
            f"{name} better than chance": (
                above(found["roc_auc_ci95"], 0.5),
                f"macro ROC-AUC {found['roc_auc']:.3f}, 95% {written(found['roc_auc_ci95'])}",
            )
            for name, found in records.items()
        },
        plots={
            name: {
                "kind": "bars",
                "values": {tag: value["roc_auc"] for tag, value in found["per_tag"].items()},
                "title": f"{name}: ROC-AUC per tag",
            }
            for name, found in records.items()
        },
    )


if __name__ == "__main__":
    command.run(main, __doc__)
