"""A trace leads from a figure to the raw bytes, and names what stands in git, dvc.lock and the files themselves."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import audit_project
import networkx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines import recipe
from pipelines.ops.lineage import figures, runs, text, trace
from pipelines.ops.lineage.revision import LineageError, Revision, blobs

FIGURE = "reports/clustering.json#one.style.short.accuracy"


def test_a_figure_leads_to_its_raw_bytes_and_to_no_others(project):
    found = trace.trace(Revision(), FIGURE)
    value = json.loads(Path("reports/clustering.json").read_text())["one"]["style"]["short"]["accuracy"]
    assert found["target"]["value"] == value and found["target"]["beside"] == {"ci95": [0, 1], "n": 6}
    assert found["target"]["from"] == {"path": "data/clusters/one/scores.json", "key": "style.short.accuracy"}
    assert list(found["stages"]) == [
        "raw@one", "manifest@one", "audio@one", "features@one-sum", "train@short", "embed@one-short", "cluster@one", "metrics",
    ]  # fmt: skip
    files = found["sources"]["one"]["files"]
    assert len(files) == 6 and list(found["sources"]) == ["one"]
    for clip in files:
        assert (
            clip["sha256"] == hashlib.sha256(Path(clip["path"]).read_bytes()).hexdigest() and clip["licence"] == "CC0"
        )
    assert found["stages"]["train@short"]["parameters"]["export"]["tolerance"] == 2e-05
    assert found["stages"]["raw@one"]["figures"] == {"built by": "step.py"}
    assert found["environment"]["packages"] == {"numpy": "2.0.0", "pytest": "8.0.0", "not-installed": "1"}


def test_a_figure_of_the_other_dataset_needs_both(project):
    found = trace.trace(Revision(), "reports/clustering.json#two.style.short.accuracy")
    assert set(found["sources"]) == {"one", "two"}, "the model was trained on one"
    assert "cluster@one" not in found["stages"] and "embed@one-short" not in found["stages"]


def test_a_value_that_stands_twice_is_traced_to_all_the_stage_read(project):
    found = trace.trace(Revision(), "reports/clustering.json")
    assert set(found["stages"]) == set(Revision().graph.stages) - {"report"}


def test_each_run_is_the_commit_that_brought_its_entry_in(project):
    for revision in (Revision(), Revision("first")):
        names = list(revision.graph.stages)
        commits = audit_project.git(
            project, "log", "--reverse", "--format=%H", revision.commit, "--", "dvc.lock"
        ).split()
        for name, run in runs.recorded(revision, names).items():
            entries = [
                yaml.safe_load(blobs(commit, ["dvc.lock"])["dvc.lock"])["stages"].get(name) for commit in commits
            ]
            expected = next(commit for commit, entry in zip(commits, entries, strict=True) if entry == entries[-1])
            assert run["commit"] == expected and run["author"] == "Ada"
    second = audit_project.git(project, "rev-parse", "second")
    assert {name for name, run in runs.recorded(Revision(), names).items() if run["commit"] == second} == {
        "train@short", "embed@one-short", "embed@two-short", "cluster@one", "cluster@two", "metrics", "report",
    }  # fmt: skip


def test_a_run_that_is_in_no_commit_is_said_to_be(project):
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project)
    found = trace.trace(Revision(), "short")
    assert found["stages"]["train@short"]["run"] is None and found["stages"]["raw@one"]["run"] is not None
    assert "params.yaml" in found["revision"]["changed"] and "in no commit yet" in "\n".join(text.lines(found))


def test_code_is_compared_with_the_commit(project):
    audit_project.edit(project / "pipelines/kit/one.py", "1", "one")
    audit_project.repro(project)
    audit_project.git(project, "add", "dvc.lock", "reports")
    audit_project.git(project, "commit", "-q", "-m", "A result without its code")
    code = {dep["path"]: dep["in_commit"] for dep in trace.trace(Revision(), "short")["stages"]["train@short"]["code"]}
    assert code == {"pipelines/kit": False, "pipelines/step.py": True}
    assert "pipelines/kit  (not as in the commit: train@short)" in "\n".join(
        text.lines(trace.trace(Revision(), "short"))
    )


def test_an_older_revision_is_answered_from_git_and_the_cache(project):
    now, then = trace.trace(Revision(), FIGURE), trace.trace(Revision("first"), FIGURE)
    assert then["target"]["value"] != now["target"]["value"]
    assert then["stages"]["train@short"]["parameters"]["export"]["tolerance"] == 1e-05
    assert then["target"]["from"] == now["target"]["from"] and then["sources"] == now["sources"]
    assert then["stages"]["raw@one"] == now["stages"]["raw@one"]


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("short", "models/tagging/short"),
        ("models/tagging/short/weights.json", "models/tagging/short/weights.json"),
        ("cluster@two", "data/clusters/two"),
        ("data/clusters", "data/clusters"),
        ("music/x.wav", "music/x.wav"),
        ("song <2> of one", "data/raw/one/2.wav"),
        ("data/raw/one/2.wav", "data/raw/one/2.wav"),
        ("pipelines/kit/one.py", "pipelines/kit/one.py"),
        ("pipelines/kit", "pipelines/kit"),
        ("pipelines/kit/", "pipelines/kit"),
        ("params.yaml#export.tolerance", "params.yaml"),
        ("reports/clustering.json#two.style.short.by.a.b", "reports/clustering.json"),
    ],
)
def test_what_can_be_asked(project, asked, path):
    for name in (asked, str(project / asked) if (project / asked).exists() else asked):
        found = trace.trace(Revision(), name)
        assert found["target"]["path"] == path
        assert "\n".join(text.lines(found))
    content = project / path
    if content.is_file():
        assert found["target"]["md5"] == (
            hashlib.md5(content.read_bytes()).hexdigest() if path != "music/x.wav" else None
        )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("nothing", "Ask about a figure"),
        (".", "Ask about a figure"),
        ("music", "Ask about a figure"),
        ("music/x1.wav", "'music/x1.wav' was not found in the working tree; do you mean music/x.wav?"),
        ("x1.wav", "; do you mean x.wav? Ask about"),
        ("data/clusers/one", "; do you mean data/clusters/one?"),
        ("shrt", "; do you mean short?"),
        ("reports/clustering.json#one.style.long", "There is no key 'long' under one.style; found: short."),
        ("models/tagging/short/none", "No stage made"),
        ("data/audio/one/index.parquet#a", "only JSON has keys"),
        ("params.yaml#training.none", "There is no key 'none' under training"),
    ],
)
def test_what_cannot_is_told(project, call, asked, said):
    with pytest.raises(LineageError, match="."):
        trace.trace(Revision(), asked)
    status, _, errors = call("trace", asked)
    assert status == 2 and said in errors


def test_no_revision_and_no_lock(project, call):
    assert "not a revision of this project" in call("trace", FIGURE, "--rev", "elsewhere")[2]
    Path("dvc.lock").unlink()
    status, _, errors = call("trace", FIGURE)
    assert status == 2 and "`conservatory run` writes it" in errors


@pytest.mark.system
def test_a_figure_that_git_keeps_is_not_pulled(project, call):
    path = "reports/clustering.json"
    Path(path).write_text("{}")
    status, _, errors = call("trace", FIGURE)
    assert status == 2 and f": `git checkout HEAD -- {path}` or `conservatory run` restores it." in errors
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project)
    Path(path).write_text("{}")
    errors = call("trace", FIGURE)[2]
    assert "`conservatory run` makes it" in errors and "dvc pull" not in errors and "git checkout" not in errors


def test_a_file_that_is_gone_since_is_traced_where_it_was(project, call):
    Path("pipelines/kit/two.py").unlink()
    audit_project.commit(project, "Two is gone")
    for rev in ("second", "HEAD~1"):
        status, out, errors = call("trace", "pipelines/kit/two.py", "--rev", rev)
        assert status == 0 and hashlib.md5(b"second = 2\n").hexdigest() in out, errors
        assert "train@short" in call("impact", "pipelines/kit/two.py", "--rev", rev)[1]
    assert "was not found in the working tree" in call("trace", "pipelines/kit/two.py")[2]
    Path("pipelines/kit/new.py").write_text("")
    assert "was not found in second" in call("trace", "pipelines/kit/new.py", "--rev", "second")[2]


def test_a_folder_of_code_has_the_hash_that_stages_ran(project, call):
    ran = {dep["path"]: dep["md5"] for dep in Revision().graph.stages["train@short"]["deps"]}["pipelines/kit"]
    Path("pipelines/kit/__pycache__").mkdir()
    Path("pipelines/kit/__pycache__/one.cpython-311.pyc").write_text("compiled")
    for rev in ([], ["--rev", "second"]):
        assert f"md5 {ran}, last changed 2026-01-01 in " in call("trace", "pipelines/kit", *rev)[1]
    audit_project.edit(Path("pipelines/kit/one.py"), "1", "2")
    assert ran not in call("trace", "pipelines/kit")[1]
    audit_project.git(project, "rm", "-rqf", "pipelines/kit")
    audit_project.commit(project, "Kit is gone")
    assert call("trace", "pipelines/kit")[0] == 2 and call("trace", "pipelines/kit", "--rev", "second")[0] == 0


@pytest.mark.system
def test_without_data_what_is_recorded_is_still_answered(project, call):
    """A fresh clone, before `dvc pull`."""
    clone = project.parent / "clone"
    audit_project.git(project, "clone", "-q", str(project), str(clone))
    command = [sys.executable, "-m", "pipelines.cli", "trace", FIGURE, "--json", "-"]
    environment = {"PYTHONPATH": str(Path(recipe.__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(clone)}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["sources"]["one"]["files"] is None and found["target"]["from"] is None
    # no data tells which of them the figure came from
    assert set(found["stages"]) == set(Revision().graph.stages) - {"report"}
    done = subprocess.run([*command[:4], "song <1> of two"], cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "The clips of one, two are not available" in done.stderr


def test_outside_git_a_trace_has_no_commits(project):
    (project / ".git").rename(project.parent / "git")
    found = trace.trace(Revision(), FIGURE)
    assert found["revision"]["commit"] is None and {stage["run"] for stage in found["stages"].values()} == {None}
    assert {dep["in_commit"] for stage in found["stages"].values() for dep in stage["code"]} == {None}


def test_neither_torch_nor_librosa_is_loaded(project):
    code = (
        "import sys; from typer.testing import CliRunner; from pipelines.cli import app\n"
        f"asked = ['trace', {FIGURE!r}, '--verify', '--prov', 'p.json', '--html', 'p.html']\n"
        "assert CliRunner().invoke(app, asked).exit_code in (0, 1)\n"
        "assert CliRunner().invoke(app, ['impact', 'short']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['diff', 'first']).exit_code == 0\n"
        "assert not {'torch', 'librosa', 'dagster'} & set(sys.modules)"
    )
    environment = {"PYTHONPATH": str(Path(recipe.__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(project)}
    subprocess.run([sys.executable, "-c", code], cwd=project, env=environment, check=True, capture_output=True)


@given(st.data())
def test_the_graph_is_the_graph(data):
    """Stages that read and make files and folders, against networkx."""
    size = data.draw(st.integers(1, 8))
    edges = data.draw(
        st.sets(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)).filter(lambda e: e[0] < e[1]))
    )
    way = data.draw(st.sampled_from(["data/{}/out", "data/{}", "data/{}/out/part"]))
    stages = {
        f"s{n}": {
            "cmd": "x",
            "deps": [{"path": way.format(f"d{a}"), "md5": "1"} for a, b in sorted(edges) if b == n]
            + [{"path": "pipelines/x.py"}],
            "outs": [{"path": f"data/d{n}/out", "md5": "2"}, {"path": f"data/d{n}0/out", "md5": "3"}],
        }
        for n in data.draw(st.permutations(range(size)))
    }
    graph, reference = recipe.Graph(stages), networkx.DiGraph([(f"s{a}", f"s{b}") for a, b in edges])
    reference.add_nodes_from(stages)
    for name in stages:
        assert set(graph.upstream([name])) == networkx.ancestors(reference, name) | {name}
        assert set(graph.downstream([name])) == networkx.descendants(reference, name) | {name}
        assert len(set(graph.upstream([name]))) == len(graph.upstream([name]))
    order = graph.upstream(stages)
    assert all(order.index(f"s{a}") < order.index(f"s{b}") for a, b in edges)


keys = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=4) | st.sampled_from(
    ["a.b", "a", "1", "c.d.e"]
)
values = st.recursive(st.integers() | st.none(), lambda inner: st.dictionaries(keys, inner, max_size=4), max_leaves=12)


@given(st.dictionaries(keys, values, min_size=1))
def test_every_number_is_found_under_its_key(value):
    paths = [key for key, _ in figures.numbers(value)]
    for key, number in figures.numbers(value):
        if paths.count(key) == 1 and not any(other != key and other.startswith(key + ".") for other in paths):
            try:
                assert figures.lookup(value, key)[1] == number or _ambiguous(value, key)
            except LineageError:
                assert _ambiguous(value, key)


def _ambiguous(value: dict, key: str) -> bool:
    """Does a key with dots shadow a path through tables?"""
    return any("." in name for name in _names(value) if name in key)


def _names(value) -> list[str]:
    return [name for key, inner in value.items() for name in [key, *_names(inner)]] if isinstance(value, dict) else []


def test_a_parameter_was_changed_by_the_commit_that_gave_it_its_value(project, call):
    audit_project.edit(project / "params.yaml", "n: 6", "n: 7")
    audit_project.commit(project, "Another number of clips")
    said = call("trace", "params.yaml#export.tolerance")[1]
    assert "in " + audit_project.git(project, "rev-parse", "second")[:10] + ": The second result" in said
    assert ": The first result" in call("trace", "params.yaml#training.dataset")[1]
    assert ": Another number of clips" in call("trace", "params.yaml#datasets.one.n")[1]
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    assert "in no commit yet" in call("trace", "params.yaml#export.tolerance")[1]
