"""A tree that was run in part: a trace shows what was read, and says where its maker has made something else since."""

import audit_project
import pytest

from pipelines.ops.lineage import page, text, trace
from pipelines.ops.lineage.revision import Revision


@pytest.fixture
def partly(project):
    """A newer embedding than the clusters were made from."""
    old = Revision().made("data/embeddings/one"), Revision().hash("data/embeddings/one/short.json")
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    audit_project.repro(project, "embed@one-short")
    return old


def nodes(found):
    waiting = trace.tree(found)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node["made_from"]


def test_a_trace_shows_what_was_read(partly):
    found = trace.trace(Revision(), "data/clusters/one")
    (read,) = [node for node in nodes(found) if node["path"].startswith("data/embeddings")]
    now = Revision().made("data/embeddings/one")
    assert (read["path"], read["md5"], read["now"]) == ("data/embeddings/one", partly[0], now) and now != partly[0]
    (dep,) = [dep for dep in found["stages"]["cluster@one"]["inputs"] if dep["path"] == "data/embeddings/one"]
    assert (dep["md5"], dep["now"]) == (partly[0], now)
    said = f"read {partly[0][:8]}; embed@one-short has made {now[:8]} since: the lines below are of the newer one"
    lines = list(text.lines(found))
    assert any(said in line for line in lines) and said in page.render(found)
    last = "Below these, the lineage is that of the newer bytes, not of the ones read."
    assert lines[-1] == last and last in page.render(found)


def test_one_output_that_was_made_anew(project):
    audit_project.edit(project / "params.yaml", "2.0e-05", "3.0e-05")
    old = Revision().hash("models/tagging/short")
    audit_project.repro(project, "train@short")
    found = trace.trace(Revision(), "data/embeddings/two/short.json")
    (model,) = [node for node in nodes(found) if node["path"] == "models/tagging/short"]
    assert (model["md5"], model["now"]) == (old, Revision().hash("models/tagging/short"))


def test_a_tree_that_was_run_whole_says_nothing_of_it(project):
    found = trace.trace(Revision(), "data/clusters")
    assert not trace.outdated(found) and all(node["now"] is None for node in nodes(found))
    md5s = {node["path"]: node["md5"] for node in nodes(found)}
    assert md5s["data/embeddings/one/short.json"] == Revision().hash("data/embeddings/one/short.json")
