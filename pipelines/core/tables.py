"""Parquet tables with a schema that is checked when written and when read.

A schema is a `pyarrow.Schema` built with `column()`: each column has a type, a description, a unit where it has one, and whether
it may be null or must be unique. The description is stored in the file's metadata, where other programs can read it.
"""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.core.files import atomic


class SchemaError(ValueError):
    """A table does not have the columns, types or constraints it promises."""


def column(name: str, type_: pa.DataType, doc: str, *, unit: str = "", null: bool = False, unique: bool = False):
    """A schema's column. `doc` says what it holds; `unit` is an SI unit or empty."""
    metadata = {"doc": doc, "unit": unit, "unique": str(unique).lower()}
    return pa.field(name, type_, nullable=null, metadata=metadata)


def check(table: pa.Table, schema: pa.Schema, where: str) -> None:
    """Raise `SchemaError` unless `table` has `schema`'s columns and keeps its constraints.

    Columns beyond the schema are allowed: a manifest's `target_*` columns differ between datasets.
    """
    for field in schema:
        if field.name not in table.column_names:
            raise SchemaError(
                f"{where}: column {field.name!r} is missing; it contains: {field.metadata[b'doc'].decode()}"
            )
        values = table.column(field.name)
        if values.type != field.type:
            raise SchemaError(f"{where}: column {field.name!r} is {values.type}, not {field.type}")
        if not field.nullable and values.null_count:
            raise SchemaError(f"{where}: column {field.name!r} has {values.null_count} empty values")
        # of no value at all, `all` is null unless told that none is needed
        finite = not pa.types.is_floating(field.type) or pc.all(pc.is_finite(values.drop_null()), min_count=0).as_py()
        if not finite:
            raise SchemaError(f"{where}: column {field.name!r} has NaN or infinite values")
        if field.metadata.get(b"unique") == b"true" and len(pc.unique(values)) != len(values):
            counts = pc.value_counts(values).to_pylist()
            twice = next(row["values"] for row in counts if row["counts"] > 1)
            raise SchemaError(f"{where}: column {field.name!r} must be unique, but {twice!r} occurs more than once")


def write_table(frame: pd.DataFrame | pa.Table, path: str | os.PathLike, schema: pa.Schema) -> None:
    """Write `frame` to Parquet at `path`, in the schema's column order, extra columns after.

    The bytes depend on the values and the pyarrow version alone. Raises `SchemaError`.
    """
    table = frame if isinstance(frame, pa.Table) else _to_arrow(frame, schema, str(path))
    check(table, schema, str(path))
    extra = [pa.field(f.name, f.type, metadata=f.metadata) for f in table.schema if f.name not in schema.names]
    full = pa.schema([*schema, *extra], metadata=schema.metadata)
    table = table.select(full.names).cast(full)
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_table(path: str | os.PathLike, schema: pa.Schema, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet table as a DataFrame and check it against `schema` (or the named columns of it)."""
    table = pq.read_table(Path(path), columns=columns)
    if columns is not None:
        schema = pa.schema([field for field in schema if field.name in columns])
    check(table, schema, str(path))
    return table.to_pandas()


def describe(path: str | os.PathLike) -> dict:
    """Rows and columns of a Parquet file: `{"rows", "columns": [{"name", "type", "doc", "unit"}]}`."""
    file = pq.ParquetFile(path)
    columns = [
        {
            "name": field.name,
            "type": str(field.type),
            "doc": (field.metadata or {}).get(b"doc", b"").decode(),
            "unit": (field.metadata or {}).get(b"unit", b"").decode(),
        }
        for field in file.schema_arrow
    ]
    return {"rows": file.metadata.num_rows, "columns": columns}


def _to_arrow(frame: pd.DataFrame, schema: pa.Schema, where: str) -> pa.Table:
    arrays, fields = [], []
    for name in frame.columns:
        declared = schema.field(name) if name in schema.names else None
        try:
            array = pa.array(frame[name], type=declared.type if declared else None, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise SchemaError(
                f"{where}: column {name!r} is not {declared.type if declared else 'storable'}: {error}"
            ) from error
        if pa.types.is_large_string(array.type):
            array = array.cast(pa.string())
        arrays.append(array)
        fields.append(declared or pa.field(name, array.type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))
