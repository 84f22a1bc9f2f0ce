"""score: what the model of a run answers for test clips, and the scores of its task, against a trivial baseline."""

import argparse
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import tasks
from pipelines.core import params
from pipelines.core.files import atomic, write_json
from pipelines.core.record import write_record
from pipelines.harness.logging import start
from pipelines.metrics import scores
from pipelines.metrics.intervals import written


def main(name: str) -> None:
    log = start(f"score {name}")
    run = tasks.run(params.read(), name)
    module = tasks.part(run.task, "score")
    folder = Path("data/scores") / name
    shutil.rmtree(folder, ignore_errors=True)
    try:
        answers = [module.predict(run, path) for _, path in run.each_seed()]
        found, resampled = scores.score(
            module.METRICS,
            answers,
            module.baseline(run),
            getattr(module, "SPLIT", "test"),
            run.shared["n_bootstrap"],
            run.shared["seed"],
        )
    except ValueError as error:
        raise SystemExit(f"score {name}: {error}") from error
    lead = next(iter(found))
    for (seed, _), columns in zip(run.each_seed(), answers, strict=True):
        _write(folder / f"predictions-{seed}.parquet", columns)
    _write(folder / "resampled.parquet", resampled)
    details = module.details(run, answers) if hasattr(module, "details") else {}
    write_json(
        folder / "scores.json",
        {
            "task": run.task,
            "fingerprint": scores.fingerprint(answers[0]),
            "lead": lead,
            "scores": found,
            "details": details,
        },
    )
    for metric, entry in found.items():
        log.info("%s %.4f %s, baseline %.4f", metric, entry["value"], written(entry["ci95"], ".4f"), entry["baseline"])
    write_record(
        "score",
        name,
        figures={"n": found[lead]["n"]} | {metric: round(entry["value"], 4) for metric, entry in found.items()},
        checks={"better than the baseline": _better(lead, found[lead])},
    )


def _better(metric: str, entry: dict) -> tuple[bool | None, str]:
    """Does the interval of the gain over the trivial baseline exclude zero, on the right side?"""
    gain = entry["gain_ci95"]
    text = f"{metric} {entry['value']:.3f} 95% {written(entry['ci95'])}; baseline {entry['baseline']:.3f}"
    if gain is None:
        return None, text
    return (gain[0] > 0 if entry["higher_is_better"] else gain[1] < 0), f"{text}; gain 95% {written(gain)}"


def _write(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Columns as a Parquet table; of two dimensions, a list in each row."""
    table = pa.table({name: list(values) if values.ndim > 1 else values for name, values in columns.items()})
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    main(parser.parse_args().run)
