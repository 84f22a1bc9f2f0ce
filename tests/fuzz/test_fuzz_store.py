"""Shards, tables and models: read whole, or refused with the file's name."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import safetensors.torch
import torch
from bytes_of import files, fuzz
from hypothesis import given

from pipelines.core import cache, shards
from pipelines.core.tables import SchemaError, describe, read_table, write_table
from pipelines.inference import onnx
from pipelines.models import taggers

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A folder with a small trained tagger."""
    folder = tmp_path_factory.mktemp("model") / "tagger"
    torch.manual_seed(0)
    taggers.save(taggers.create("fcn", 2, 0.05), {"name": "fcn", "width": 0.05, "tags": ["a", "b"]}, folder)
    return folder


def test_npy_shards(in_tmp):
    stream = io.BytesIO()
    np.save(stream, np.arange(64, dtype=np.int16).reshape(32, 2))
    place = cache.folder() / "pcm/ab/abc.npy"
    place.parent.mkdir(parents=True)

    @fuzz
    @given(files(stream.getvalue(), words=(b"|O", b"'", b"(", b"9" * 20, b"-")))
    def target(content):
        (in_tmp / "shard-00000.npy").write_bytes(content)
        place.write_bytes(content)
        kept = cache.load_array("pcm", "abc")
        try:
            (found,) = shards.open_shards(in_tmp)
        except (ValueError, OSError) as error:
            assert "shard-00000.npy" in str(error)
        else:
            assert found.nbytes <= len(content) and not found.dtype.hasobject
        assert kept is None or not kept.dtype.hasobject

    target()


def test_parquet_index(tmp_path):
    path = tmp_path / "index.parquet"
    rows = {"clip_id": ["a", "b"], "shard": [0, 0], "offset": [0, 9], "length": [9, 9]}
    write_table(pd.DataFrame(rows).astype({"shard": "int32"}), path, shards.INDEX)

    @fuzz
    @given(files(path.read_bytes(), words=(b"PAR1",)))
    def target(content):
        other = tmp_path / "other.parquet"
        other.write_bytes(content)
        for read in (lambda: read_table(other, shards.INDEX), lambda: describe(other)):
            try:
                read()
            except (SchemaError, pa.ArrowException, OSError) as error:
                assert str(error)

    target()


def test_safetensors(model, tmp_path):
    content = (model / "model.safetensors").read_bytes()
    head = int.from_bytes(content[:8], "little") + 8

    @fuzz
    @given(files(content[:head], words=(b"9" * 20, b"-1", b'"F64"', b"[")))
    def target(header):
        (tmp_path / "config.json").write_bytes((model / "config.json").read_bytes())
        (tmp_path / "model.safetensors").write_bytes(header + content[head:])
        refused_or_tagger(tmp_path)

    assert refused_or_tagger(model)
    target()


def test_config(model, tmp_path):
    (tmp_path / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())

    @fuzz
    @given(files((model / "config.json").read_bytes(), words=(b"1e9", b"null", b"NaN", b"../", b"[" * 3000)))
    def target(content):
        (tmp_path / "config.json").write_bytes(content)
        refused_or_tagger(tmp_path)

    target()


def refused_or_tagger(folder) -> bool:
    try:
        taggers.load(folder)
    except ValueError as error:
        assert str(error) and not isinstance(error, UnicodeError | json.JSONDecodeError)
        return False
    return True


def test_published_checkpoints(model, tmp_path):
    state, path = safetensors.torch.load_file(model / "model.safetensors"), tmp_path / "weights.pth"
    contents = []
    for new in (True, False):
        torch.save(state, path, _use_new_zipfile_serialization=new)
        contents.append(path.read_bytes())

    @fuzz
    @given(files(*contents, words=(b"cos\nsystem\n", b"R", b".", b"\x8c\x02os\x8c\x06system\x93")))
    def target(content):
        path.write_bytes(content)
        with pytest.raises(ValueError):  # weights of a twentieth of the width are no published network's
            taggers.load_published("fcn", path)

    target()


def test_onnx(tmp_path):
    from onnx import helper

    x, names = helper.make_tensor_value_info("features", 1, [1, 2]), onnx.OUTPUTS
    nodes = [helper.make_node("Identity", ["features"], [name]) for name in names]
    outs = [helper.make_tensor_value_info(name, 1, [1, 2]) for name in names]
    graph = helper.make_graph(nodes, "g", [x], outs)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = tmp_path / "model.onnx"

    @fuzz
    @given(files(made.SerializeToString()))
    def target(content):
        path.write_bytes(content)
        try:
            onnx.session(path)
        except ValueError as error:
            assert str(path) in str(error)

    path.write_bytes(made.SerializeToString())
    assert onnx.session(path)
    target()
