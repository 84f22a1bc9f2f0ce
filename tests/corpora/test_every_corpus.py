"""What the module of every corpus promises, over all of them, from local copies and from a server."""

from importlib import import_module
from pathlib import Path

import layouts
import pandas as pd
import pytest

from pipelines import corpora
from pipelines.core import events, plugins, splits
from pipelines.core.manifest import PIECES, QUARANTINE, SPLITS
from pipelines.core.tables import write_table
from pipelines.corpora import groove, jsb, maestro, nottingham, pop909
from pipelines.notes.tables import Unreadable
from pipelines.ops.settings.corpora import OPTIONS
from pipelines.stages import notes

CASES = {
    "folder": layouts.make_folder,
    "groove": layouts.make_groove,
    "jsb": layouts.make_jsb,
    "lakh_clean": layouts.make_lakh,
    "maestro": layouts.make_maestro,
    "nottingham": layouts.make_nottingham,
    "pop909": layouts.make_pop909,
}
BUILT_IN = {"chorales", "composers", "folk"}
"""Read from an installed package: test_chorales.py, test_composers.py and test_folk.py have them."""
SERVED = {"groove": "groove-v1.0.0-midionly.zip", "maestro": "maestro-v3.0.0-midi.zip"}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """(module, entry, the table of pieces, manifest, quarantine, pieces that were read)."""
    root = tmp_path_factory.mktemp("corpus")
    entry = CASES[request.param](root / "original")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        if request.param == "jsb":
            patch.setattr(jsb, "SHA256", jsb.hashlib.sha256((root / "original" / jsb.FILE).read_bytes()).hexdigest())
        module = corpora.load(entry)
        listed = module.pieces(entry)
        yield module, entry, listed, *notes.build(listed, entry, {"workers": 1})


def test_every_module_is_tried_and_has_its_options():
    modules = {path.stem for path in (plugins.PROJECT / "pipelines/corpora").glob("[!_]*.py")}
    assert modules == set(CASES) | BUILT_IN == set(OPTIONS)


def test_the_module_says_what_it_is(case):
    module, entry, *_ = case
    assert len(module.__doc__) > 80 and module.LICENSE_INFO
    assert module.BIBTEX.startswith("@") or entry["module"] == "folder"


def test_the_columns_are_the_contracts(case):
    listed = case[2]
    extra = set(listed.columns) - set(corpora.PIECE_COLUMNS)
    assert set(corpora.PIECE_COLUMNS) <= set(listed.columns) and all(name.startswith("target_") for name in extra)
    assert len(listed) and listed["path"].is_unique and set(listed["split"]) <= set(SPLITS)
    assert not (listed[["path", "title", "source", "licence"]] == "").any().any()


def test_every_piece_is_in_the_manifest_or_the_quarantine(case, in_tmp):
    _, entry, listed, manifest, quarantine, pieces = case
    assert len(manifest) == len(pieces) > 0 and len(manifest) + len(quarantine) == len(listed)
    assert quarantine["path"].tolist() == ([entry["path"] + "/songs/prose.abc"] if entry["module"] == "folder" else [])
    write_table(manifest, in_tmp / "m.parquet", PIECES)
    write_table(quarantine, in_tmp / "q.parquet", QUARANTINE)
    for piece in pieces:
        assert piece.length >= (piece.notes["onset"] + piece.notes["duration"]).max() - 1e-9 and piece.length_s > 0


def test_no_group_stands_on_two_sides(case):
    """Of Groove and JSB the published split does that, which the check must say."""
    _, entry, _, manifest, *_ = case
    passed, sentence = splits.audit(manifest)["no group in two splits"]
    assert passed is not False or entry["module"] == "groove", sentence


def test_events_lie_inside_their_pieces(case, in_tmp):
    module, entry, _, manifest, _, pieces = case
    found = notes.targets_of(entry, manifest, pieces)
    write_table(found, in_tmp / "e.parquet", events.EVENTS)
    assert set(found["target"]) == ({"beat", "chord", "key"} if entry["module"] == "pop909" else set())
    assert hasattr(module, "events") == bool(len(found))


def test_a_second_listing_is_the_same(case):
    module, entry, listed, *_ = case
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(Path(entry.get("local") or entry["path"]).parent)
        pd.testing.assert_frame_equal(module.pieces(entry), listed)


@pytest.fixture(params=SERVED)
def downloaded(request, in_tmp, host, monkeypatch):
    """(module, entry of a download, that of a local copy), with the module's address on a server here."""
    local = CASES[request.param](in_tmp / "original")
    module = import_module(f"pipelines.corpora.{request.param}")
    monkeypatch.setattr(module, "ARCHIVE", layouts.served(in_tmp / "original", host, SERVED[request.param]))
    return module, {"module": request.param}, local


