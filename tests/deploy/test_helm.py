"""Dagster's chart, rendered with deploy/helm/values.yaml: what a cluster would be given.

The chart is somebody else's and not here. `helm pull dagster/dagster --version 1.13.27 --untar` makes a folder `dagster`, and
CONSERVATORY_CHART names it. It is rendered by `helm`, or by Helm's own engine in the Python package helm-python-sdk.
"""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from helpers import PROJECT

VALUES = PROJECT / "deploy/helm/values.yaml"
RELEASE = "conservatory"


def documents(text: str) -> list[dict]:
    return [found for found in yaml.safe_load_all(text) if found]


def render(chart: str) -> list[dict]:
    """The manifests, as the command in values.yaml would send them; skips the test where nothing can render them."""
    if helm := shutil.which("helm"):
        command = [helm, "template", RELEASE, chart, "--namespace", RELEASE, "-f", str(VALUES)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return documents(done.stdout)
    engine = pytest.importorskip("helm_python", reason="no helm here, nor its engine (pip install helm-python-sdk)")
    with engine.Chart.load(chart) as loaded:
        texts = loaded.render(yaml.safe_load(VALUES.read_text()), name=RELEASE, namespace=RELEASE)
    return [found for name, text in texts.items() if name.endswith(".yaml") for found in documents(text)]


@pytest.fixture(scope="module")
def manifests() -> dict[tuple[str, str], dict]:
    """Kind and name -> manifest."""
    chart = os.environ.get("CONSERVATORY_CHART")
    if not chart:
        pytest.skip("CONSERVATORY_CHART names no folder of Dagster's chart (docs/deployment.md)")
    assert (Path(chart) / "Chart.yaml").exists(), f"no chart in {chart}"
    return {(found["kind"], found["metadata"]["name"]): found for found in render(chart)}


def of(manifests: dict, kind: str) -> dict[str, dict]:
    return {name: found for (of_kind, name), found in manifests.items() if of_kind == kind}


def pods(manifests: dict) -> dict[str, dict]:
    """Deployment -> what its pod is to be."""
    return {name: found["spec"]["template"]["spec"] for name, found in of(manifests, "Deployment").items()}


def container(pod: dict) -> dict:
    (found,) = pod["containers"]
    return found


def settings(manifests: dict) -> str:
    (found,) = (one for name, one in of(manifests, "ConfigMap").items() if name.endswith("-instance"))
    return found["data"]["dagster.yaml"]


def test_dagster_takes_the_settings_and_they_are_the_teams(manifests, tmp_path):
    """Dagster itself reads them: it refuses, for one, a limit of the queue beside one of `concurrency`."""
    (tmp_path / "dagster.yaml").write_text(settings(manifests))
    found = InstanceRef.from_dir(str(tmp_path)).settings
    team = yaml.safe_load((PROJECT / "deploy/dagster.yaml").read_text())
    for key in ("run_retries", "concurrency", "telemetry", "nux"):
        assert found[key] == team[key], key
    assert found["run_monitoring"]["enabled"]
    kept = found["retention"]
    assert kept["schedule"] == team["retention"]["schedule"]
    assert team["retention"]["sensor"]["purge_after_days"].items() <= kept["sensor"]["purge_after_days"].items()


def test_postgres_is_yours_and_its_password_in_your_secret(manifests):
    assert not of(manifests, "Secret") and not of(manifests, "StatefulSet")
    databases = re.findall(r"hostname: \"?([\w.]+)", settings(manifests))
    assert set(databases) == {"postgres.example.org"} and len(databases) == 3
    assert settings(manifests).count("env: DAGSTER_PG_PASSWORD") == 3
    for name, pod in pods(manifests).items():
        (password,) = (one for one in container(pod)["env"] if one["name"] == "DAGSTER_PG_PASSWORD")
        reference = {"name": "conservatory-postgres", "key": "postgresql-password"}
        assert password["valueFrom"] == {"secretKeyRef": reference}, name


def test_code_is_imported_from_the_project(manifests):
    (code,) = (pod for pod in pods(manifests).values() if "args" in container(pod))
    found = container(code)
    assert found["args"][:3] == ["dagster", "code-server", "start"] and "command" not in found
    assert found["args"][-4:] == ["--module-name", "assets.definitions", "--working-directory", "/project"]
    assert {"name": "project", "mountPath": "/project"} in found["volumeMounts"]
    claims = [one["persistentVolumeClaim"]["claimName"] for one in code["volumes"] if "persistentVolumeClaim" in one]
    assert claims == ["conservatory-project"]
    # runs get the same volume
    (context,) = (one["value"] for one in found["env"] if one["name"] == "DAGSTER_CONTAINER_CONTEXT")
    assert '"mountPath":"/project"' in context and "conservatory-project" in context
    # and the page and the daemon find it
    workspace = manifests["ConfigMap", "conservatory-dagster-workspace-yaml"]["data"]["workspace.yaml"]
    (location,) = yaml.safe_load(workspace)["load_from"]
    service = manifests["Service", location["grpc_server"]["host"]]
    assert [port["port"] for port in service["spec"]["ports"]] == [location["grpc_server"]["port"]]
    assert found["args"][found["args"].index("-p") + 1] == str(location["grpc_server"]["port"])


def test_the_guests_page_is_read_only_and_no_page_is_open_to_the_world(manifests):
    commands = {name: " ".join(container(pod).get("command", [])) for name, pod in pods(manifests).items()}
    pages = {name: shlex.split(text) for name, text in commands.items() if "dagster-webserver" in text}
    assert {name: "--read-only" in words for name, words in pages.items()} == {
        "conservatory-webserver": False,
        "conservatory-webserver-read-only": True,
    }
    assert {service["spec"]["type"] for service in of(manifests, "Service").values()} == {"ClusterIP"}
    assert not of(manifests, "Ingress")  # the chart's would give both pages one list of passwords


def test_the_ingress_leads_to_services_that_are_there(manifests):
    for ingress in documents((PROJECT / "deploy/helm/ingress.yaml").read_text()):
        for rule in ingress["spec"]["rules"]:
            (path,) = rule["http"]["paths"]
            to = path["backend"]["service"]
            service, pod = manifests["Service", to["name"]], pods(manifests)[to["name"]]
            assert [port["port"] for port in service["spec"]["ports"]] == [to["port"]["number"]]
            assert [port["containerPort"] for port in container(pod)["ports"]] == [to["port"]["number"]]
            assert container(pod)["readinessProbe"]["httpGet"]["port"] == to["port"]["number"]
            (names,) = (one["value"] for one in container(pod)["env"] if one["name"] == "CONSERVATORY_NAMES")
            assert rule["host"] in names.split()


def test_nothing_runs_as_root(manifests):
    launcher = yaml.safe_load(settings(manifests))["run_launcher"]["config"]["run_k8s_config"]
    run = {**launcher["pod_spec_config"], "containers": [launcher["container_config"]]}
    for name, pod in {**pods(manifests), "a run": run}.items():
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000, name
        held = container(pod)["securityContext"]
        assert held["capabilities"] == {"drop": ["ALL"]} and held["allowPrivilegeEscalation"] is False, name


def test_kubernetes_takes_every_manifest(manifests):
    schemas = pytest.importorskip("kubernetes_validate", reason="no schemas (pip install kubernetes-validate)")
    ours = documents((PROJECT / "deploy/helm/ingress.yaml").read_text())
    for manifest in [*manifests.values(), *ours]:
        schemas.validate(manifest, schemas.latest_version(), strict=True)
