"""A folder of tracks: the sum is the clip, artists on one side, and every defect has its reason."""

import re

import numpy as np
import pytest
import soundfile

from pipelines.core import stems
from pipelines.datasets import listing, multitrack_folder
from pipelines.stages import manifest

RATE = 4000


def sound(path, seed, n=8000, rate=RATE, channels=1, level=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    y = np.random.default_rng(seed).uniform(-level, level, (n, channels))
    soundfile.write(path, y, rate)


def entry_of(folder, **options):
    entry = {"module": "multitrack_folder", "path": str(folder), "sample_rate": RATE, "seed": 1}
    split = {"train": 0.5, "validation": 0.0, "test": 0.5}
    return entry | {"split": split, "fingerprint": listing.fingerprint(listing.scan(folder))} | options


def tracks(folder, *names, stems_of=("bass", "drums"), **options):
    for number, name in enumerate(names):
        for place, stem in enumerate(stems_of):
            sound(folder / name / f"{stem}.wav", 10 * number + place, **options)


def test_a_track_is_the_sum_of_its_stems(tmp_path):
    folder, raw = tmp_path / "music", tmp_path / "raw"
    tracks(folder, "Ann - one", "Ann - two", "Bob - three", "four", channels=2)
    sound(folder / "four/mixture.wav", 99)
    entry = entry_of(folder)
    figures = multitrack_folder.build(raw, entry)
    assert figures == {"tracks": 4, "stems": 2, "groups": 3, "unusable": 0}
    good, bad = manifest.build(multitrack_folder.clips(raw, entry), raw, {"workers": 1})
    assert len(good) == 4 and bad.empty
    assert good.groupby("group")["split"].nunique().eq(1).all() and set(good["split"]) == {"train", "test"}
    table = stems.read(raw / "stems")
    for path, title in zip(good["path"], good["title"], strict=True):
        mixture, _ = soundfile.read(path, dtype="int16")
        short = path.removeprefix(f"{raw.as_posix()}/")
        sounds = stems.signals(raw / "stems", table, short, ["bass", "drums"]) * stems.FULL_SCALE
        assert (sounds.sum(axis=0) == mixture).all()
        bass = soundfile.read(folder / title / "bass.wav", dtype="float64")[0].mean(axis=1)
        np.testing.assert_allclose(sounds[0] / stems.FULL_SCALE, bass, atol=0.6 / stems.FULL_SCALE)


DEFECTS = {
    "drums.wav has 7999 samples and .*bass.wav 8000": lambda path: sound(path, 1, n=7999),
    "drums.wav has 8000 Hz and .*bass.wav 4000: export all stems at one rate": lambda path: sound(path, 1, rate=8000),
    "bass.wav has 2000 Hz, less than 4000": lambda path: sound(path.with_name("bass.wav"), 1, rate=2000),
    "drums.wav has 2 channels and .*bass.wav 1": lambda path: sound(path, 1, channels=2),
    "drums.wav is silent throughout": lambda path: sound(path, 1, level=0.0),
    "the stem drums is missing: add drums.wav": lambda path: path.unlink(),
    r"the sum of its stems clips, its peak would be \+\d": lambda path: [
        sound(path.with_name(f"{name}.wav"), 1, level=0.9) for name in ("bass", "drums")
    ],
    "drums.wav cannot be read": lambda path: path.write_bytes(b"RIFF" + bytes(60)),
    "two files are the stem drums": lambda path: sound(path.with_suffix(".flac"), 1),
}


@pytest.fixture(scope="module")
def defects(tmp_path_factory):
    """Reasons by track, of a folder with a defect in each track but the last."""
    root = tmp_path_factory.mktemp("defects")
    names = [f"track{number}" for number in range(len(DEFECTS))]
    tracks(root / "music", *names, "fine")
    for name, spoil in zip(names, DEFECTS.values(), strict=True):
        spoil(root / "music" / name / "drums.wav")
    entry = entry_of(root / "music")
    assert multitrack_folder.build(root / "raw", entry)["unusable"] == len(DEFECTS)
    good, bad = manifest.build(multitrack_folder.clips(root / "raw", entry), root / "raw", {"workers": 1})
    assert good["title"].tolist() == ["fine"]
    assert set(stems.read(root / "raw/stems")["path"]) == {"audio/fine.flac"}
    return dict(zip(names, bad["reason"], strict=True))


@pytest.mark.parametrize("reason", DEFECTS)
def test_a_defect_is_quarantined_with_its_reason(defects, reason):
    found = defects[f"track{list(DEFECTS).index(reason)}"]
    assert re.search(reason, found), found


def test_a_folder_that_is_none_or_has_changed_is_refused(tmp_path):
    sound(tmp_path / "flat/bass.wav", 1)
    with pytest.raises(ValueError, match="has no folder <track>/ with a file for each stem"):
        multitrack_folder.build(tmp_path / "raw", entry_of(tmp_path / "flat"))
    with pytest.raises(ValueError, match="does not match params.yaml"):
        multitrack_folder.build(tmp_path / "raw", entry_of(tmp_path / "flat", fingerprint=""))


def test_shorter_stems_are_padded_where_the_entry_says_so(tmp_path):
    tracks(tmp_path / "music", "one", "two")
    sound(tmp_path / "music/two/drums.wav", 1, n=6000)
    figures = multitrack_folder.build(tmp_path / "raw", entry_of(tmp_path / "music", lengths="pad"))
    table = stems.read(tmp_path / "raw/stems")
    bass, drums = stems.signals(tmp_path / "raw/stems", table, "audio/two.flac", ["bass", "drums"])
    assert (
        figures["unusable"] == 0
        and len(drums) == 8000
        and drums[:6000].any()
        and not drums[6000:].any()
        and bass[6000:].any()
    )


def test_only_the_stems_asked_for_are_read(tmp_path):
    tracks(tmp_path / "music", "one", "two", stems_of=("bass", "drums", "noise"))
    (tmp_path / "music/two/noise.wav").unlink()
    figures = multitrack_folder.build(tmp_path / "raw", entry_of(tmp_path / "music", stems=["bass", "drums"]))
    assert figures["unusable"] == 0 and set(stems.read(tmp_path / "raw/stems")["stem"]) == {"bass", "drums"}
