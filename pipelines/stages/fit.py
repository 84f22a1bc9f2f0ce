"""fit: the model of a run, fitted on training clips, once for each of its seeds."""

import argparse
import shutil

from pipelines import tasks
from pipelines.core import params
from pipelines.core.files import write_json
from pipelines.core.record import write_record
from pipelines.harness.logging import start
from pipelines.harness.progress import progress


def main(name: str) -> None:
    log = start(f"fit {name}")
    run = tasks.run(params.read(), name)
    module = tasks.part(run.task, "fit")
    shutil.rmtree(tasks.MODELS / name, ignore_errors=True)
    found = {}
    for seed, folder in progress(run.trainings, f"fit {name}", unit="training"):
        folder.mkdir(parents=True)
        try:
            found[seed] = module.fit(run, seed, folder)
        except ValueError as error:
            raise SystemExit(f"fit {name}: {error}") from error
        log.info("seed %d: %s", seed, ", ".join(f"{key} {value}" for key, value in found[seed].items()))
    config = {"task": run.task, "model": run.model, "dataset": run.dataset, "reads": str(run.input)}
    write_json(tasks.MODELS / name / "config.json", config | {"options": dict(run.options), "figures": found})
    first, *others = found.values()
    write_record("fit", name, figures=first if not others else {"trainings": len(found)} | first)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    main(parser.parse_args().run)
