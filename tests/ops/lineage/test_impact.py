"""What used something is what DVC runs again once it changes; and a withdrawn clip is in nothing after that run."""

import hashlib
import json
from pathlib import Path

import audit_project
import pyarrow.parquet as pq
import pytest

from pipelines.ops import project_root
from pipelines.ops.lineage import impact, withdraw
from pipelines.ops.lineage.revision import LineageError, Revision, object_path
from pipelines.ops.settings import load_params

TRAIN, ODD, TEST, BOTH = "sound 0", "sound 3", "sound 2", "sound 1"


def clip(text):
    """The SHA-256 by which a clip is known."""
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("asked", "change"),
    [
        ("pipelines/kit/one.py", lambda: audit_project.edit(Path("pipelines/kit/one.py"), "1", "2")),
        pytest.param(
            "pipelines/kit",
            lambda: audit_project.edit(Path("pipelines/kit/one.py"), "1", "2"),
            marks=pytest.mark.system,
        ),
        pytest.param(
            "params.yaml#export.tolerance",
            lambda: audit_project.edit(Path("params.yaml"), "2.0e-05", "3.0e-05"),
            marks=pytest.mark.system,
        ),
        (
            "params.yaml#datasets.two",
            lambda: audit_project.edit(Path("params.yaml"), "{path: music}", "{path: music, x: 1}"),
        ),
        (clip(ODD)[:16], lambda: withdraw.write({clip(ODD): "a test"})),
        pytest.param(clip("sound x"), lambda: withdraw.write({clip("sound x"): "a test"}), marks=pytest.mark.system),
    ],
)
def test_impact_is_what_dvc_runs_again(project, asked, change):
    """DVC stops where an output is the same after all; what it runs is never more than was said."""
    said = impact.impact(Revision(), asked)
    change()
    ran = audit_project.repro(project)
    # every manifest reads the list of what is withdrawn, and those that list nothing of it come out the same
    assert set(ran) - {"manifest@one", "manifest@two"} <= set(said["stages"])
    data = [stage for stage in said["stages"] if not asked.startswith(("pipelines", "params.yaml#datasets"))]
    assert set(data) <= set(ran)


@pytest.mark.parametrize(
    ("text", "said", "retrain"),
    [
        (TRAIN, "trained on it", True),
        (BOTH, "selected on it (validation), not trained on it", True),
        (TEST, "not trained on it: a test clip", False),
        (ODD, "not trained on it: its class is left out of training", False),
        ("sound x", "", False),
    ],
)
def test_what_a_clip_was_to_a_model(project, text, said, retrain):
    found = impact.impact(Revision(), clip(text))
    (model,) = found["models"] or [{"said": "", "must_retrain": False}]
    assert model["said"].startswith(said) and model["must_retrain"] is retrain
    assert bool(model["said"]) is bool(said)


def test_a_clip_in_two_datasets_is_found_in_both(project, call):
    found = impact.impact(Revision(), clip(BOTH)[:16])
    assert [row["dataset"] for row in found["clips"]] == ["one", "two"]
    assert {row["path"] for row in found["made"]["features"]} == {"data/features/one/sum", "data/features/two/sum"}
    assert found["made"]["figures"][0] == {"path": "reports/clustering.json", "stage": "metrics", "numbers": 6}
    assert found["made"]["models"] == [{"path": "models/tagging/short", "stage": "train@short"}]
    status, out, _ = call("impact", "music/y.wav")
    assert status == 0 and "Models to retrain without it: models/tagging/short" in out and "music/y.wav" in out


def test_where_its_bytes_are_held(project):
    (project / ".dvc/config").write_text("[core]\n    analytics = false\n['remote \"r\"']\n    url = /mnt/remote\n")
    from pipelines.ops.lineage import revision

    revision._configured.cache_clear()
    held = {place["what"]: place["paths"] for place in impact.impact(Revision(), clip(BOTH))["held"]}
    assert "data/raw/one/1.wav" in held["the published file"] and held["the file itself"] == ["music/y.wav"]
    assert held["pushed files"] == ["/mnt/remote"]
    for what, paths in held.items():
        for path in paths if "pushed" not in what else []:
            assert Path(path).exists(), path
            if "samples" in what or "file" in what:
                assert BOTH in Path(path).read_text()


