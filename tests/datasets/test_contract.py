"""What every dataset's module promises, over all of them, from local copies and from a server."""

import json
from pathlib import Path

import copies
import multitrack_sets
import pandas as pd
import pytest
import small_sets
import soundfile
from helpers import some
from test_multitracks import ENTRY as MULTITRACKS
from test_notes import ENTRY as NOTES
from test_scores import ENTRY as SCORES

from pipelines import datasets
from pipelines.core import events, splits
from pipelines.core.files import write_json
from pipelines.core.manifest import MANIFEST, QUARANTINE, SPLITS
from pipelines.core.tables import write_table
from pipelines.datasets import listing
from pipelines.harness import executor
from pipelines.stages import manifest


def make_folder(folder):
    for number in range(4):
        copies.sound(folder / "ab"[number % 2] / f"{number}.wav", number)
    return {"module": "folder", "path": str(folder), "fingerprint": listing.fingerprint(listing.scan(folder))}


def make_scores(folder):
    return SCORES


def make_notes(folder):
    return NOTES | {"lowest": 60, "highest": 60}


def make_multitracks(folder):
    return MULTITRACKS | {"instruments": "families", "drums": 0.6}


CASES = {
    "multitracks": (make_multitracks, {}),
    "scores": (make_scores, {}),
    "notes": (make_notes, {}),
    "folder": (make_folder, {}),
    "gtzan fault_filtered": (copies.make_gtzan, {}),
    "gtzan full clean": (copies.make_gtzan, {"split": "full", "variant": "clean"}),
    "gtzan fold 2": (copies.make_gtzan, {"split": "artist_folds", "fold": 2}),
    "jamendo": (copies.make_jamendo, {}),
    "jamendo some archives": (copies.make_jamendo, {"archives": [15, 41, 73]}),
    "magnatagatune": (copies.make_magnatagatune, {"group": "song"}),
    "magnatagatune untagged": (copies.make_magnatagatune, {"group": "song", "untagged": "keep"}),
    "real_notes": (small_sets.make_real_notes, {}),
    "nsynth": (small_sets.make_nsynth, {}),
    "esc50": (small_sets.make_esc50, {}),
    "tinysol": (small_sets.make_tinysol, {}),
    "slakh": (multitrack_sets.make_baby, {}),
    "musdb18": (multitrack_sets.make_musdb18, {}),
    "medleydb": (multitrack_sets.make_medleydb, {}),
}
SERVED = {
    "gtzan": (copies.make_gtzan, copies.serve_gtzan),
    "jamendo": (copies.make_jamendo, copies.serve_jamendo),
    "magnatagatune": (copies.make_magnatagatune, copies.serve_magnatagatune),
    "real_notes": (small_sets.make_real_notes, small_sets.serve_real_notes),
    "esc50": (small_sets.make_esc50, small_sets.serve_esc50),
    "tinysol": (small_sets.make_tinysol, small_sets.serve_tinysol),
    "slakh": (multitrack_sets.make_baby, multitrack_sets.serve_baby),
    "musdb18": (multitrack_sets.make_musdb18, multitrack_sets.serve_musdb18),
}


