"""leaks: test clips that are also in the training data (exact copies, near copies, the same work or artist), and scores without
them.

Validation clips are audited too, without scores. In a dataset without a split, the stage finds copies within the dataset.
"""

import numpy as np
import pandas as pd

from pipelines.core import params, paths, shards
from pipelines.core.embeddings import ANSWERS, ASSIGNMENTS
from pipelines.core.files import write_json
from pipelines.core.manifest import usable_clips
from pipelines.core.record import write_record
from pipelines.core.splits import NO_GROUPS, is_grouped
from pipelines.core.tables import read_table
from pipelines.evaluation import leaks
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.stages.copies import near_cosine, standardised_pooled

SHOWN = 20  # pairs and groups that are named
COPIES = ("exact copy", "near copy")
FINDERS = (*COPIES, "work or artist")


def main(dataset: str) -> None:
    log = start(f"leaks {dataset}")
    options = params.read()["leaks"]
    clips = usable_clips(dataset, joined=False)
    sounds = read_table(paths.audio(dataset) / "index.parquet", shards.INDEX).set_index("clip_id")
    hashes = clips["clip_id"].map(sounds["sha256"]).to_numpy()
    splits = clips["split"].to_numpy()
    points = standardised_pooled(dataset, clips, splits == "train")
    audited = {"train", "test"} <= set(splits)
    found, flagged, skipped = _audit(clips, hashes, points, splits if audited else None, options)
    if audited:
        removed = np.any(list(flagged.values()), axis=0)
    else:  # other clips of a work or an artist are no fault where nothing was learnt from them
        removed = np.any([flagged[what] for what in COPIES if what in flagged], axis=0)
    validation = {}
    if {"train", "validation"} <= set(splits):
        these, nearest = np.isin(splits, ["train", "validation"]), found.get("near copy", {}).get("threshold")
        validation, _, untold = _audit(
            clips[these], hashes[these], points[these], splits[these], options, "validation", nearest
        )
        skipped += untold
    result = {
        **found,
        "of": "test" if audited else "all",
        "grouped": is_grouped(clips.assign(sha256=hashes)),
        "validation": validation,
        "scores": _scores(dataset, clips, removed, options),
        "skipped": skipped,
    }
    write_json(paths.leaks(dataset), result)
    checks = _checks(found, audited, result["grouped"])
    write_record(
        "leaks",
        dataset,
        figures={
            f"clips flagged, {what}{between}": record["n_flagged"]
            for records, between in ((found, ""), (validation, ", validation and train"))
            for what, record in records.items()
        }
        | _gains(result["scores"]),
        checks=checks,
        note="\n".join(skipped),
    )
    for line in skipped:
        log.warning("left out: %s", line)
    for what, (passed, detail) in checks.items():
        log.info("%s: %s: %s", what, {True: "passed", False: "FOUND", None: "not known"}[passed], detail)


def _gains(scores: dict) -> dict[str, float]:
    """The most that flagged clips are worth to any embedding: its accuracy on all clips less that on the clean ones."""
    gains = {
        f"largest gain of accuracy by flagged clips ({method}), {target}": [
            record["gain"] for record in names.values() if record["gain"] is not None
        ]
        for target, methods in scores.items()
        for method, names in methods.items()
    }
    return {what: round(max(values), 4) for what, values in gains.items() if values}


def _checks(found: dict, audited: bool, grouped: bool) -> dict[str, tuple[bool | None, str]]:
    """All that dvc.yaml declares; what does not apply passes, and says so; what cannot be known does not."""
    checks = {}
    for what in FINDERS:
        record = found.get(what)
        if not audited:
            checks[f"no {what} across splits"] = (True, "there is no split with train and test")
        elif record is None:
            checks[f"no {what} across splits"] = (False, "could not be searched for")
        elif what == "work or artist" and not grouped:
            checks[f"no {what} across splits"] = (None, NO_GROUPS)
        else:
            said = f"{record['n_flagged']} of {record['n_test']} test clips"
            checks[f"no {what} across splits"] = (record["n_flagged"] == 0, said)
    if audited:
        checks["no copies"] = (True, "there is a split: the checks above count copies across it")
    else:
        said = [
            f"{what}: {found[what]['n_flagged']} of {found[what]['n']} clips are copies of an earlier one"
            if what in found
            else f"{what}: could not be searched for"
            for what in COPIES
        ]
        clean = all(what in found and not found[what]["n_flagged"] for what in COPIES)
        checks["no copies"] = (clean, "; ".join(said))
    return checks


def _audit(
    clips: pd.DataFrame,
    hashes: np.ndarray,
    points: np.ndarray,
    splits: np.ndarray | None,
    options: dict,
    test: str = "test",
    nearest: float | None = None,
) -> tuple[dict, dict, list[str]]:
    """(finder -> record with names instead of rows, finder -> mask of flagged clips, what could not be looked for).

    Pairs and groups are of flagged clips: what train and validation share is no leak into test. nearest: the cosine of near
    copies; None: as `options` say.
    """
    draws = (options["n_permutations"], options["seed"])
    nearest = near_cosine(options) if nearest is None else nearest
    finders = {
        "exact copy": lambda: leaks.exact(hashes, splits, *draws, test),
        "near copy": lambda: leaks.near(points, splits, *draws, threshold=nearest, test=test),
        "work or artist": lambda: leaks.groups(clips["group"].to_numpy(), splits, *draws, test),
    }
    found, masks, skipped = {}, {}, []
    for what in FINDERS:
        try:
            record, flagged = finders[what]()
        except ValueError as error:
            if what != "near copy":
                raise
            # too few clips, or hardly different ones: the other finders can do without
            skipped.append(f"{what}, {test if splits is not None else 'all'}: {error}")
            continue
        found[what], masks[what] = dict(record), flagged
        if "pairs" in record:
            pairs = [pair for pair in record["pairs"] if flagged[pair[0]] or flagged[pair[1]]]
            found[what]["n_pairs"] = len(pairs)
            found[what]["pairs"] = [
                [*(clips["title"].iloc[row] for row in pair[:2]), *(round(value, 4) for value in pair[2:])]
                for pair in pairs[:SHOWN]
            ]
        if "groups" in record:
            concerned = set(clips["group"][flagged].astype(str))
            found[what]["groups"] = [name for name in record["groups"] if name in concerned][:SHOWN]
    return found, masks, skipped


def _scores(dataset: str, clips: pd.DataFrame, flagged: np.ndarray, options: dict) -> dict:
    """{target: {method: {embedding: accuracy with and without the flagged clips}}}; the methods are k-means, which learns
    nothing from training clips, and the study's probes, which do."""
    tables = [
        read_table(paths.clusters(dataset) / "assignments.parquet", ASSIGNMENTS).assign(method="k-means"),
        read_table(paths.study(dataset) / "answers.parquet", ANSWERS).rename(columns={"probe": "method"}),
    ]
    bad = pd.Series(flagged, index=clips["clip_id"])
    works = clips.set_index("clip_id")["group"]
    draws, found = (options["n_bootstrap"], options["seed"]), {}
    for (target, method, name), rows in pd.concat(tables).groupby(["target", "method", "embedding"], sort=False):
        right = (rows["actual"] == rows["predicted"]).to_numpy()
        ids = rows["clip_id"]
        record = leaks.without(
            right, bad.loc[ids].to_numpy(), *draws, labels=rows["actual"].to_numpy(), members=works.loc[ids].to_numpy()
        )
        found.setdefault(target, {}).setdefault(method, {})[name] = record
    return found


if __name__ == "__main__":
    command.run(main, __doc__)