@pytest.mark.system
def test_remove_makes_it_so(project, call):
    before = Path("params.yaml").read_text()
    status, out, _ = call("remove", "music/y.wav", "--why", "its rights holder, letter of 3 May: all of it")
    assert status == 0 and "withdrawn" in out and "of one: song <1> of one" in out and "of two" in out
    assert "Models trained on it: models/tagging/short" in out and "the file itself: music/y.wav" in out
    after = Path("params.yaml").read_text()
    line = f"  {clip(BOTH)}: 'its rights holder, letter of 3 May: all of it'"
    assert after == before.replace("withdrawn: {}", f"withdrawn:\n{line}")
    assert "already withdrawn" in call("remove", clip(BOTH), "--why", "again")[1]
    assert Path("params.yaml").read_text() == after
    audit_project.repro(project)
    for name in ("one", "two"):
        assert clip(BOTH) not in pq.read_table(f"data/manifests/{name}.parquet").column("sha256").to_pylist()
        assert BOTH not in "".join(path.read_text() for path in Path("data/audio", name).glob("*.npy"))
        assert pq.read_table(f"data/manifests/{name}.quarantine.parquet").num_rows == 1
    assert Path("music/y.wav").read_text() == BOTH, "a user's file is the user's"
    status, out, _ = call("impact", clip(BOTH)[:16])
    assert status == 0 and "No manifest lists it any more." in out
    assert call("impact", clip(BOTH)[:16], "--rev", "second")[0] == 0
    # and a line taken out lets it in again: the same bytes as before
    audit_project.edit(Path("params.yaml"), f"withdrawn:\n{line}", "withdrawn: {}")
    audit_project.repro(project)
    assert audit_project.git(project, "status", "--porcelain") == ""


@pytest.mark.parametrize("way", ["./data/raw/one/0.wav", "{project}/data/raw/one/0.wav", "data/raw//one/0.wav"])
def test_remove_takes_a_path_however_it_is_written(project, call, way):
    status, out, errors = call("remove", way.format(project=project), "--why", "a test")
    assert status == 0 and "of one: song <0> of one" in out, errors
    assert set(load_params()["withdrawn"]) == {clip(TRAIN)}


def test_remove_takes_a_path_from_where_the_user_stands(project, call, monkeypatch):
    monkeypatch.setattr(project_root, "stood", project / "data/raw")
    assert call("remove", "one/0.wav", "--why", "a test")[0] == 0
    assert set(load_params()["withdrawn"]) == {clip(TRAIN)}
    assert call("remove", "two")[0] == 0, "the dataset, though a folder is called so there"
    assert set(load_params()["datasets"]) == {"one"}


def test_remove_of_a_whole_group_and_of_bytes_unknown(project, call):
    assert call("remove", clip(TEST), "--why", "the work", "--whole-group")[0] == 0
    withdrawn = load_params()["withdrawn"]
    assert set(withdrawn) == {clip(TEST), clip(ODD)}, "clips 2 and 3 are one work"
    status, out, _ = call("remove", "f" * 64, "--why", "before it comes")
    assert status == 0 and "No manifest lists it" in out and load_params()["withdrawn"]["f" * 64] == "before it comes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((clip(TEST),), "A reason is required"),
        ((clip(TEST), "--why", "  "), "A reason is required"),
        (("nobody", "--why", "x"), "no dataset and no clip 'nobody'; datasets are one, two"),
        (("two", "--why", "x"), "apply to clips only"),
    ],
)
def test_remove_refuses_and_leaves_all_as_it_was(project, call, arguments, said):
    before = Path("params.yaml").read_text()
    status, _, errors = call("remove", *arguments)
    assert status == 2 and said in errors and Path("params.yaml").read_text() == before


def test_params_without_the_list_gets_it(project):
    audit_project.edit(Path("params.yaml"), "withdrawn: {}\n\n", "")
    assert withdraw.write({"0" * 64: "why: because"}) == ["0" * 64]
    assert load_params()["withdrawn"] == {"0" * 64: "why: because"}
    assert withdraw.write({"0" * 64: "x", "1e" + "3" * 62: "y"}) == ["1e" + "3" * 62]
    assert set(load_params()["withdrawn"]) == {"0" * 64, "1e" + "3" * 62}, "hashes that look like numbers too"


def test_a_folder_of_code_is_used_by_those_who_load_any_of_it(project):
    every = set(Revision().graph.stages)
    assert set(impact.impact(Revision(), "pipelines")["stages"]) == every
    assert (
        impact.impact(Revision(), "pipelines/kit")["stages"]
        == impact.impact(Revision(), "pipelines/kit/one.py")["stages"]
    )
    found = impact.impact(Revision("second"), "pipelines/kit")
    assert "train@short" in found["stages"] and "Its bytes" not in "\n".join(impact.lines(found))


@pytest.mark.parametrize("listed", ["[a]", "5", "{1: a, ~: b}", "{" + "f" * 64 + ": }"])
def test_a_list_of_withdrawn_clips_that_is_none(project, call, listed):
    audit_project.edit(project / "params.yaml", "withdrawn: {}", f"withdrawn: {listed}")
    status, _, errors = call("impact", "f" * 64)
    assert status == 2 and "was not found in the working tree" in errors
    assert call("impact", clip(TRAIN))[0] == 0


def test_what_nothing_used(project):
    with pytest.raises(LineageError, match="No stage in dvc.lock reads"):
        impact.impact(Revision(), "params.yaml#nothing")
    found = impact.impact(Revision(), "dvc.lock")
    assert found["stages"] == [] and "Nothing has used it." in "\n".join(impact.lines(found))


