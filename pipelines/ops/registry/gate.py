"""The promotion gate: a non-inferiority test of the challenger against the champion on the same frozen test set, for every
guarded metric.

The test set is the champion's: its test clips, their labels and groups. A metric passes if the lower end of the 95% interval of
(challenger - champion), by a paired bootstrap over groups, is above minus its margin. The stored predictions and embeddings of
the champion are used; nothing is computed again."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.core import embeddings, paths, shards, training_clips
from pipelines.core.chunks import tag_matrix
from pipelines.core.manifest import MANIFEST
from pipelines.core.tables import read_table
from pipelines.evaluation import before_after, drift, probes
from pipelines.metrics import tagging
from pipelines.metrics.intervals import FEWEST, equal_passes
from pipelines.ops.registry import objects, run_gate
from pipelines.ops.registry.errors import Incomparable, RegistryError

FEW = 5  # clip ids named in a message
PREDICTED = ("predictions/tagging", embeddings.PREDICTIONS, "scores")
EMBEDDED = ("embeddings", embeddings.EMBEDDINGS, "embedding")
WRONG = {"champion": RegistryError, "challenger": Incomparable}
"""The error for a version without outputs that its code should have made: the challenger can be trained again, a champion not."""


def compare(project: Path, champion: dict, challenger: dict, options: dict) -> dict:
    """Two versions on the champion's test set. options: `registry` of params.yaml.

    Returns champion, challenger (their versions), test_set `{"sha256", "n", "n_groups", "n_tags", "left_aside"}` (test clips of
    the challenger that the champion lacks), metrics: name -> `{"champion", "challenger", "difference", "difference_ci95",
    "margin", "holds"}`, unmeasured (guarded metrics that cannot be measured there, or have no interval: see
    `intervals.bootstrap`), drift (`drift.compare` of training clips), or why there is none. Raises `Incomparable` if the test
    sets differ or the challenger's predictions are invalid, and `RegistryError` if files are missing or cannot be read."""
    if champion.get("task"):
        return run_gate.compare(project, champion, challenger, options["task_margins"])
    before, after = _clips(project, champion), _clips(project, challenger)
    test = _frozen(before, after, champion, challenger)
    truth, groups = tag_matrix(test, champion["tags"]), test["group"].to_numpy()
    scores = {
        side: _vectors(project, record, PREDICTED, test["clip_id"].tolist(), WRONG[side])[
            :, [record["tags"].index(tag) for tag in champion["tags"]]
        ]
        for side, record in (("champion", champion), ("challenger", challenger))
    }
    draws = options["n_bootstrap"], options["seed"]
    n_tags = int(tagging.both_classes(truth).sum())
    measured = {
        name: before_after.compare(
            functools.partial(_macro, measure, truth, scores), [*scores], groups, len(test), *draws
        )
        for name, measure in (("roc_auc", tagging.roc_auc), ("pr_auc", tagging.pr_auc))
        if name in options["margins"] and n_tags
    }
    if "probe" in options["margins"]:
        measured |= _probes(project, champion, challenger, test, options)
    measured = {name: found for name, found in measured.items() if found["challenger"]["difference_ci95"]}
    return {
        "champion": champion["version"],
        "challenger": challenger["version"],
        "test_set": {
            "sha256": digest(test, champion["tags"]),
            "n": len(test),
            "n_groups": len(np.unique(groups)),
            "n_tags": n_tags,
            "left_aside": int(len(after["test"]) - len(test)),
        },
        "metrics": {name: _judged(name, found, options["margins"]) for name, found in measured.items()},
        "unmeasured": sorted({*options["margins"]} - {_guard(name) for name in measured}),
        "drift": _drift(project, champion, challenger, before["train"], after["train"], options["drift"]),
    }


def decide(comparison: dict) -> tuple[bool, str]:
    """(promote?, the reason in a sentence). `Incomparable` if no guarded metric could be measured."""
    if not comparison["metrics"]:
        raise Incomparable(
            f"no guarded metric ({', '.join(comparison['unmeasured'])}) could be measured on the test set of version "
            f"{comparison['champion']}: no tag or target divides its clips into two classes, or there are fewer than "
            f"{FEWEST} groups (works or artists). Nothing was promoted. Guard another metric "
            "(registry.margins in params.yaml), or decide yourself: conservatory models promote NAME "
            f"{comparison['challenger']} --no-gate --reason '...'"
        )
    failed = [_in_words(name, found) for name, found in comparison["metrics"].items() if not found["holds"]]
    if failed:
        return False, f"worse than version {comparison['champion']}, or not shown to be as good: {'; '.join(failed)}"
    passed = "; ".join(_in_words(name, found) for name, found in comparison["metrics"].items())
    aside = f"; not measured: {', '.join(comparison['unmeasured'])}" if comparison["unmeasured"] else ""
    return True, f"not worse than version {comparison['champion']} on any guarded metric: {passed}{aside}"


