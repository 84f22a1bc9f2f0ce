"""fit: the model of a run, fitted on training clips, once for each of its seeds.

The log says how long each training took. The record does not: it is an output, and the same after every run.
"""

import shutil
import time

from pipelines import tasks
from pipelines.core import params, paths
from pipelines.core.files import write_json
from pipelines.core.record import write_record
from pipelines.harness import command
from pipelines.harness.logging import start
from pipelines.harness.progress import progress


def main(run: str) -> None:
    log = start(f"fit {run}")
    entry = tasks.run(params.read(), run)
    module = tasks.part(entry.task, "fit")
    shutil.rmtree(paths.fitted(run), ignore_errors=True)
    found = {}
    for seed, folder in progress(entry.trainings, f"fit {run}", unit="training"):
        folder.mkdir(parents=True)
        begun = time.monotonic()
        try:
            found[seed] = module.fit(entry, seed, folder)
        except ValueError as error:
            raise SystemExit(f"fit {run}: {error}") from error
        figures = ", ".join(f"{key} {value}" for key, value in found[seed].items())
        log.info("seed %d: %s; training took %.1f s", seed, figures, time.monotonic() - begun)
    write_json(paths.fitted(run) / "config.json", tasks.identity(entry) | {"figures": found})
    first, *others = found.values()
    write_record("fit", run, figures=first if not others else {"trainings": len(found)} | first)


if __name__ == "__main__":
    command.run(main, __doc__)
