"""Checks of a run's record for mistakes that invalidate a classifier's score: (passed, sentence) each.

passed is None where it cannot be known. A probe is a small tree that sees one trivial property of the clips, their level for
instance, and nothing of their sound. Where it tells the classes of test clips, a model may have learned that property alone.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from pipelines.core import splits
from pipelines.core.plain import some
from pipelines.tasks.classification.fit import preparation
from pipelines.tasks.classification.fit.labelled import Labelled
from pipelines.tasks.inputs import MISSING

Check = tuple[bool | None, str]
FEWEST = 5  # clips of a class on a side
FEWEST_GROUPS = 2  # works, artists
WORDS = 200  # of file names, the most frequent
UNPREPARED = True, "a network prepares nothing: its first layer learns to normalise from training chunks"
TELLS = 0.2
"""A probe's balanced accuracy from which a property tells the classes, where 0 is chance and 1 is perfect."""


def all_of(data: Labelled, pipeline: Pipeline | None, options: dict, seed: int) -> dict[str, Check]:
    """Name -> check, of a run's data and its fitted pipeline; a network has none."""
    return {
        "no group on two sides": groups(data),
        **enough(data),
        "preparation saw training clips only": (
            fitted_on_train(data, pipeline, options, seed) if pipeline else UNPREPARED
        ),
        "level does not tell the class": level(data, options),
        "duration does not tell the class": duration(data),
        "encoding does not tell the class": encoding(data),
        "what is missing does not tell the class": missing(data),
        "file name does not tell the class": file_name(data),
    }


def of_labels(data: Labelled, options: dict) -> dict[str, Check]:
    """The probes of a run with several labels a clip. data: its `classes` are `(clips, labels)` bool, and it has `labels`."""
    return {
        "level does not tell the labels": level(data, options),
        "duration does not tell the labels": duration(data),
        "encoding does not tell the labels": encoding(data),
        "what is missing does not tell the labels": missing(data),
        "file name does not tell the labels": file_name(data),
    }


def of_other(data: Labelled, classes: list[str]) -> dict[str, Check]:
    """Name -> check, of the clips of a cross test. classes: of the fitted run."""
    counts = Counter(data.classes.tolist())
    missing = [name for name in classes if not counts[name]]
    thin = [f"{name} ({counts[name]})" for name in classes if 0 < counts[name] < FEWEST]
    return {
        "every class is tested": (
            not missing,
            f"{len(missing)} of {len(classes)} classes have no clip{some(missing, ': ')}",
        ),
        "enough clips of each class": (
            not thin,
            f"{len(thin)} classes have fewer than {FEWEST} clips{some(thin, ': ')}",
        ),
    }


def groups(data: Labelled) -> Check:
    """Is each group on one side?"""
    if not splits.is_grouped(data.clips):
        return None, splits.NO_GROUPS
    found = data.clips.assign(side=data.sides).groupby("group")["side"].nunique()
    torn = found[found > 1].index.tolist()
    return not torn, f"{len(torn)} of {len(found)} groups are on several sides{some(torn, ': ')}"


def enough(data: Labelled, sides: tuple[str, ...] = ("train", "test")) -> dict[str, Check]:
    """Has each class enough clips, and enough groups, to learn from and to be scored on? The score of a class of one group is the
    score of that work or artist."""
    names, of_group = sorted(set(data.classes)), data.clips["group"].to_numpy(str)
    thin, lone = [], []  # (class, words)
    for side in sides:
        rows = data.of(side)
        clips = Counter(data.classes[rows])
        groups = Counter(name for name, _ in set(zip(data.classes[rows], of_group[rows], strict=True)))
        thin += [(name, f"{name} ({clips[name]} {side})") for name in names if clips[name] < FEWEST]
        lone += [(name, f"{name} ({groups[name]} {side})") for name in names if groups[name] < FEWEST_GROUPS]

    def told(found: list[tuple[str, str]], fewest: int, what: str) -> str:
        number = len({name for name, _ in found})
        listed = some((words for _, words in found), ": ")
        return f"{number} of {len(names)} classes have fewer than {fewest} {what} on a side{listed}"

    grouped = splits.is_grouped(data.clips)
    return {
        "enough clips of each class": (not thin, told(thin, FEWEST, "clips")),
        "enough groups of each class": (
            (not lone, told(lone, FEWEST_GROUPS, "groups")) if grouped else (None, splits.NO_GROUPS)
        ),
    }


def validated(data: Labelled, config: dict) -> Check:
    """Has validation a clip of each class, where it chose hyperparameters, or the epoch of a network? config: of the fit."""
    if "tried" in config and len(config["tried"]) < 2:
        return True, "there was one candidate: validation chose nothing"
    lacking = sorted(set(config["classes"]) - set(data.classes[data.of("validation")].tolist()))
    what = "hyperparameters were" if "tried" in config else "the epoch was"
    return not lacking, (
        f"{what} chosen by validation clips, and {len(lacking)} of {len(config['classes'])} classes have none"
        f"{some(lacking, ': ')}"
    )


