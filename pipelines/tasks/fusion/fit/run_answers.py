"""The answers of the runs of a fusion, as the stage `score` has written them, side by side."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from pipelines.core.files import read_json
from pipelines.tasks import Run

UNKNOWN = None, "its answers do not say which groups are on which side"


@dataclass(frozen=True)
class Answers:
    """units, groups, actual: `(clips,)`, of the clips that any run answers, sorted by unit. probabilities: `(runs, clips,
    classes)`, NaN where a run has no answer to a clip, 0 of a class that it does not know. names: of the runs. classes: sorted.
    priors: the classes' shares of the training clips, by the first run that knows each. splits: run -> its own check
    that no group is on two sides."""

    names: list[str]
    classes: np.ndarray
    priors: np.ndarray
    units: np.ndarray
    groups: np.ndarray
    actual: np.ndarray
    probabilities: np.ndarray
    splits: dict[str, tuple[bool | None, str]]

    def missing(self) -> dict[str, int]:
        """Run -> clips that it has no answer to."""
        return dict(zip(self.names, np.isnan(self.probabilities).any(axis=2).sum(axis=1).tolist(), strict=True))


def read(run: Run, number: int, side: str) -> Answers:
    """The answers of training `number` of each run, `side` of `test` and `validation`.

    Raises `ValueError` where a run of `runs` is not there or cannot be fused, two disagree about a clip's class, or a clip is a
    test clip for one and a validation clip for another.
    """
    names = run.options["runs"]
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError(f"runs of {run.name} are {', '.join(names) or 'none'}: name at least two, each once")
    about = [_about(run, name) for name in names]
    classes = np.array(sorted({label for each in about for label in each["classes"]}))
    priors = {}
    for each in about:
        priors = dict(zip(each["classes"], each["priors"], strict=True)) | priors
    tables = [_table(run.input / name, number, side) for name in names]
    others = [_table(run.input / name, number, "test" if side == "validation" else "validation") for name in names]
    _check_sides(names, tables, others, side)
    known = pd.concat(tables).drop_duplicates("unit").set_index("unit").sort_index()
    if known.empty and side == "test":
        raise ValueError(f"the runs of {run.name} have no test clips")
    probabilities = np.full((len(names), len(known), len(classes)), np.nan)
    for place, (each, table) in enumerate(zip(about, tables, strict=True)):
        wrong = known.loc[table["unit"], "actual"].to_numpy() != table["actual"].to_numpy()
        if wrong.any():
            raise ValueError(
                f"runs of {run.name} disagree about the class of {wrong.sum()} clips, for instance "
                f"{table['unit'][wrong].iloc[0]}: {names[place]} has another target or other `labels` than {names[0]}"
            )
        rows = known.index.get_indexer(table["unit"])
        probabilities[place, rows] = 0.0
        columns = np.searchsorted(classes, each["classes"])
        if len(rows):
            probabilities[np.ix_([place], rows, columns)] = np.stack(table["probabilities"].to_list())
    return Answers(
        names,
        classes,
        np.array([priors[label] for label in classes]),
        known.index.to_numpy(str),
        known["group"].to_numpy(str),
        known["actual"].to_numpy(str),
        probabilities,
        {name: tuple(each.get("groups", UNKNOWN)) for name, each in zip(names, about, strict=True)},
    )


def _about(run: Run, name: str) -> dict:
    path = run.input / name / "about.json"
    if not path.exists():
        there = ", ".join(sorted(each.parent.name for each in run.input.glob("*/about.json"))) or "none"
        raise ValueError(f"runs of {run.name}: {name} is no run of {run.input.name} on {run.dataset}; there is {there}")
    found = read_json(path)
    if not found:
        raise ValueError(
            f"runs of {run.name}: {name} cannot be fused: its clips have several labels, its split is grouped_folds, or it has "
            "no classes"
        )
    return found


def _table(folder: Path, number: int, side: str) -> pd.DataFrame:
    found = sorted(folder.glob(f"{side}-*.parquet"), key=lambda path: int(path.stem.rpartition("-")[2]))
    return pq.read_table(found[number % len(found)]).to_pandas()


def _check_sides(names: list[str], tables: list[pd.DataFrame], others: list[pd.DataFrame], side: str) -> None:
    here = {unit: name for name, table in zip(names, tables, strict=True) for unit in table["unit"]}
    for name, table in zip(names, others, strict=True):
        both = [unit for unit in table["unit"] if unit in here]
        if both:
            raise ValueError(
                f"{len(both)} clips, for instance {both[0]}, are {side} clips of {here[both[0]]} and not of {name}: runs that "
                "are fused need the same `split`"
            )
