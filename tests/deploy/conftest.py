"""A deployment for the tests of a file: code server and both pages, over Postgres where there is one."""

from contextlib import ExitStack

import needs
import pytest
import services
from tiny_project import edit

# the project's own schedule and sensor, with another clock and a job that this small project has
DEFINITIONS = """\
from pathlib import Path

import dagster as dg

from assets import schedules, sensors
from assets.build import build

project = Path(__file__).parents[1]
schedules.WEEKLY = "* * * * *"
sensors.LOOK_EVERY = 5
defs = build(project)
job = defs.get_job_def("demo")
defs = dg.Definitions.merge(
    dg.Definitions(assets=defs.assets, asset_checks=defs.asset_checks, jobs=defs.jobs, executor=defs.executor),
    dg.Definitions(schedules=[schedules.weekly_retrain(job, False)], sensors=[sensors.new_data(project, job, False)]),
)
"""


@pytest.fixture(scope="module")  # ended with its file: a daemon at work would slow down all later tests
def team(tmp_path_factory):
    """The services but the daemon: what is launched stays in the queue. `team.database` is None where there is no Postgres."""
    needs.deployment()
    folder = services.project(tmp_path_factory.mktemp("team") / "project")
    music = folder.parent / "music"
    music.mkdir()
    edit(folder / "params.yaml", "one: {n: 3}", f"one: {{n: 3, local: {music}}}")
    edit(folder / "params.yaml", "  two: {n: 4}", "  two: {n: 4}\n  three: {n: 5}")
    (folder / "assets/definitions.py").write_text(DEFINITIONS)
    names = "dagster.example.org guests.example.org"
    with ExitStack() as stack:
        try:
            database = stack.enter_context(services.postgres())
        except pytest.skip.Exception:
            database = None
        settings = {"CONSERVATORY_POOLS": "gpu=1 heavy=2", "CONSERVATORY_NAMES": names}
        team = stack.enter_context(services.team(folder, database, start=False, **settings))
        team.database, team.music = database, music
        for service in (team.code, team.webserver, team.guests):
            service.start()
        yield team
