"""Checkpoints and configs that would run something, read something else, or take all memory."""

import json
import os
import pickle
import zipfile

import pytest
import safetensors.torch
import torch

from pipelines.inference import onnx
from pipelines.models import taggers
from pipelines.predict import taggers as predict


class Evil:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trained(tmp_path):
    torch.manual_seed(0)
    folder = tmp_path / "tagger"
    config = {"name": "fcn", "width": 0.1, "tags": ["a", "b"], "chunk": 464_000}
    taggers.save(taggers.create("fcn", 2, 0.1), config, folder)
    return folder


@pytest.mark.parametrize(
    "how", ["pickle", "torch", "torch, old", "in a state_dict", "zip that says it is a checkpoint"]
)
def test_a_pickle_disguised_as_a_checkpoint_runs_nothing(tmp_path, how):
    pwned, path = tmp_path / "pwned", tmp_path / "weights.pth"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Evil(pwned)))
    elif how == "zip that says it is a checkpoint":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Evil(pwned)))
            archive.writestr("archive/version", "3\n")
            archive.writestr("archive/byteorder", "little")
    else:
        state = {"dense.weight": torch.zeros(2, 2), "evil": Evil(pwned)}
        torch.save(
            {"state_dict": state} if how == "in a state_dict" else state,
            path,
            _use_new_zipfile_serialization="old" not in how,
        )
    for load in (lambda: taggers.load_published("fcn", path), lambda: predict.load_model(str(path), "fcn")):
        with pytest.raises(ValueError, match="not a checkpoint of tensors alone"):
            load()
    assert not pwned.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "model.onnx"])
def test_a_pickle_in_the_place_of_weights_runs_nothing(tmp_path, trained, name):
    (trained / name).write_bytes(pickle.dumps(Evil(tmp_path / "pwned")))
    with pytest.raises(ValueError, match="damaged, or not"):
        predict.load_model(str(trained))
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 1e9},
        {"width": float("inf")},
        {"width": -1},
        {"width": "1"},
        {"width": True},
        {"tags": []},
        {"tags": "rock"},
        {"tags": ["x"] * 100_001},
        {"name": "../../../tmp/x"},
        {"name": "os"},
        {"name": 3},
        {"name": "layers"},
    ],
)
def test_a_config_that_asks_for_harm(trained, changed):
    config = json.loads((trained / "config.json").read_text())
    (trained / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(ValueError, match="config.json|no tagger"):
        taggers.load(trained)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, "\xff"])
def test_a_config_that_is_none(trained, text):
    (trained / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match="config.json"):
        taggers.load(trained)


def test_weights_of_another_network(trained):
    safetensors.torch.save_file({"x": torch.zeros(2)}, trained / "model.safetensors")
    with pytest.raises(ValueError, match="not the weights of its config"):
        taggers.load(trained)


def test_an_onnx_model_reads_no_file_outside_its_folder(tmp_path, trained):
    """A model may keep its weights in another file: one that names /etc/passwd, or a file above, is refused."""
    import onnx as onnx_format
    from onnx import TensorProto, helper

    secret = tmp_path / "secret"
    secret.write_bytes(b"12345678")
    for location in ("../secret", str(secret)):
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value=location)
        x, outs = helper.make_tensor_value_info("features", 1, [2]), ("probabilities", "embedding")
        nodes = [helper.make_node("Add", ["features", "w"], [name]) for name in outs]
        graph = helper.make_graph(
            nodes, "g", [x], [helper.make_tensor_value_info(name, 1, [2]) for name in outs], initializer=[tensor]
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        (trained / "model.onnx").write_bytes(onnx_format.ModelProto.SerializeToString(model))
        with pytest.raises(ValueError, match="damaged, or not a model"):
            onnx.load(trained)


def test_a_checkpoint_that_lost_bytes(tmp_path):
    """Found by fuzzing: torch's reader seeks before the file, which is an OSError and no word to a user."""
    path = tmp_path / "weights.pth"
    torch.save({"dense.weight": torch.zeros(2, 2)}, path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 40):
        path.write_bytes(whole[:place] + whole[place + 9 :])
        with pytest.raises(ValueError, match="weights.pth"):
            taggers.load_published("fcn", path)