def fitted_on_train(data: Labelled, pipeline: Pipeline, options: dict, seed: int) -> Check:
    """Do scaling and selection equal those fitted on the training clips alone?"""
    if not data.names:
        return True, "sequences are not prepared"
    rows = preparation.training_rows(data.of("train"), data.classes, options["imbalance"], seed)
    again = preparation.steps(options, data.names).fit(data.values[rows], data.classes[rows])
    found, wanted = pipeline[:-1].transform(data.values), again.transform(data.values)
    same = found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-6, atol=1e-9)
    return same, f"{'equal' if same else 'differ from'} a fit on the {len(rows)} training clips"


def level(data: Labelled, options: dict) -> Check:
    """Does the RMS, which the features have, tell the class?"""
    left = preparation.kept_columns(data.names, options["leave_out"])
    columns = [n for n in left if data.names[n].startswith("rms_")]
    if not columns:
        return None, "the run reads no RMS"
    return _probe(data, data.values[:, columns])


def duration(data: Labelled) -> Check:
    """Does the length of a clip tell its class?"""
    return _probe(data, data.clips[["duration_s"]].to_numpy(float))


def encoding(data: Labelled) -> Check:
    """Do file type, sampling rate or number of channels (of notes: the ticks a quarter) tell the class?"""
    types = {suffix: n for n, suffix in enumerate(sorted(set(map(_suffix, data.clips["path"]))))}
    kinds = [types[_suffix(path)] for path in data.clips["path"]]
    there = [name for name in ("sample_rate", "channels", "division") if name in data.clips]
    return _probe(data, np.column_stack([kinds, data.clips[there].to_numpy(float)]))


def missing(data: Labelled) -> Check:
    """Does it tell the class which table of a combined one a clip lacks? Works of one kind often have no words at all."""
    columns = [n for n, name in enumerate(data.names) if name.endswith(MISSING)]
    if not columns:
        return True, "no table of the run's input lacks a clip"
    return _probe(data, data.values[:, columns])


def file_name(data: Labelled) -> Check:
    """Do the words of a file's name, without its folders, tell the class? Most collections name files so, and no model of this
    family reads names: it is stated, and no failure."""
    words = [set(re.findall(r"[a-z]{3,}", Path(path).stem.lower())) for path in data.clips["path"]]
    counts = Counter(word for each in words for word in each)
    known = [word for word, n in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])) if n >= FEWEST][:WORDS]
    if not known:
        return True, "names share no words"
    passed, sentence = _probe(data, np.array([[word in each for word in known] for each in words], float))
    return (
        passed or None,
        sentence if passed else f"{sentence}; no model here reads names: keep them from any that does",
    )


def _probe(data: Labelled, properties: np.ndarray) -> Check:
    if data.classes.ndim == 2:
        return _probe_labels(data, properties)
    train, test = data.of("train"), data.of("test")
    names = set(data.classes[test])
    if len(names) < 2:
        return None, "the test clips have one class"
    tree = DecisionTreeClassifier(
        max_leaf_nodes=8 * len(names), min_samples_leaf=3, class_weight="balanced", random_state=0
    )
    predicted = tree.fit(properties[train], data.classes[train]).predict(properties[test])
    actual = data.classes[test]
    found = float(np.mean([np.mean(predicted[actual == name] == name) for name in sorted(names)]))
    chance = 1 / len(names)
    share = (found - chance) / (1 - chance)
    return share < TELLS, f"a tree that sees nothing else has a balanced accuracy of {found:.3f}; chance {chance:.3f}"


def _probe_labels(data: Labelled, properties: np.ndarray) -> Check:
    """A tree for each label that some test clips have and others have not. A label is told where its balanced accuracy is as high
    as a class's may not be, and lies three standard errors of guesses above chance: of many rare labels one is high by luck."""
    train, test = data.of("train"), data.of("test")
    found, told = {}, []
    for name, truth in zip(data.labels, data.classes.T, strict=True):
        n = np.bincount(truth[test].astype(int), minlength=2)
        if not n.all():
            continue
        tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=3, class_weight="balanced", random_state=0)
        right = tree.fit(properties[train], truth[train]).predict(properties[test]) == truth[test]
        found[name] = float((right[truth[test]].mean() + right[~truth[test]].mean()) / 2)
        if found[name] - 0.5 >= max(TELLS / 2, 3 * np.sqrt((1 / n).sum()) / 4):
            told.append(name)
    if not found:
        return None, "no label divides the test clips"
    highest = max(found, key=found.get)
    return not told, (
        f"{len(told)} of {len(found)} labels are told by a tree that sees nothing else{some(told, ': ')}; the highest balanced "
        f"accuracy is {found[highest]:.3f}, of {highest}; chance 0.500"
    )


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()
