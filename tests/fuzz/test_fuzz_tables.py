"""What people and publishers write by hand or by script: CSV, TSV, lists, JSON, params.yaml. A sentence says what is wrong."""

import json

import pytest
from bytes_of import files, fuzz
from helpers import PROJECT, copy_params
from hypothesis import given
from hypothesis import strategies as st

from pipelines.core import cache, params
from pipelines.core.files import read_json
from pipelines.datasets import gtzan, jamendo, listing, magnatagatune
from pipelines.models import tags
from pipelines.ops.settings import load_params

pytestmark = pytest.mark.fault

PUBLISHED = PROJECT / "tests/datasets/published"
INDEX = json.dumps(
    {"version": "1.0", "tracks": {"blues.00000": {"audio": ["gtzan_genre/genres/blues/blues.00000.wav", "0" * 32]}}}
)
ANNOTATIONS = (
    b'"clip_id"\t"guitar"\t"no guitar"\t"mp3_path"\n"2"\t"1"\t"0"\t"f/a-1-0-29.mp3"\n"6"\t"0"\t"0"\t"f/a-2-0-29.mp3"\n'
)
INFO = b'"clip_id"\t"track_number"\t"title"\t"artist"\t"album"\n"2"\t"1"\t"t"\t"a"\t"b"\n'
READERS = {
    "jamendo tsv": (
        lambda path: jamendo.read_tsv(path, "train", "split-0"),
        (PUBLISHED / "mtg_jamendo/autotagging_top50tags-train.tsv").read_bytes(),
    ),
    "jamendo checksums": (
        jamendo.read_checksums,
        (PUBLISHED / "mtg_jamendo/raw_30s_audio-low_sha256_tars.txt").read_bytes(),
    ),
    "gtzan index": (gtzan.read_index, INDEX.encode()),
    "gtzan list": (
        lambda path: gtzan.read_list(path, gtzan.read_index(PUBLISHED / "gtzan/gtzan_genre_index_1.0.json")),
        (PUBLISHED / "gtzan/train_filtered.txt").read_bytes(),
    ),
    "magnatagatune annotations": (magnatagatune.read_annotations, ANNOTATIONS),
    "magnatagatune info": (magnatagatune.read_info, INFO),
    "tags": (lambda path: tags.read(str(path)), (PROJECT / "pipelines/models/tags/jamendo.txt").read_bytes()),
    "json": (read_json, b'{"figures": {"clips": 3, "share": 0.5}, "checks": {"a": {"passed": true, "detail": "x"}}}'),
}


@pytest.mark.parametrize("name", READERS)
def test_published_lists(tmp_path, name):
    read, valid = READERS[name]
    path = tmp_path / "list.txt"

    @fuzz
    @given(files(valid, words=(b"\0", b"\xff", b"\t", b'"', b"\n", b"[" * 3000, b"../", b"9" * 5000)))
    def target(content):
        path.write_bytes(content)
        try:
            read(path)
        except ValueError as error:
            assert str(error)
            assert not isinstance(error, UnicodeError) and type(error) is not json.JSONDecodeError, "not in our words"

    path.write_bytes(valid)
    assert read(path)
    target()


def test_csv_of_the_user(in_tmp):
    (in_tmp / "a.wav").write_bytes(b"sound")
    csv, hashes = in_tmp / "list.csv", in_tmp / listing.HASHES

    @fuzz
    @given(
        files(
            b"path,label,split,group\na.wav,rock,test,x\nb.wav,folk,train,y\n",
            words=(b"\0", b"\xff", b'"', b"../", b"\n"),
        ),
        files(b'{"/a.wav": [5, 1, 2, "abc"]}', words=(b"null", b"[]", b"{}")),
    )
    def target(content, known):
        csv.write_bytes(content)
        hashes.parent.mkdir(exist_ok=True)
        hashes.write_bytes(known)
        try:
            found = listing.scan(csv)
        except listing.SourceError as error:
            assert str(error)
        else:
            assert len(listing.fingerprint(found)) == 16

    target()


name = st.text(min_size=1, max_size=12) | st.sampled_from(("scores", "x; touch pwned", "../x", "a" * 41))
value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | name,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(name, inner, max_size=3),
    max_leaves=6,
)


def refused_or_whole() -> None:
    try:
        settings = load_params()
    except SystemExit as error:
        assert "params.yaml" in str(error)
        return
    for section in params.NAMED:
        group, _, kind = section.partition(".")
        found = (settings.get(group) or {}).get(kind) if kind else settings.get(group)
        assert all(params.NAME.fullmatch(key) and isinstance(entry, dict) for key, entry in (found or {}).items())


def test_params_as_text(in_tmp):
    copy_params(in_tmp)
    path = in_tmp / "params.yaml"

    @fuzz
    @given(
        files(
            path.read_bytes(),
            words=(b"!!python/object/apply:os.system [x]", b"&a", b"*a", b"? ", b"[" * 500, b"\n  - "),
        )
    )
    def target(content):
        path.write_bytes(content)
        refused_or_whole()

    target()


def test_params_as_values(in_tmp):
    copy_params(in_tmp)
    good = load_params()
    sections = (
        "datasets",
        "features",
        "baselines",
        "taggers",
        "recipes",
        "training",
        "audio",
        "cache",
        "executor",
        "robustness",
    )

    @fuzz
    @given(
        st.dictionaries(
            st.sampled_from(sections), value | st.fixed_dictionaries({"log_mel": value, "published": value}), max_size=3
        )
    )
    def target(changed):
        (in_tmp / "params.yaml").write_text(json.dumps(good | changed))  # JSON is YAML, but for what it says of NaN
        refused_or_whole()

    target()


def test_cached_records(in_tmp):
    place = cache.folder() / "pcm/ab/abc.json"
    place.parent.mkdir(parents=True)

    @fuzz
    @given(files(b'{"peak": 0.5, "clipped": 0}', words=(b"[" * 3000, b"\xff", b"null")))
    def target(content):
        place.write_bytes(content)
        assert isinstance(cache.load_record("pcm", "abc"), dict | None)

    target()