def test_json_is_for_machines(project, call):
    status, out, _ = call("impact", clip(TRAIN), "--json", "-")
    assert status == 0 and json.loads(out)["models"][0]["must_retrain"] is True


def test_files_that_many_or_all_stages_read(project):
    every = set(Revision().graph.stages)
    for path in ("dvc.yaml", "constraints.txt"):
        assert set(impact.impact(Revision(), path)["stages"]) == every
    assert set(impact.impact(Revision(), "params.yaml")["stages"]) == every, (
        "raw@one reads a parameter, and all come after it"
    )
    assert "audio@one" not in impact._first(Revision(), {"kind": "code", "path": "params.yaml"}, [])


def test_a_published_file_is_nobodys_to_delete_where_its_listing_is_away(project):
    for folder in ("data/raw/one", "data/audio/one"):
        object_path(Revision().hash(folder)).unlink()
    held = {place["what"]: place for place in impact.impact(Revision(), clip(TRAIN))["held"]}
    assert "your file" not in held["the published file"]["purge"] and "the file itself" not in held
    assert held["perhaps samples or frames in data/audio/one"]["paths"] == ["data/audio/one"]


def holding(text):
    """The files of DVC's cache in which a clip's bytes lie."""
    return {str(path) for path in object_path("0" * 32).parents[1].glob("??/*") if text.encode() in path.read_bytes()}


@pytest.mark.system
def test_a_clip_that_a_run_took_out_is_still_known_with_the_places_of_its_bytes(project, call):
    call("remove", clip(BOTH), "--why", "letter of 3 May")
    audit_project.repro(project)
    committed, names = False, (clip(BOTH), clip(BOTH)[:16], "music/y.wav", "song <1> of one")
    for asked in [*names, *names[:1]]:
        found = impact.impact(Revision(), asked)
        assert found["withdrawn"] == "letter of 3 May" and found["stages"] == []
        assert [row["dataset"] for row in found["clips"]] == ["one", "two"]
        paths = {path for place in found["held"] for path in place["paths"]}
        assert {"data/raw/one/1.wav", "music/y.wav"} <= paths and holding(BOTH) <= paths
        assert str(object_path(Revision().hash("reports/index.html"))) not in paths, "that one was made without it"
        out = call("impact", asked)[1]
        assert "Withdrawn: letter of 3 May" in out and "of former runs" in out
        committed = committed or audit_project.commit(project, "Withdrawn")
    assert call("prune", "--withdrawn", "--yes")[0] == 0
    held = impact.impact(Revision(), clip(BOTH))["held"]
    left = {path for place in held for path in place["paths"]}
    # which in this small project is also the whole shard of another dataset
    assert left == {"data/raw/one/1.wav", "music/y.wav", str(object_path(Revision().hash("data/raw/one/1.wav")))}


@pytest.mark.system
def test_the_file_of_a_clip_that_a_run_took_out(project, call):
    call("remove", clip(TRAIN), "--why", "letter of 3 May")
    audit_project.repro(project)
    found = impact.impact(Revision(), "data/raw/one/0.wav")
    assert found["withdrawn"] == "letter of 3 May" and found["held"] and not found["clips"]
    out = call("impact", "data/raw/one/0.wav")[1]
    assert "Withdrawn: letter of 3 May" in out and "the published file: data/raw/one/0.wav" in out


@pytest.mark.system
def test_a_clip_withdrawn_already_is_said_to_be_so(project, call):
    call("remove", clip(TRAIN), "--why", "letter of 3 May")
    before, names = Path("params.yaml").read_text(), (clip(TRAIN)[:16], "./data/raw/one/0.wav", "song <0> of one")
    for repro in (False, True):
        if repro:
            audit_project.repro(project)
        for asked, *why in ((name, *why) for name in names for why in ((), ("--why", "again"))):
            status, out, errors = call("remove", asked, *why)
            assert status == 0 and f"{clip(TRAIN)[:16]}: already withdrawn: letter of 3 May" in out, errors
            assert Path("params.yaml").read_text() == before
    status, out, _ = call("remove", names[0], "--why", "the work", "--whole-group")
    assert status == 0 and set(load_params()["withdrawn"]) == {clip(TRAIN), clip(BOTH)}


@pytest.mark.system
def test_of_a_clip_whose_manifest_is_lost_the_reason_is_told(project, call):
    call("remove", clip(TRAIN), "--why", "letter of 3 May")
    audit_project.repro(project)
    for rev in ("first", "second"):
        object_path(Revision(rev).hash("data/manifests/one.parquet")).unlink(missing_ok=True)
    status, _, errors = call("impact", clip(TRAIN)[:16])
    assert status == 2 and "It was withdrawn (letter of 3 May), and no available manifest lists it." in errors
    assert "already withdrawn: letter of 3 May" in call("remove", clip(TRAIN)[:16], "--why", "again")[1]
