"""Plugins are loaded in one way, and what is missing is said in one form."""

import pytest

from pipelines import datasets, features
from pipelines.core import plugins
from pipelines.models import baselines, taggers


@pytest.mark.parametrize(
    ("load", "near", "file"),
    [
        (lambda name: datasets.load({"module": name}), "gtzann", "pipelines/datasets/gtzann.py with clips()"),
        (features.load, "log_mell", "pipelines/features/log_mell.py with compute()"),
        (taggers.load_module, "shrot", "pipelines/models/taggers/shrot.py with create()"),
        (baselines.load, "poled_pca", "pipelines/models/baselines/poled_pca.py with embed()"),
    ],
)
def test_a_missing_file_is_named_with_the_nearest(load, near, file):
    with pytest.raises(ValueError) as error:
        load(near)
    assert f"{near!r}: write {file}" in str(error.value) and "; do you mean " in str(error.value)
    with pytest.raises(ValueError) as error:
        load("zzz")
    assert "do you mean" not in str(error.value)


def test_a_file_of_another_kind_is_none():
    with pytest.raises(ValueError, match="no tagger 'layers'"):
        taggers.load_module("layers")


def test_what_a_plugin_lacks_is_not_hidden(tmp_path, monkeypatch):
    """An import that fails inside of it is its own error."""
    (tmp_path / "its_own.py").write_text("import nothing_of_this_name\n")
    monkeypatch.setattr(features, "__path__", [*features.__path__, str(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="nothing_of_this_name"):
        plugins.load("feature", "pipelines/features", "its_own", "compute")
