"""What the registry keeps beside its history (`test_fuzz_books.py`): versions' records, what was purged, plans of retrainings."""

import json

import pytest
from bytes_of import files, fuzz
from hypothesis import given
from hypothesis import strategies as st

from pipelines.ops.registry import cache_references, commands, history, objects, other_branches, versions, worktree
from pipelines.ops.registry.errors import RegistryError

pytestmark = pytest.mark.fault

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
WORDS = (b"<<<<<<< HEAD\n", b"[" * 3000, b"null", b"[]", b"{}", b"1e999", b"NaN")
MODEL = "models/tagging/short"
RECORD = {
    "version": 1,
    "name": "short",
    "commit": "a" * 40,
    "dataset": "music",
    "tags": ["style:a"],
    "leave_out": {},
    "stage": "train@short",
    "code": "c" * 12,
    "params": {"training": {"seed": 1}},
    "metrics": {"roc_auc": {"n": 9, "value": 0.9, "ci95": [0.8, 1]}},
    "hashes": {MODEL: "b" * 32 + ".dir", "data/raw.zip": ""},
}
PLAN = {"base": "a" * 40, "changes": ["training.seed=7"], "stages": ["tagging"]}


def changed(valid: dict) -> st.SearchStrategy[bytes]:
    """JSON of a valid object with keys missing, or of other values."""
    some = st.fixed_dictionaries({}, optional={key: st.just(value) | VALUES for key, value in valid.items()})
    return (some | st.builds(lambda part: {**valid, **part}, some) | VALUES).map(lambda v: json.dumps(v).encode())


def test_version_record(tmp_path):
    with history.alone(tmp_path):
        history.append(tmp_path, "short", "registered", 1, "from a commit")
    path = versions.path(tmp_path, "short", 1)

    @fuzz
    @given(files(json.dumps(RECORD, indent=2).encode(), words=WORDS) | changed(RECORD))
    def target(content):
        path.write_bytes(content)
        try:
            record = versions.load(tmp_path, "short", 1)
        except RegistryError as error:
            assert "1.json" in str(error) and "git checkout HEAD -- registry/short/1.json" in str(error)
            return
        # all that is asked of a record
        commands._scores(record["metrics"])
        assert (
            MODEL in record["hashes"] and cache_references.of_version(record) and cache_references.of_versions(tmp_path)
        )
        assert list(other_branches.commits(tmp_path)) == [record["commit"]]
        try:
            objects.file({}, record["hashes"], "reports/nowhere")
        except RegistryError as error:
            assert "no output" in str(error)

    target()


def test_purged(tmp_path):
    path = tmp_path / cache_references.PURGED
    path.parent.mkdir()

    @fuzz
    @given(
        files(json.dumps({"a" * 32: "data/audio/music/0.bin"}).encode(), words=WORDS) | changed({"a" * 32: "data/x"})
    )
    def target(content):
        path.write_bytes(content)
        try:
            found = cache_references.purged(tmp_path)
        except RegistryError as error:
            assert "purged.json" in str(error) and "git checkout HEAD -- registry/purged.json" in str(error)
            return
        assert all(isinstance(word, str) for pair in found.items() for word in pair)

    target()


def test_plan(tmp_path):
    folder = tmp_path / worktree.FOLDER
    (folder / "a").mkdir(parents=True)

    @fuzz
    @given(files(json.dumps(PLAN, indent=2).encode(), words=WORDS) | changed(PLAN))
    def target(content):
        (folder / "a.json").write_bytes(content)
        try:
            found = worktree.plan(tmp_path, "a")
        except RegistryError as error:
            assert "a.json" in str(error) and "conservatory retrain --clean" in str(error)
            return
        assert all(isinstance(word, str) for word in (found["base"], *found["changes"], *found["stages"]))

    target()


def test_history_of_whole_events(tmp_path):
    """Events with all they need, in any order and of any version."""
    path = tmp_path / "registry/short/history.jsonl"
    path.parent.mkdir(parents=True)
    kinds = st.sampled_from(("registered", "promoted", "refused", "rolled_back", "another")) | st.text(max_size=8)
    version = st.integers(-1, 4) | st.integers()
    event = st.fixed_dictionaries(
        {"time": st.text(max_size=8), "event": kinds, "version": version, "reason": st.text()}
    )

    @fuzz
    @given(st.lists(event, max_size=12))
    def target(events):
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        assert history.read(tmp_path, "short") == events
        stages = history.stages(events)
        assert history.champion(events) in (None, *stages) and history.before(events) in (None, *stages)

    target()
