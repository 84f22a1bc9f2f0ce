"""Vectors made elsewhere: each clip gets its own, in whatever order and under whatever name; what is wrong is named."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.models.encoders import fingerprints, vectors

N, D = 6, 3
CLIPS = pd.DataFrame(
    {
        "clip_id": [f"{n:016x}" for n in range(N)],
        "path": ["/music/a/one.wav", "/music/b/one.wav", *(f"/music/c/{n}.wav" for n in range(2, N))],
    }
)
VALUES = np.arange(N * D, dtype=np.float32).reshape(N, D)
TRAIN = np.arange(N) < 3


def parquet(path, names, values, column="path"):
    pd.DataFrame({column: names, "vector": list(values)}).to_parquet(path)
    return {"path": str(path)}


def npy(path, names, values):
    np.save(path, values)
    path.with_suffix(".txt").write_text("".join(f"{name}\n" for name in names))
    return {"path": str(path), "ids": str(path.with_suffix(".txt"))}


@given(order=st.permutations(range(N)), whole=st.lists(st.integers(0, 3), min_size=N, max_size=N))
@settings(max_examples=40, deadline=None)
def test_a_clip_gets_its_own_vector_by_id_or_any_unique_end_of_its_path(tmp_path_factory, order, whole):
    place = tmp_path_factory.getbasetemp() / "any.parquet"
    forms = [
        [clip_id, path, path.removeprefix("/music/"), f"./{path.removeprefix('/')}"]
        for clip_id, path in zip(CLIPS["clip_id"], CLIPS["path"], strict=True)
    ]
    file = parquet(place, [forms[n][whole[n]] for n in order], VALUES[list(order)])
    found = vectors.read(file, CLIPS, TRAIN)
    np.testing.assert_array_equal(found.vectors, VALUES)
    assert found.vectors.dtype == np.float32 and not found.missing and not found.extra


def test_npy_and_parquet_of_any_number_type_and_list_type_are_alike(tmp_path):
    names = CLIPS["clip_id"].tolist()
    files = [npy(tmp_path / f"{kind}.npy", names, VALUES.astype(kind)) for kind in ("float16", "float64", "int32")]
    lists = (pa.list_(pa.float64()), pa.large_list(pa.float32()), pa.list_(pa.float32(), D))
    for number, kind in enumerate(lists):
        table = pa.table({"clip_id": names, "x": pa.array(VALUES.tolist(), kind), "other": names})
        pq.write_table(table, tmp_path / f"{number}.parquet")
        files.append({"path": str(tmp_path / f"{number}.parquet")})
    for file in files:
        np.testing.assert_array_equal(vectors.read(file, CLIPS, TRAIN).vectors, VALUES)


def test_extra_rows_are_counted_and_missing_clips_are_an_error_or_the_mean_of_training_clips(tmp_path):
    names = [*CLIPS["clip_id"][[0, 2, 3]], "elsewhere.wav"]
    file = parquet(tmp_path / "v.parquet", names, VALUES[[0, 2, 3, 4]], "clip_id")
    with pytest.raises(ValueError, match=r"3 of 6 clips have no row: /music/b/one.wav, .*`missing: mean`"):
        vectors.read(file, CLIPS, TRAIN)
    found = vectors.read(file, CLIPS, TRAIN, "mean")
    assert found.missing == CLIPS["clip_id"][[1, 4, 5]].tolist() and found.extra == ["elsewhere.wav"]
    np.testing.assert_array_equal(found.vectors[[0, 2, 3]], VALUES[[0, 2, 3]])
    np.testing.assert_array_equal(found.vectors[[1, 4, 5]], [VALUES[[0, 2]].mean(axis=0)] * 3)


def spoilt(row, value):
    values = VALUES.copy()
    values[row] = value
    return values


@pytest.mark.parametrize(
    ("names", "values", "said"),
    [
        (CLIPS["clip_id"], spoilt(2, np.nan), r"1 rows have NaN or infinite values: 0+2$"),
        (CLIPS["clip_id"], spoilt(2, np.inf), r"1 rows have NaN or infinite"),
        (CLIPS["clip_id"], [*VALUES[:4], VALUES[4][:2], VALUES[5]], r"row 4 \(0+4\) has 2 numbers and row 0 has 3"),
        (CLIPS["clip_id"], [*VALUES[:5], None], r"row 5 \(0+5\) has 0 numbers"),
        (CLIPS["clip_id"], [["a"]] * N, "holds (large_)?string, and must hold numbers"),
        ([*CLIPS["clip_id"][:5], "/music/a/one.wav"], VALUES, r"rows 0 and 5 are both of clip 0+ \(/music/a/one.wav\)"),
        ([*CLIPS["clip_id"][:5], None], VALUES, "row 5 has the path None"),
        (["one.wav", *CLIPS["clip_id"][1:]], VALUES, "'one.wav' in row 0 may be any of 2 clips"),
        ([f"other {n}" for n in range(N)], VALUES, r"none of its 6 rows is a clip of the dataset; it names other 0, "),
        ([], [], "has no rows|must hold numbers|column of lists"),
    ],
)
def test_a_wrong_table_is_refused_with_the_row(tmp_path, names, values, said):
    file = parquet(tmp_path / "v.parquet", list(names), values)
    with pytest.raises(ValueError, match=said):
        vectors.read(file, CLIPS, TRAIN)


def test_a_wrong_file_is_refused(tmp_path):
    whole = parquet(tmp_path / "v.parquet", CLIPS["clip_id"], VALUES)
    (tmp_path / "half.parquet").write_bytes((tmp_path / "v.parquet").read_bytes()[:-20])
    npy(tmp_path / "v.npy", CLIPS["clip_id"], VALUES)
    (tmp_path / "half.npy").write_bytes((tmp_path / "v.npy").read_bytes()[:-8])
    np.save(tmp_path / "o.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "one.npy", VALUES[0])
    pd.DataFrame({"name": ["a"], "vector": [[1.0]]}).to_parquet(tmp_path / "name.parquet")
    pd.DataFrame({"path": ["a"], "x": [1.0]}).to_parquet(tmp_path / "flat.parquet")
    (tmp_path / "short.txt").write_text("a\n")
    ids = str(tmp_path / "v.txt")
    for file, said in [
        ({"path": "half.parquet"}, "no Parquet file, or is damaged"),
        ({"path": "v.npy"}, "needs `ids`"),
        ({"path": "half.npy", "ids": ids}, "no NPY file of numbers, or is damaged"),
        ({"path": "o.npy", "ids": ids}, "no NPY file of numbers"),
        ({"path": "one.npy", "ids": ids}, r"the shape \(3,\)"),
        ({"path": "v.npy", "ids": str(tmp_path / "short.txt")}, "has 1 lines and .* has 6 rows"),
        ({"path": "name.parquet"}, "needs one column `clip_id` or `path`; its columns are name, vector"),
        ({"path": "flat.parquet"}, "needs one column of lists of numbers"),
    ]:
        with pytest.raises(ValueError, match=said):
            vectors.read(file | {"path": str(tmp_path / file["path"])}, CLIPS, TRAIN)
    recorded = fingerprints.of(whole["path"])
    fingerprints.check(recorded, whole["path"])
    parquet(tmp_path / "v.parquet", CLIPS["clip_id"], VALUES + 1)
    with pytest.raises(ValueError, match="is not what params.yaml recorded"):
        fingerprints.check(recorded, whole["path"])
    with pytest.raises(FileNotFoundError, match="correct its path"):
        fingerprints.of(str(tmp_path / "gone"))
