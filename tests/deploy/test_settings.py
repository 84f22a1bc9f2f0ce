"""What deploy/ holds is what the programs that read it take, and holds no secret."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import needs
import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.config import dagster_instance_config_schema
from helpers import PROJECT

from assets import pools, recipe, services

DEPLOY = PROJECT / "deploy"
SERVICES = {"code", "daemon", "webserver", "guests"}


def variables() -> dict[str, str]:
    lines = (DEPLOY / "conservatory.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_is_listed_with_its_default():
    found = variables()
    assert {name: found[name] for name in services.DEFAULTS} == services.DEFAULTS
    code = "".join(path.read_text() for path in (PROJECT / "assets").glob("*.py"))
    assert set(re.findall(r"CONSERVATORY_[A-Z_]+", code)) <= set(found)
    assert not [name for name in found if "PASSWORD" in name]
    assert set(services.SERVICES) == SERVICES


def test_pools_of_the_recipe_are_those_of_the_deployment(monkeypatch):
    groups = recipe.load(PROJECT).values()
    assert {pools.of(group.meta) for group in groups} == {"dvc"}
    monkeypatch.setenv(pools.VARIABLE, variables()[pools.VARIABLE])
    assert pools.limits() == {"gpu": 1, "heavy": 2}
    found = {group.name: pools.of(group.meta) for group in groups}
    assert found["train"] == "gpu" and found["features"] == "heavy" and found["manifest"] == "dvc"
    assert {group.meta.get("pool") for group in groups} == {"gpu", "heavy", None}


@pytest.mark.parametrize("text", ["gpu", "gpu=", "gpu=0", "gpu=-1", "=2", "gpu=1,heavy=2", "gpu=²"])
def test_pools_that_mean_nothing_are_refused(monkeypatch, text):
    monkeypatch.setenv(pools.VARIABLE, text)
    with pytest.raises(ValueError, match="expected names and positive numbers"):
        pools.limits()


def test_units_are_taken_by_systemd(tmp_path):
    analyze = needs.program("systemd", "systemd-analyze")
    text = (DEPLOY / "systemd/conservatory@.service").read_text()
    python = "/srv/conservatory/.venv/bin/python"
    assert f"ExecStart={python} -m assets.services %i\n" in text
    for name in SERVICES:  # as instances, and of a program that is there
        (tmp_path / f"conservatory@{name}.service").write_text(text.replace(python, "/bin/true"))
    shutil.copy(DEPLOY / "systemd/conservatory.target", tmp_path)
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    done = subprocess.run([analyze, "verify", "--man=no", *files], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_containers(tmp_path):
    compose = needs.program("docker-compose", "docker-compose")
    folder = tmp_path / "deploy/compose"
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    (folder / "postgres-password").write_text("secret of this test")
    command = [compose, "-f", "compose.yaml", "-f", "compose.gpu.yaml", "config"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "secret of this test" not in done.stdout
    found = yaml.safe_load(done.stdout)["services"]
    assert set(found) == SERVICES | {"postgres"}
    published = {name: service.get("ports", []) for name, service in found.items()}
    assert published == {
        **{name: [] for name in found},
        "webserver": ["127.0.0.1:3000:3000/tcp"],
        "guests": ["127.0.0.1:3001:3001/tcp"],
    }
    for name in SERVICES:
        assert [*found[name]["entrypoint"], *found[name]["command"]] == ["python", "-m", "assets.services", name]
        assert found[name]["environment"]["CONSERVATORY_POOLS"] == "gpu=1 heavy=2"
        assert found[name]["user"] == "1000:1000" and found[name]["cap_drop"] == ["ALL"]


def test_what_the_image_copies_is_there():
    text = (DEPLOY / "compose/Dockerfile").read_text()
    kept = (DEPLOY / "compose/Dockerfile.dockerignore").read_text()
    assert "\nENTRYPOINT" not in text  # Dagster's chart and its runs give commands of their own, as `args`
    copied = [word for line in re.findall(r"^COPY (.+)$", text, re.M) for word in line.split()[:-1]]
    assert copied and all((PROJECT / name).exists() and f"!{name}\n" in kept for name in copied)


def test_helm_values():
    """What the chart passes on to Dagster is the team's; test_helm.py renders the chart where there is one."""
    values = yaml.safe_load((DEPLOY / "helm/values.yaml").read_text())
    found = process_config(dagster_instance_config_schema(), values["additionalInstanceConfig"])
    assert found.success, found.errors
    team = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    pools, runs = team["concurrency"]["pools"], team["concurrency"]["runs"]
    assert values["concurrency"] == {
        "enabled": True,
        "pools": {"defaultLimit": pools["default_limit"], "granularity": pools["granularity"]},
        "runs": {"maxConcurrentRuns": runs["max_concurrent_runs"]},
    }
    retries = values["dagsterDaemon"]["runRetries"]
    assert [*retries.values()] == [*team["run_retries"].values()]
    assert "password" not in str(values["postgresql"]).lower()
    assert values["generatePostgresqlPasswordSecret"] is False


def test_each_page_has_its_own_passwords_in_kubernetes():
    names = yaml.safe_load((DEPLOY / "helm/values.yaml").read_text())["dagsterWebserver"]["env"][0]["value"].split()
    found = [*yaml.safe_load_all((DEPLOY / "helm/ingress.yaml").read_text())]
    secrets = [one["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-secret"] for one in found]
    assert len(set(secrets)) == len(found) == 2
    assert {one["metadata"]["annotations"]["nginx.ingress.kubernetes.io/auth-type"] for one in found} == {"basic"}
    assert [rule["host"] for one in found for rule in one["spec"]["rules"]] == names
    assert [host for one in found for entry in one["spec"]["tls"] for host in entry["hosts"]] == names


def test_caddy(tmp_path):
    caddy = needs.program("caddy", "caddy")
    hashed = subprocess.run([caddy, "hash-password", "--plaintext", "x"], capture_output=True, text=True).stdout.strip()
    environment = {**os.environ, "CONSERVATORY_TEAM": hashed, "CONSERVATORY_GUESTS": hashed, "HOME": str(tmp_path)}
    command = [caddy, "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "proxy/Caddyfile")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_no_password_can_be_committed():
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert "/deploy/compose/postgres-password" in ignored
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name != "postgres-password":
            assert not re.search(r"(?i)password\s*[:=]\s*['\"]?[a-z0-9]{6,}['\"]?\s*$", path.read_text(), re.M), path


def test_a_password_comes_from_a_file(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("of the file\n")
    monkeypatch.setattr(os, "environ", {"PGPASSWORD_FILE": str(tmp_path / "secret")})
    home = services.prepare(tmp_path)
    assert os.environ["PGPASSWORD"] == "of the file"
    assert home == Path(os.environ["DAGSTER_HOME"]) == tmp_path / ".dagster"
    assert "of the file" not in (home / "dagster.yaml").read_text()
