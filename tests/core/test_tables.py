"""Tables keep their schema when written and when read."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.core.tables import SchemaError, column, describe, read_table, write_table

SCHEMA = pa.schema(
    [
        column("clip_id", pa.string(), "the clip", unique=True),
        column("duration_s", pa.float64(), "length", unit="s"),
        column("tags", pa.list_(pa.string()), "labels", null=True),
    ]
)
GOOD = pd.DataFrame(
    {"clip_id": ["a", "b"], "duration_s": [1.5, 2.0], "tags": [["x"], None], "target_style": ["p", None]}
)


def test_round_trip_with_extra_columns_and_documentation(tmp_path):
    path = tmp_path / "deep" / "table.parquet"
    write_table(GOOD, path, SCHEMA)
    back = read_table(path, SCHEMA)
    assert list(back) == ["clip_id", "duration_s", "tags", "target_style"]
    assert back["clip_id"].tolist() == ["a", "b"] and back["tags"][0].tolist() == ["x"]
    assert read_table(path, SCHEMA, columns=["duration_s"])["duration_s"].sum() == 3.5
    found = describe(path)
    assert found["rows"] == 2
    assert found["columns"][1] == {"name": "duration_s", "type": "double", "doc": "length", "unit": "s"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_id": ["a", "a"]}, "unique.*'a'"),
        ({"clip_id": ["a", None]}, "empty"),
        ({"duration_s": [1.0, np.inf]}, "NaN or infinite"),
        ({"duration_s": ["long", "short"]}, "duration_s"),
    ],
)
def test_what_is_refused_when_writing(tmp_path, change, message):
    with pytest.raises(SchemaError, match=message):
        write_table(GOOD.assign(**change), tmp_path / "table.parquet", SCHEMA)
    assert not (tmp_path / "table.parquet").exists()


def test_what_is_refused_when_reading(tmp_path):
    pq.write_table(pa.table({"clip_id": ["a"], "duration_s": pa.array([1], pa.int64())}), tmp_path / "t.parquet")
    with pytest.raises(SchemaError, match="duration_s.*int64, not double"):
        read_table(tmp_path / "t.parquet", SCHEMA)
    pq.write_table(pa.table({"clip_id": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(SchemaError, match="'duration_s' is missing"):
        read_table(tmp_path / "t.parquet", SCHEMA)


def test_same_values_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_table(GOOD, tmp_path / name, SCHEMA)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
