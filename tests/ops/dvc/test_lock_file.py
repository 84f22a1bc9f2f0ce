"""dvc.lock as pipelines/ops/patches/lockfile.py writes it, beside DVC's own writing of it."""

import json
import string
import subprocess
import sys

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml, modify_yaml
from helpers import PROJECT, run_in, some
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipelines import recipe
from pipelines.ops.dvc import lock
from pipelines.ops.patches import lockfile

NAMES = st.text(string.ascii_lowercase + "_-@0123456789", min_size=1, max_size=12).filter(
    lambda name: name[0].isalpha()
)
# of floats at the end of their range DVC loses a digit when it reads and writes them again
NUMBERS = st.integers(-(10**6), 10**6).map(lambda n: n / 1000)
TEXT = st.text(string.ascii_letters + string.digits + string.punctuation + " äø音", max_size=120)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), NUMBERS, TEXT)
ENTRIES = st.fixed_dictionaries(
    {
        "cmd": st.text(string.ascii_letters + " ;|'\"$&-_.", min_size=1, max_size=300),
        "deps": st.lists(st.fixed_dictionaries({"path": TEXT, "size": st.integers(0)}), max_size=3),
        "params": st.dictionaries(st.just("params.yaml"), st.dictionaries(NAMES, VALUES, min_size=1, max_size=3)),
    }
)


def by_dvc(path, name, entry):
    """What `Lockfile.dump_stages` does to the file."""
    with modify_yaml(path) as document:
        if not document:
            document.update({"schema": "2.0"})
        document["stages"] = document.get("stages", {})
        document["stages"].update({name: entry})
    return path.read_text()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(NAMES, ENTRIES), min_size=1, max_size=6))
def test_the_same_bytes_as_dvc(tmp_path_factory, changes):
    path, text = tmp_path_factory.mktemp("lock") / "dvc.lock", recipe.HEAD
    for name, entry in changes:
        text = lockfile.splice(text, name, entry)
        assert text == by_dvc(path, name, entry)


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(NAMES, ENTRIES, min_size=1, max_size=6))
def test_read_as_dvc_reads_it(stages):
    text = dumps_yaml({"schema": "2.0", "stages": stages})
    assert recipe.parse_lock(text) == recipe.parse_lock(text) == YAML(typ="safe").load(text)["stages"]


@pytest.mark.parametrize("word", ["no", "on", "1:30", "1e-05", "0o17", "2026-11-22", "~", "1_000", ".5"])
def test_words_are_what_dvc_takes_them_for(word):
    text = f"{recipe.HEAD}  a:\n    cmd: c\n    params:\n      params.yaml:\n        x: {word}\n"
    assert recipe.parse_lock(text) == YAML(typ="safe").load(text)["stages"]


def test_an_alias_into_another_entry_is_followed():
    text = f"{recipe.HEAD}  a:\n    cmd: &same c\n  b:\n    cmd: *same\n"
    assert recipe.parse_lock(text) == {"a": {"cmd": "c"}, "b": {"cmd": "c"}}


@pytest.mark.parametrize("text", ["stages", "[a]", "stages: x", "stages: [a]", f"{recipe.HEAD}  a: b\n"])
def test_what_holds_no_entries_is_an_error_of_yaml(text):
    with pytest.raises(yaml.YAMLError, match="no entries"):
        recipe.parse_lock(text)


def test_two_entries_of_a_stage_are_an_error_as_to_dvc():
    text = (PROJECT / "dvc.lock").read_text()
    entry = recipe.apart(text)[1].removeprefix(recipe.HEAD)
    assert recipe.doubled(text) == [] and recipe.doubled(text + entry) == [entry.partition(":\n")[0].strip()]
    with pytest.raises(yaml.YAMLError, match="two entries of"):
        recipe.parse_lock(text + entry)


def test_the_real_lock_is_read_as_dvc_reads_it():
    text = (PROJECT / "dvc.lock").read_text()
    assert recipe.parse_lock(text) == YAML(typ="safe").load(text)["stages"]
    assert len(recipe.apart(text)) == len(recipe.parse_lock(text))


def test_any_entry_of_the_real_lock_is_put_back_in_its_place():
    text = (PROJECT / "dvc.lock").read_text()
    stages = yaml.load(text, yaml.CSafeLoader)["stages"]
    for name, entry in stages.items():
        changed = lockfile.splice(text, name, {**entry, "cmd": "another"})
        assert yaml.load(changed, yaml.CSafeLoader)["stages"] == {**stages, name: {**entry, "cmd": "another"}}


