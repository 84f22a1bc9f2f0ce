"""What the project keeps about itself, after a merge, an editor or a disk had it: read, or refused with words."""

import json

import pytest
import yaml
from bytes_of import files, fuzz
from dvc.repo import Repo
from helpers import PROJECT
from hypothesis import given
from hypothesis import strategies as st
from voluptuous import Invalid

from pipelines import recipe
from pipelines.ops import registrations
from pipelines.ops.alerts import settings
from pipelines.ops.dvc import recover
from pipelines.ops.registry import history
from pipelines.ops.registry.errors import RegistryError
from pipelines.ops.remotes import local_cache
from pipelines.ops.runs import record
from pipelines.ops.settings import alerts as rules
from pipelines.ops.status import gather, text

pytestmark = pytest.mark.fault

TIME = "2026-11-22T07:00:00+00:00"
EVENTS = ("registered", "promoted", "refused", "rolled_back", "retired", "dropped", "another")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def read_history(folder) -> None:
    """As `conservatory models` does, and as an audit, which leaves out what is no event."""
    found = registrations.stages(registrations.events("short", folder))
    try:
        events = history.read(folder, "short")
    except RegistryError as error:
        assert "history.jsonl, line " in str(error)
        return
    stages = history.stages(events)
    assert stages == found
    assert set(stages.values()) <= {"champion", "challenger", "retired", "dropped"}
    assert list(stages.values()).count("champion") <= 1 and all(type(version) is int for version in stages)
    assert history.champion(events) in (None, *stages) and history.before(events) in (None, *stages)


def test_registry_history(tmp_path):
    path = tmp_path / "registry/short/history.jsonl"
    path.parent.mkdir(parents=True)
    lines = [
        {"time": "2026-11-22T00:00:00+00:00", "event": e, "version": n // 2 + 1, "reason": "r"}
        for n, e in enumerate(EVENTS)
    ]

    valid = ["".join(json.dumps(line) + "\n" for line in lines[:n]).encode() for n in (2, 5)]
    words = (b"<<<<<<< HEAD\n", b"[" * 3000, b"\xe2\x80\xa8", b"1e5", b"null", b"[1]")

    @fuzz
    @given(files(*valid, words=words))
    def target(content):
        path.write_bytes(content)
        read_history(tmp_path)

    target()


def test_registry_history_of_other_values(tmp_path):
    path = tmp_path / "registry/short/history.jsonl"
    path.parent.mkdir(parents=True)
    said = {"time": st.just(TIME), "reason": st.just("r")}
    event = st.fixed_dictionaries(
        {**said, "event": st.sampled_from(EVENTS) | VALUES, "version": st.integers(1, 3) | VALUES}
    )

    @fuzz
    @given(st.lists(event, max_size=8))
    def target(events):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        read_history(tmp_path)

    target()


def test_record_of_runs(tmp_path):
    path = tmp_path / record.FILE
    path.parent.mkdir()
    lines = [
        {"time": TIME, "run": "a", "what": record.BEGAN, "door": "conservatory run", "pid": 1},
        {"time": TIME, "run": "a", "what": record.STAGE, "stage": "raw@one", "state": "ran", "seconds": 1.5},
        {"time": TIME, "run": "a", "what": record.ENDED, "status": 0, "ran": 1},
    ]

    @fuzz
    @given(
        files(
            "".join(json.dumps(line) + "\n" for line in lines).encode(),
            words=(b"[" * 3000, b"[]", b"{}", b"null", b"NaN", b'"pid": "1",', b'"time": 5,'),
        )
    )
    def target(content):
        path.write_bytes(content)
        entries = record.read(tmp_path)
        assert all(isinstance(entry, dict) for entry in entries)
        record.stages(entries)
        told = gather._runs(tmp_path, entries)
        assert [text._run(run, 1e9) for run in told["runs"]] or not record.runs(entries)

    target()


def test_dvc_lock():
    valid = (PROJECT / "dvc.lock").read_bytes()[:3000], b"schema: '2.0'\nstages: {}\n"
    words = (b"<<<<<<< HEAD\n", b"&a ", b"*a", b"!!python/name:os.system", b"\n  x:\n", b"- ", b"[" * 500)

    @fuzz
    @given(files(*valid, words=words))
    def target(content):
        text = content.decode("utf-8", "replace")
        try:
            stages = recipe.parse_lock(text)
        except yaml.YAMLError:
            stages = {}
        assert all(isinstance(entry, dict) for entry in stages.values())
        try:
            recover._locked(text)
        except (ValueError, yaml.YAMLError, Invalid):
            return
        assert list(stages) == list(yaml.safe_load(text).get("stages", {}))

    target()


def test_listing_of_a_folder(tmp_path):
    md5 = "0123456789abcdef0123456789abcdef.dir"
    repo = Repo.init(str(tmp_path), no_scm=True)
    path = local_cache.path(repo, md5)
    path.parent.mkdir(parents=True)
    listing = json.dumps([{"md5": "a" * 32, "relpath": "x/y.parquet"}, {"md5": "b" * 32, "relpath": "z"}])

    @fuzz
    @given(files(listing.encode(), words=(b"[" * 3000, b"null", b"[]", b"1")))
    def target(content):
        path.write_bytes(content)
        found = local_cache.entries(repo, md5)
        assert found is None or all(isinstance(word, str) for pair in found.items() for word in pair)

    target()


@pytest.mark.parametrize("environment", [{}, {settings.SMTP: "smtp://user@host:587", settings.PASSWORD: "x"}])
def test_alerts(tmp_path, environment):
    email = st.fixed_dictionaries({}, optional={key: VALUES for key in rules.EMAIL})
    urls = st.sampled_from(["https://example.org/x", "https://[x", "https://h:abc", "https://h:99999", "https://h:0"])
    keys = {"webhook": VALUES | urls, "every_s": VALUES, "email": VALUES | email}

    @fuzz
    @given(st.fixed_dictionaries({}, optional=keys) | VALUES)
    def target(alerts):
        (tmp_path / "params.yaml").write_text(json.dumps({"alerts": alerts}))
        try:
            found = settings.load(tmp_path, environment)
        except settings.AlertsError as error:
            assert "alerts" in str(error) or "webhook" in str(error)
            return
        assert found.every_s >= 0 and not any(map(str.isspace, found.webhook))

    target()