def digest(test: pd.DataFrame, tags: list[str]) -> str:
    """The identity of a test set: SHA-256 over its clips, groups, and labels among `tags`, in any order."""
    rows = sorted(
        [clip, group, sorted(set(labels) & set(tags))] for clip, group, labels in zip(*_columns(test), strict=True)
    )
    return hashlib.sha256(json.dumps([sorted(tags), rows]).encode()).hexdigest()


def _columns(test: pd.DataFrame) -> list[list]:
    return [test[name].tolist() for name in ("clip_id", "group", "tags")]


def _clips(project: Path, record: dict) -> dict[str, pd.DataFrame]:
    """A version's test, training and validation clips in its own data, without the left-out ones."""
    dataset = record["dataset"]
    manifest = _table(project, record, str(paths.manifest(dataset)), MANIFEST)
    index = _table(project, record, str(paths.audio(dataset) / "index.parquet"), shards.INDEX, ["clip_id"])
    usable = manifest[manifest["clip_id"].isin(index["clip_id"])]
    known = usable[~training_clips.left_out(usable, record["leave_out"])]
    return {split: known[known["split"] == split].reset_index(drop=True) for split in ("test", "train", "validation")}


def _frozen(before: dict, after: dict, champion: dict, challenger: dict) -> pd.DataFrame:
    """The champion's test clips, after checking that the challenger was tested on them, with the same labels, and was not trained
    on more of their works than the champion. Test clips that only the challenger has are ignored."""
    versions = f"{champion['name']}: versions {champion['version']} and {challenger['version']}"
    way_out = (
        "cannot be compared, and nothing was promoted. To continue with the new test set: "
        f"conservatory models promote {champion['name']} {challenger['version']} --no-gate --reason '...'"
    )
    if champion["dataset"] != challenger["dataset"]:
        raise Incomparable(
            f"{versions} were tested on {champion['dataset']} and {challenger['dataset']}: they {way_out}"
        )
    if set(champion["tags"]) != set(challenger["tags"]):
        changed = sorted(set(champion["tags"]) ^ set(challenger["tags"]))
        raise Incomparable(f"{versions} have different tags ({_few(changed)}): they {way_out}")
    test = before["test"]
    if test.empty:
        raise Incomparable(f"{champion['dataset']} has no test clips: without them two versions {way_out}")
    there = after["test"].set_index("clip_id")
    missing = [clip for clip in test["clip_id"] if clip not in there.index]
    if missing:
        raise Incomparable(
            f"{versions} have different test sets: {len(missing)} of the {len(test)} test clips of version {champion['version']} "
            f"are not test clips of version {challenger['version']} ({_few(missing)}). They {way_out}"
        )
    same = there.loc[test["clip_id"]].reset_index()
    old, new = (
        [(group, frozenset(tags)) for _, group, tags in zip(*_columns(part), strict=True)] for part in (test, same)
    )
    relabelled = [clip for clip, one, other in zip(test["clip_id"], old, new, strict=True) if one != other]
    if relabelled:
        raise Incomparable(
            f"{versions} have different test sets: the labels or groups of {len(relabelled)} of {len(test)} clips have changed "
            f"({_few(relabelled)}). They {way_out}"
        )
    tested, trained, chosen = set(test["group"]), _groups(after, "train"), _groups(after, "validation")
    # selection by validation clips leaks less than training on them
    for near, known, how in (
        (trained, _groups(before, "train"), "trained on"),
        (chosen, _groups(before, "train", "validation"), "selected on (validation)"),
    ):
        if learnt := sorted(near & tested - known):
            raise Incomparable(
                f"{versions}: version {challenger['version']} was {how} clips of works or artists that are in the test set "
                f"({_few(learnt)}). They {way_out}"
            )
    return test


def _groups(clips: dict[str, pd.DataFrame], *splits: str) -> set[str]:
    return {group for split in splits for group in clips[split]["group"]}


def _table(project: Path, record: dict, path: str, schema, columns: list[str] | None = None) -> pd.DataFrame:
    """A version's table. Its bytes are the registered ones, so a table that cannot be read was written by other code."""
    file = objects.file(project, record["hashes"], path)
    try:
        return read_table(file, schema, columns)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RegistryError(
            f"{path} of version {record['version']} cannot be read ({error}). If older code wrote it, decide yourself: "
            f"conservatory models promote {record['name']} VERSION --no-gate --reason '...'"
        ) from error


def _vectors(project: Path, record: dict, kind: tuple, clip_ids: list[str], wrong: type[RegistryError]) -> np.ndarray:
    """`(clips, d)` of a version: its tags' probabilities, in the order of its own tags, or its embeddings."""
    folder, schema, column = kind
    where = f"data/{folder}/{record['dataset']}/{record['name']}.parquet"
    table = _table(project, record, where, schema).set_index("clip_id")
    way_out = (
        "nothing was promoted. Train it again"
        if wrong is Incomparable
        else f"choose another champion: conservatory models promote {record['name']} VERSION --no-gate --reason '...'"
    )
    if missing := [clip for clip in clip_ids if clip not in table.index]:
        raise wrong(
            f"version {record['version']} has no {folder} of {len(missing)} test clips ({_few(missing)}): {way_out}"
        )
    found = np.stack(table.loc[clip_ids, column].to_list())
    if not np.isfinite(found).all():
        raise wrong(f"version {record['version']} has NaN or infinity among its {folder}: {way_out}")
    return found