def test_what_stands_in_two_places_of_a_parameter_file_is_written_twice():
    shared = {"gain_db": 6}
    text = recipe.HEAD
    for name in ("a", "b"):
        text = lockfile.splice(text, name, {"cmd": "c", "params": {"params.yaml": {"x": shared, "y": [shared]}}})
    assert YAML(typ="safe").load(text)["stages"]["b"]["params"]["params.yaml"] == {"x": shared, "y": [shared]}
    assert "&" not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stages: {}\n",
        "schema: '2.0'\nstages: {}\n",
        f"{recipe.HEAD}  a:\n    cmd: b\ndatasets: []\n",
        f"{recipe.HEAD}  a:",
    ],
)
def test_what_is_laid_out_otherwise_is_left_to_dvc(text):
    assert lockfile.splice(text, "a", {"cmd": "c"}) is None


def test_a_run_writes_what_dvc_writes(tmp_path):
    recipe = "stages:\n" + "".join(
        f"  {name}:\n    cmd: cat {dep} > {name}\n    deps: [{dep}]\n    outs: [{name}]\n"
        for dep, name in (("start", "one"), ("one", "two"), ("two", "three"))
    )
    written = {}
    for module in ("dvc", "pipelines.ops.dvc.lock"):
        folder = tmp_path / module
        folder.mkdir()
        (folder / "dvc.yaml").write_text(recipe)
        for n in range(2):
            (folder / "start").write_text(str(n))
            for command in [["init", "-q", "--no-scm", "-f"]] * (n == 0) + [["repro", "-q"]]:
                subprocess.run([sys.executable, "-m", module, *command], cwd=folder, check=True)
            written.setdefault(n, []).append((folder / "dvc.lock").read_bytes())
        assert not list(folder.glob("*.tmp"))
    assert all(one == other for one, other in written.values())


def test_entries_are_taken_out_of_the_real_lock():
    text = (PROJECT / "dvc.lock").read_text()
    before = yaml.safe_load(text)["stages"]
    assert lock.names(text) == list(before)
    gone = ["raw@scores", "report"]
    left = yaml.safe_load(lock.without(text, gone))["stages"]
    assert left == {name: entry for name, entry in before.items() if name not in gone}
    assert yaml.safe_load(lock.without(text, before)) == {"schema": "2.0", "stages": {}}


def dvc_reads(folder, ours):
    """Stage -> entry as `Lockfile.load` gives them, with or without ours in its place, or the sentence that it ends with."""
    code = (
        "import json, sys\n"
        "from dvc.repo import Repo; from dvc.dvcfile import Lockfile; from pipelines.ops.patches import lockfile\n"
        "from dvc.exceptions import DvcException\n"
        "lockfile.install() if sys.argv[1] == 'ours' else None\n"
        "try:\n    found = Lockfile(Repo('.'), 'dvc.lock').load()\n"
        "    print(json.dumps({name: found['stages'][name] for name in found['stages']}))\n"
        "except DvcException as error:\n    print(json.dumps(str(error)))\n"
    )
    done = run_in(folder, sys.executable, "-c", code, "ours" if ours else "dvc", PYTHONPATH=str(PROJECT))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


HASHED = {"cmd": "x", "outs": [{"path": "out", "hash": "md5", "md5": "0" * 32, "size": 1}]}
LOCKS = {
    "plain": dumps_yaml({"schema": "2.0", "stages": {"raw@a-b": HASHED, "manifest": {"cmd": "y"}}}),
    "odd names": dumps_yaml(
        {"schema": "2.0", "stages": {"it's": HASHED, "x" * 200: HASHED, "5": HASHED, "no": HASHED}}
    ),
    "an alias": "schema: '2.0'\nstages:\n  a:\n    cmd: &c x\n  b:\n    cmd: *c\n",
    "a key DVC does not know": "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y\n    colour: red\n",
    "no command": "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    deps: []\n",
    "no YAML": "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: [\n",
    "twice": "schema: '2.0'\nstages:\n  a:\n    cmd: x\n  a:\n    cmd: y\n",
    "datasets": "schema: '2.0'\nstages:\n  a:\n    cmd: x\ndatasets: []\n",
    "empty": "",
    "no stage": "schema: '2.0'\nstages: {}\n",
}


@pytest.mark.parametrize("name", some(LOCKS, "plain", "no command", "twice"))
def test_dvc_reads_the_same_and_finds_the_same_wrong(tmp_path, name):
    lock = LOCKS[name]
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    (tmp_path / "dvc.lock").write_text(lock)
    assert dvc_reads(tmp_path, ours=True) == dvc_reads(tmp_path, ours=False)
