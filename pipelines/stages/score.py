"""score: predictions of a run's model for test clips, and the scores of its task, with a trivial baseline.

The log says how long the predictions took, and the record does not (`fit.py` says why).

Where the dataset's split has groups on the training side too (the same work, artist or MIDI file), the leading metric is also
computed without their test units, as `<metric>_without_leaked`.
"""

import hashlib
import json
import shutil
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import tasks
from pipelines.core import params, paths
from pipelines.core.files import atomic, read_json, sha256, write_json
from pipelines.core.manifest import LABELLED
from pipelines.core.record import write_record
from pipelines.core.tables import read_table
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.metrics import scores
from pipelines.metrics.intervals import written

CHECK = "better than the baseline"
GUARDS = "guards"


def main(run: str) -> None:
    log = start(f"score {run}")
    entry = tasks.run(params.read(), run)
    module = tasks.part(entry.task, "score")
    folder = paths.scores(run)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(tasks.answers(entry), ignore_errors=True)
    stage = "tagging" if entry.task == tasks.TAGGING else "cross_test" if entry.fitted_by else "score"
    split = entry.dataset if entry.fitted_by else module.split(entry) if hasattr(module, "split") else "test"
    draws = entry.shared["n_bootstrap"], entry.shared["seed"]
    try:
        begun = time.monotonic()
        answers = [module.predict(entry, path) for _, path in entry.trainings]
        took = time.monotonic() - begun
        metrics = module.metrics(entry) if hasattr(module, "metrics") else module.METRICS
        trivial = module.baseline(entry)
        found, resampled = scores.score(metrics, answers, trivial, split, *draws)
    except tasks.NotScored as error:
        write_json(folder / "about.json", {"task": entry.task, "not_scored": str(error)})
        write_record(stage, run, checks={CHECK: (None, f"not scored: {error}"), GUARDS: (True, "not scored")})
        log.info("not scored: %s", error)
        return
    except ValueError as error:
        raise SystemExit(f"score {run}: {error}") from error
    log.info(
        "%d predictions took %.2f s, with reading the input and the model",
        sum(len(one["unit"]) for one in answers),
        took,
    )
    if stage == "score":
        _hand_in(module, entry, answers)
    lead = next(iter(found))
    if not entry.fitted_by and (clean := _not_leaked(entry.dataset, answers[0]["group"])).size:
        kept = [{key: values[clean] for key, values in columns.items()} for columns in (*answers, trivial)]
        also = {f"{lead}_without_leaked": metrics[lead]}
        some, redrawn = scores.score(also, kept[:-1], kept[-1], f"{split} without leaked groups", *draws)
        found, resampled = found | some, resampled | redrawn
    if entry.fitted_by:
        found[f"{lead}_drop"] = _drop(entry.fitted_by, lead, found, resampled)
    for (seed, _), columns in zip(entry.trainings, answers, strict=True):
        _write(folder / f"predictions-{seed}.parquet", columns)
    _write(folder / "resampled.parquet", resampled)
    about = {
        "task": entry.task,
        "dataset": entry.dataset,
        "model": entry.model,
        "reads": str(entry.input),
        "options": dict(entry.options),
        "fingerprint": scores.fingerprint(answers[0]),
        "draws": dict(entry.shared),
        "models": {str(seed): digest(path) for seed, path in entry.trainings},
        "lead": lead,
    }
    details = module.details(entry, answers) if hasattr(module, "details") else {}
    checks = {CHECK: _better(lead, found[lead])} | _guards(module, entry, answers)
    # files of their own: the keys of scores.json are those of reports/scores.json, and a trace finds the one it needs. The checks
    # are those of the record: pages show them, and depend on this folder
    for name, value in {"about": about, "scores": found, "details": details, "checks": checks}.items():
        write_json(folder / f"{name}.json", value)
    for metric, each in found.items():
        if each["value"] is None:
            log.info("%s is not defined for this run", metric)
            continue
        interval, trivial = written(each["ci95"], ".4f"), _number(each["baseline"])
        log.info("%s %s %s, baseline %s", metric, _number(each["value"]), interval, trivial)
    figures = {metric: round(each["value"], 4) for metric, each in found.items() if each["value"] is not None}
    plots = module.plots(details) if hasattr(module, "plots") else {}
    write_record(stage, run, figures={"n": found[lead]["n"]} | figures, checks=checks, plots=plots)


def _hand_in(module: ModuleType, entry: tasks.Run, answers: list[scores.Columns]) -> None:
    """Write what a fusion of runs reads."""
    folder = tasks.answers(entry)
    held = [module.validation(entry, path) for _, path in entry.trainings] if hasattr(module, "validation") else [None]
    write_json(folder / "about.json", held[0] and held[0][0])
    for (seed, _), pair, columns in zip(entry.trainings, held, answers, strict=False):
        if pair:
            _write(folder / f"validation-{seed}.parquet", pair[1])
            _write(folder / f"test-{seed}.parquet", columns)


def _not_leaked(dataset: str, groups: np.ndarray) -> np.ndarray:
    """Rows of scored units, of these `groups`, whose group has no training clip. Empty where this is true of all or of none, and
    where the run tests on groups without test clips: its split is not the manifest's."""
    clips = read_table(paths.manifest(dataset), LABELLED)
    train, test = (set(clips.loc[clips["split"] == side, "group"]) for side in ("train", "test"))
    leaked = np.isin(groups, sorted(train))
    if not leaked.any() or not set(groups.tolist()) <= test:
        return np.array([], dtype=np.int64)
    return np.flatnonzero(~leaked)


def _drop(run: str, metric: str, found: dict, resampled: dict) -> dict:
    """By how much the run's score on its own test clips is higher than here."""
    own = read_json(paths.scores(run) / "scores.json")[metric]
    table = pq.read_table(paths.scores(run) / "resampled.parquet")
    drawn = table[metric].to_numpy() if metric in table.column_names else None
    return scores.drop(own, found[metric], drawn, resampled.get(metric))


def _better(metric: str, entry: dict) -> tuple[bool | None, str]:
    """Does the interval of the gain over the trivial baseline exclude zero, on the right side?"""
    if entry["value"] is None:
        return None, f"{metric} is not defined for this run"
    gain = entry["gain_ci95"]
    text = f"{metric} {_number(entry['value'])} 95% {written(entry['ci95'])}; baseline {_number(entry['baseline'])}"
    if gain is None:
        return None, text
    return (gain[0] > 0 if entry["higher_is_better"] else gain[1] < 0), f"{text}; gain 95% {written(gain)}"


def _guards(module: ModuleType, entry: tasks.Run, answers: list[scores.Columns]) -> dict[str, tuple[bool | None, str]]:
    """The family's own checks of the run, each with a name that begins with `GUARDS`."""
    if not hasattr(module, "checks"):
        return {GUARDS: (True, "this family has none of its own")}
    return {f"{GUARDS}: {name}": check for name, check in module.checks(entry, answers).items()}


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"


def digest(folder: Path) -> str:
    """16 hex digits of the files of a fitted model."""
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def _write(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Columns as a Parquet table; of two dimensions, a list in each row."""
    table = pa.table({name: list(values) if values.ndim > 1 else values for name, values in columns.items()})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


if __name__ == "__main__":
    command.run(main, __doc__)