# `scores` is built by test_scores.py too, where its contract is kept in `make test`
@pytest.fixture(scope="module", params=some(CASES, *(set(CASES) - {"scores"})))
def case(request, tmp_path_factory):
    """(module, entry, raw_dir, figures) after a build in a project of its own."""
    root = tmp_path_factory.mktemp("case")
    make, options = CASES[request.param]
    entry = make(root / "original") | options
    if request.param.startswith("gtzan fold"):
        entry["artist_folds"] = entry["local"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(executor, "n_workers", lambda wanted=0: 1)
        module = datasets.load(entry)
        raw_dir = root / "raw"
        raw_dir.mkdir()
        yield module, entry, raw_dir, module.build(raw_dir, entry)


def test_the_module_says_what_it_is(case):
    module, entry, *_ = case
    assert len(module.__doc__) > 80 and module.LICENSE_INFO
    assert module.BIBTEX.startswith("@") or entry["module"] == "folder"


def test_the_columns_are_the_contracts(case):
    module, entry, raw_dir, _ = case
    clips = module.clips(raw_dir, entry)
    assert set(datasets.CLIP_COLUMNS) <= set(clips.columns) and len(clips)
    extra = set(clips.columns) - set(datasets.CLIP_COLUMNS) - {"sha256", "problem"}
    assert extra or (raw_dir / "stems").exists(), "a clip is labelled, or has stems"
    assert all(name.startswith("target_") for name in extra)
    assert set(clips["split"]) <= set(SPLITS) and clips["path"].is_unique
    assert not (clips[["path", "title", "source", "licence"]] == "").any().any()
    assert all(isinstance(tag, str) for tags in clips["tags"] for tag in tags)
    assert clips[sorted(extra)].notna().any().all()


def test_every_clip_is_in_the_manifest_or_the_quarantine(case):
    module, entry, raw_dir, figures = case
    clips = module.clips(raw_dir, entry)
    good, bad = manifest.build(clips, raw_dir, {"workers": 1})
    assert len(good) + len(bad) == len(clips) and len(good)
    assert (bad["reason"].str.len() > 10).all() and (good["duration_s"] > 1).all()
    write_table(good, raw_dir.parent / "m.parquet", MANIFEST)
    write_table(bad, raw_dir.parent / "q.parquet", QUARANTINE)
    assert len(bad) >= figures.get("unusable", 0)


def test_no_group_stands_on_two_sides(case):
    module, entry, raw_dir, _ = case
    good, _ = manifest.build(module.clips(raw_dir, entry), raw_dir, {"workers": 1})
    passed, sentence = splits.audit(good)["no group in two splits"]
    assert passed is not False, sentence
    assert splits.audit(good)["no exact copy in two splits"][0]


def test_events_are_of_its_clips(case):
    module, entry, raw_dir, _ = case
    if not hasattr(module, "events"):
        pytest.skip("this module has no events")
    good, bad = manifest.build(module.clips(raw_dir, entry), raw_dir, {"workers": 1})
    found = manifest.events_of(module, raw_dir, entry, good, bad, "case")
    write_table(found, raw_dir.parent / "e.parquet", events.EVENTS)
    if entry["module"] == "folder":
        assert found.empty
        return
    stems = {"stem", "note", "program"} if entry["module"] in ("multitracks", "slakh") else set()
    assert set(found["clip_id"]) == set(good["clip_id"]) and set(found["target"]) == {"instrument"} | stems
    # the families that the tags name are those that play
    tagged = [{tag.removeprefix("family:") for tag in tags if tag.startswith("family:")} for tags in good["tags"]]
    played = found[found["target"] == "instrument"].groupby("clip_id")["label"].agg(set)
    assert [played[clip_id] for clip_id in good["clip_id"]] == tagged


def test_figures_are_json(case):
    *_, raw_dir, figures = case
    write_json(raw_dir.parent / "figures.json", figures)
    assert json.loads((raw_dir.parent / "figures.json").read_text()) == figures


def test_a_second_build_gives_the_same_bytes(case):
    module, entry, raw_dir, figures = case
    if entry["module"] == "scores":
        pytest.skip("test_scores has it")
    again = raw_dir.with_name("again")
    again.mkdir()
    assert module.build(again, entry) == figures
    for table in raw_dir.glob("*.parquet"):
        assert (again / table.name).read_bytes() == table.read_bytes()


def test_local_files_are_read_where_they_are(case):
    module, entry, raw_dir, _ = case
    if "local" not in entry or (raw_dir / "stems").exists():
        pytest.skip("not a published dataset, or one of sums of stems")
    clips = module.clips(raw_dir, entry)
    assert clips.loc[clips["problem"] == "", "path"].str.startswith(entry["local"]).all()
    assert [path.name for path in raw_dir.rglob("*")] == ["clips.parquet"]


@pytest.fixture(params=SERVED)
def served(request, in_tmp, host, monkeypatch):
    """(module, its entry for a download, the local copy's entry), with the module's addresses on a server here."""
    make, serve = SERVED[request.param]
    local = make(in_tmp / "original")
    return datasets.load(local), serve(in_tmp / "original", host, monkeypatch), local


def built(module, entry, name):
    raw_dir = Path(name)
    raw_dir.mkdir()
    module.build(raw_dir, entry)
    return module.clips(raw_dir, entry), raw_dir


def test_a_download_gives_what_a_local_copy_gives(served):
    module, entry, local = served
    downloaded, raw_dir = built(module, entry, "raw")
    there, _ = built(module, local, "raw_local")
    pd.testing.assert_frame_equal(downloaded.drop(columns="path"), there.drop(columns="path"))
    for row in downloaded[downloaded["problem"] == ""].itertuples():
        assert not Path(row.path).is_absolute() and (raw_dir / row.path).is_file()
    good, _ = manifest.build(downloaded, raw_dir, {"workers": 1})
    assert soundfile.info(good["path"].iloc[0]).duration > 1


def test_what_was_downloaded_is_not_downloaded_again(served, host):
    module, entry, _ = served
    first, _ = built(module, entry, "raw")
    host.asked.clear()
    again, _ = built(module, entry, "raw_again")
    assert not host.asked
    pd.testing.assert_frame_equal(first, again)
    left = [
        path.name for path in Path(".cache/downloads").rglob("*") if path.suffix in (".tar", ".gz", ".part", ".zip")
    ]
    assert not left, "archives go once they are unpacked"


def test_a_host_that_is_gone_is_said_with_what_to_do(served, host):
    module, entry, _ = served
    host.files.clear()
    with pytest.raises(ValueError, match="HTTP 404 (.|\n)*local: <folder>"):
        built(module, entry, "raw")


@pytest.mark.parametrize("make", [copies.make_gtzan, copies.make_jamendo, copies.make_magnatagatune])
def test_an_unknown_option_and_a_missing_folder_are_said(make, in_tmp):
    entry = make(in_tmp / "original")
    module = datasets.load(entry)
    option = {"gtzan": "variant", "jamendo": "subset", "magnatagatune": "group"}[entry["module"]]
    with pytest.raises(ValueError, match=f"{option}: nonsense in params.yaml; there is "):
        module.build(in_tmp, entry | {option: "nonsense"})
    with pytest.raises(ValueError, match="locla in params.yaml; .* has the options .*local"):
        module.build(in_tmp, entry | {"locla": "x"})
    with pytest.raises(ValueError, match="is not a folder"):
        module.build(in_tmp, entry | {"local": str(in_tmp / "nowhere")})
