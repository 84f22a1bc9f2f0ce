"""A team's deployment for real, without containers: Postgres, code server, daemon and webserver over a small project."""

import pytest
import services


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    folder = services.project(tmp_path_factory.mktemp("team") / "project")
    with services.postgres() as database, services.team(folder, database, CONSERVATORY_POOLS="gpu=1 heavy=2") as team:
        yield team


def test_a_run_succeeds(team):
    run = team.launch("demo")
    assert team.wait(run)["status"] == "SUCCESS", team.tails()