def test_a_download_gives_what_a_local_copy_gives(downloaded, host):
    module, entry, local = downloaded
    there, here = module.pieces(entry), module.pieces(local)
    pd.testing.assert_frame_equal(there.drop(columns="path"), here.drop(columns="path"))
    for one, other in zip(there["path"], here["path"], strict=True):
        assert one != other and Path(one).read_bytes() == Path(other).read_bytes()
    host.asked.clear()
    pd.testing.assert_frame_equal(module.pieces(entry), there)
    assert not host.asked


def test_a_host_that_sends_something_else_is_said_with_what_to_do(downloaded, host):
    module, entry, _ = downloaded
    host.behaviours[f"/{module.ARCHIVE.name}"] = ["wrong"]
    with pytest.raises(ValueError, match="another checksum(.|\n)*local: <folder>"):
        module.pieces(entry)
    host.files.clear()
    with pytest.raises(ValueError, match="HTTP 404"):
        module.pieces(entry | {})


def test_published_checksums_are_written_out():
    """Of the archives as their publisher states them; of Nottingham's books as the repository has them."""
    sums = [
        *maestro.ARCHIVE.checksums,
        *groove.ARCHIVE.checksums,
        *(f"sha256:{each}" for _, each in nottingham.BOOKS.values()),
    ]
    assert len(sums) == 16 == len(set(sums)) and all(len(each) == 71 and int(each[7:], 16) for each in sums)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"folder"}))
def test_a_folder_of_something_else_is_refused(name, in_tmp):
    (in_tmp / "music").mkdir()
    (in_tmp / "music/readme.txt").write_text("nothing")
    with pytest.raises(ValueError, match="has no "):
        corpora.load({"module": name}).pieces({"module": name, "local": str(in_tmp / "music")})


def test_another_book_of_nottingham_is_refused(in_tmp):
    entry = layouts.make_nottingham(in_tmp / "music")
    with pytest.raises(ValueError, match=r"ashover\.abc is not the published file(.|\n)*checksums: ignore"):
        nottingham.pieces(entry | {"checksums": "published"})


@pytest.mark.parametrize("module", [maestro, groove])
@pytest.mark.parametrize(
    ("old", "new", "reason"), [(",test", ",tset", "line 5: split"), ("split", "side", "line 2: no split")]
)
def test_a_table_that_is_another_is_named_with_its_line(module, old, new, reason, in_tmp):
    name = module.__name__.rpartition(".")[2]
    entry = CASES[name](in_tmp / "music")
    table = next((in_tmp / "music").rglob(module.TABLE))
    lines = table.read_text().splitlines()
    if old == ",test":  # the last row alone
        lines[4] = lines[4].replace(",train", ",tset").replace(",test", ",tset").replace(",validation", ",tset")
    table.write_text("\n".join([line.replace("split", new) if old == "split" else line for line in lines]))
    with pytest.raises(ValueError, match=reason):
        module.pieces(entry)


@pytest.mark.parametrize("name", ["groove", "maestro"])
def test_a_file_that_is_missing_is_a_problem_of_its_row(name, in_tmp):
    entry = CASES[name](in_tmp / "music")
    next((in_tmp / "music").rglob("*.mid*")).unlink()
    listed = corpora.load(entry).pieces(entry)
    assert len(listed) == 4 and listed["problem"].str.contains("copy it there").sum() == 1


def test_a_song_of_pop909_with_other_tracks_is_refused():
    with pytest.raises(Unreadable, match="not MELODY, BRIDGE, PIANO"):
        pop909.read(Path("001.mid"), layouts.tune(1))


def test_annotations_of_pop909(in_tmp):
    entry = layouts.make_pop909(in_tmp / "music")
    listed = pop909.pieces(entry)
    piece = pop909.read(Path(listed["path"][0]), Path(listed["path"][0]).read_bytes())
    assert listed["target_key"].tolist() == ["Gb:maj"] and piece.n_tracks == 4
    assert [(piece.notes["track"] == n).sum() for n in (1, 2, 3)] == [264, 307, 985]
    found = pop909.events([listed["path"][0]], [piece])
    beats = found[found["target"] == "beat"]
    assert beats["label"].tolist()[:5] == ["downbeat", "beat", "beat", "beat", "downbeat"]
    assert (beats["onset_s"] == beats["offset_s"]).all() and beats["onset_s"].iloc[0] == pytest.approx(0.0553332)
    assert found[found["label"] == "B:maj"].iloc[0][["target", "onset_s", "offset_s"]].tolist() == [
        "chord",
        2.721993,
        4.055323,
    ]
    assert (found["offset_s"] <= piece.length_s).all()
    (Path(listed["path"][0]).parent / "beat_midi.txt").write_text("0.1 1.0 1.0\nnone\n")
    with pytest.raises(ValueError, match="beat_midi.txt, line 2"):
        pop909.events([listed["path"][0]], [piece])