def _macro(measure, truth: np.ndarray, scores: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Macro mean of `measure` for each side over the tags that have both classes among `rows`; NaN if no tag has."""
    positives = truth[rows].sum(axis=0)
    usable = (positives > 0) & (positives < len(rows))
    if not usable.any():
        return np.full(len(scores), np.nan)
    drawn = truth[rows][:, usable]
    return np.array([measure(drawn, side[rows][:, usable]).mean() for side in scores.values()])


def _probes(project: Path, champion: dict, challenger: dict, test: pd.DataFrame, options: dict) -> dict[str, dict]:
    """Scores of a probe on each version's embedding of the test clips, cross-validated by group on them: the training clips of
    the two versions may differ, the test set is the same. Targets with too few clips or groups are left out."""
    found = {}
    vectors = {
        side: _vectors(project, record, EMBEDDED, test["clip_id"].tolist(), WRONG[side])
        for side, record in (("champion", champion), ("challenger", challenger))
    }
    for column in [name for name in test if name.startswith("target_")]:
        labelled = test[column].notna().to_numpy()
        classes, labels = np.unique(test.loc[labelled, column].to_numpy(dtype=str), return_inverse=True)
        groups = test.loc[labelled, "group"].to_numpy()
        if len(classes) < 2 or len(np.unique(groups)) < 2:
            continue
        right = {}
        for side, points in vectors.items():
            _, predicted = probes.evaluate(
                points[labelled], labels, classes.tolist(), options["probe"], 1, 1, options["seed"], groups=groups
            )
            right[side] = predicted == labels
        name = f"{options['probe']}_probe_{column.removeprefix('target_')}"
        found[name] = before_after.accuracy(right, groups, options["n_bootstrap"], options["seed"])
    return found


def _guard(name: str) -> str:
    """The key of registry.margins that a measured metric belongs to."""
    return "probe" if "_probe_" in name else name


def _judged(name: str, found: dict, margins: dict) -> dict:
    margin = float(margins[_guard(name)])
    challenger = found["challenger"]
    low, high = challenger["difference_ci95"]
    return {
        "n": challenger["n"],
        "champion": found["champion"]["score"],
        "challenger": challenger["score"],
        "difference": challenger["difference"],
        "difference_ci95": [low, high],
        "margin": margin,
        "holds": bool(low > -margin),
        "equal_passes": equal_passes(high - low, margin),
    }


def _drift(
    project: Path, champion: dict, challenger: dict, before: pd.DataFrame, after: pd.DataFrame, options: dict
) -> dict:
    """Pooled features of the challenger's training clips against the champion's; `{"none": why}` if they cannot be compared."""
    try:
        reference, present = (
            _pooled(project, record, clips["clip_id"].tolist())
            for record, clips in ((champion, before), (challenger, after))
        )
        found = drift.compare(reference, present, **options)
    except (RegistryError, OSError, ValueError) as error:
        return {"none": str(error)}
    shared = len(set(before["clip_id"]) & set(after["clip_id"]))
    return {"clips_new": len(after) - shared, "clips_gone": len(before) - shared, **found}


def _pooled(project: Path, record: dict, clip_ids: list[str]) -> pd.DataFrame:
    """A version's pooled features of its training clips. `RegistryError` if some clips have none."""
    folder, number = str(paths.features(record["dataset"], "pooled")), record["version"]
    if folder not in record["hashes"]:
        raise RegistryError(f"version {number} was made without the feature `pooled` (params.yaml, features)")
    table = pd.read_parquet(objects.file(project, record["hashes"], f"{folder}/pooled.parquet"))
    if "clip_id" not in table:
        raise RegistryError(f"{folder} of version {number} has no column clip_id: it was written by other code")
    table = table.set_index("clip_id")
    if missing := [clip for clip in clip_ids if clip not in table.index]:
        raise RegistryError(
            f"{folder} of version {number} lacks {len(missing)} of its {len(clip_ids)} training clips ({_few(missing)}): it was "
            "made before they were added"
        )
    return table.loc[clip_ids]


def _in_words(name: str, found: dict) -> str:
    low, high = found["difference_ci95"]
    return (
        f"{name} {found['challenger']:.4f} against {found['champion']:.4f}, difference {found['difference']:+.4f} "
        f"[{low:+.4f}, {high:+.4f}], margin {found['margin']:g}, which an equal model passes "
        f"{found['equal_passes']:.0%} of the time"
    )


def _few(names: list[str]) -> str:
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
