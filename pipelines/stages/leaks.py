"""leaks: clips of the test split that training has heard: the same sound, nearly the same, or the same work or artist, and the
scores with and without them."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines import datasets, params
from pipelines.evaluation import leaks, scaling
from pipelines.features import POOLED
from pipelines.stages.record import start, write_record
from pipelines.store import shards
from pipelines.store.embeddings import ASSIGNMENTS
from pipelines.store.files import write_json
from pipelines.store.tables import read_table

SHOWN = 20  # pairs and groups that are named


def main(dataset: str) -> None:
    log = start(f"leaks {dataset}")
    options = params.load()["leaks"]
    clips = datasets.usable_clips(dataset)
    sounds = read_table(f"data/audio/{dataset}/index.parquet", shards.INDEX).set_index("clip_id")
    splits = clips["split"].to_numpy()
    found, checks = {}, {}
    if {"train", "test"} <= set(splits):
        found, flagged = _audit(dataset, clips, sounds, splits, options)
        checks = {
            f"no {what} across splits": (
                record["n_flagged"] == 0,
                f"{record['n_flagged']} of {record['n_test']} test clips",
            )
            for what, record in found.items()
        }
        found["scores"] = _scores(dataset, clips, flagged, options)
    else:
        copies = clips["clip_id"].map(sounds["sha256"]).duplicated(keep=False)
        found["copies"] = {"n": len(clips), "n_flagged": int(copies.sum())}
        checks["no copies"] = (
            not copies.any(),
            f"{int(copies.sum())} of {len(clips)} clips sound exactly like another",
        )
    write_json(Path("data/leaks") / f"{dataset}.json", found)
    write_record(
        "leaks",
        dataset,
        figures={name: record["n_flagged"] for name, record in found.items() if "n_flagged" in record},
        checks=checks,
    )
    for passed, detail in checks.values():
        log.info("%s: %s", "nothing found" if passed else "FOUND", detail)


def _audit(
    dataset: str, clips: pd.DataFrame, sounds: pd.DataFrame, splits: np.ndarray, options: dict
) -> tuple[dict, np.ndarray]:
    """(finder -> record with names instead of rows, mask of all flagged test clips)."""
    draws, nearest = (options["n_permutations"], options["seed"]), options["near_cosine"]
    pooled = read_table(f"data/features/{dataset}/pooled/pooled.parquet", POOLED).set_index("clip_id")
    values = pooled.loc[clips["clip_id"]].to_numpy(np.float64)
    points = scaling.standardise(values, values[splits == "train"])
    results = {
        "exact copy": leaks.exact(clips["clip_id"].map(sounds["sha256"]).to_numpy(), splits, *draws),
        "near copy": leaks.near(points, splits, *draws, threshold=None if nearest == "learnt" else float(nearest)),
        "work or artist": leaks.groups(clips["group"].to_numpy(), splits, *draws),
    }
    found, anything = {}, np.zeros(len(clips), bool)
    for what, (record, flagged) in results.items():
        found[what] = dict(record)
        if "pairs" in record:
            found[what]["n_pairs"] = len(record["pairs"])
            found[what]["pairs"] = [
                [*(clips["title"].iloc[row] for row in pair[:2]), *(round(value, 4) for value in pair[2:])]
                for pair in record["pairs"][:SHOWN]
            ]
        if "groups" in record:
            found[what]["groups"] = [str(name) for name in record["groups"][:SHOWN]]
        anything |= flagged
    return found, anything


def _scores(dataset: str, clips: pd.DataFrame, flagged: np.ndarray, options: dict) -> dict:
    """{target: {embedding: matched accuracy with and without the flagged clips}}."""
    assigned = read_table(f"data/clusters/{dataset}/assignments.parquet", ASSIGNMENTS)
    bad = pd.Series(flagged, index=clips["clip_id"])
    found = {}
    for (target, name), rows in assigned.groupby(["target", "embedding"], sort=False):
        right = (rows["actual"] == rows["predicted"]).to_numpy()
        record = leaks.without(right, bad.loc[rows["clip_id"]].to_numpy(), options["n_bootstrap"], options["seed"])
        found.setdefault(target, {})[name] = record
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset")
    main(parser.parse_args().dataset)
