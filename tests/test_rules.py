"""params.yaml: what is no key, and what no stage takes, is one sentence when it is read."""

import re

import librosa
import numpy as np
import pytest
import yaml
from helpers import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import params, rules

RECIPE = yaml.safe_load((PROJECT / "params.yaml").read_text())


def loaded(tmp_path, **changes):
    """The project's parameters with some of them, `section__key` or `section`, set to others."""
    settings = yaml.safe_load((PROJECT / "params.yaml").read_text())
    for name, value in changes.items():
        *parents, last = name.split("__")
        at = settings
        for parent in parents:
            at = at[parent]
        at[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(settings))
    return params.load(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("audio__sample_rat", 16_000, "audio.sample_rat in params.yaml is not known; do you mean sample_rate?"),
        ("audoi", {}, "audoi in params.yaml is not known; do you mean audio?"),
        ("audio__max_quarantined", 0.1, "audio.max_quarantined in params.yaml is max_quarantined.default now"),
        ("clustering__zzz", 1, "clustering.zzz in params.yaml is not known: there is maps, n_init"),
        ("executor__kind", "threads", "executor.kind in params.yaml is 'threads', and must be processes or ray"),
        ("audio__min_duration_s", "1s", "audio.min_duration_s in params.yaml is '1s', and must be a number, 0 or more"),
        ("audio__channels", True, "audio.channels in params.yaml is True, and must be 1 or 2"),
        ("training__seed", -1, "training.seed in params.yaml is -1, and must be a whole number from 0"),
        ("clustering__seed", 2.0, "clustering.seed in params.yaml is 2.0"),
        ("features__log_mel__n_fft", 0, "features.log_mel.n_fft in params.yaml is 0, and must be a whole number"),
        ("features__log_mel__hop_length", 256.0, "features.log_mel.hop_length in params.yaml is 256.0"),
        ("features__log_mel__hop", 256, "features.log_mel.hop in params.yaml is not known; do you mean hop_length?"),
        ("features__log_mel__fmax", 9000, "features.log_mel.fmax in params.yaml is 9000, and must be at most half of"),
        ("features__pooled__fmin", 8000, "features.pooled.fmin in params.yaml is 8000, and must be below fmax"),
        ("features__log_mel__n_mels", 400, "of 400 mel bands lie between two bins of an FFT of 512 samples"),
        ("baselines__pooled_pca__dimension", 8, "baselines.pooled_pca.dimension in params.yaml is not known; do you mean"),
        ("baselines__pooled_pca__dimensions", 0, "baselines.pooled_pca.dimensions in params.yaml is 0"),
        ("max_quarantined", {"mine": 0.1}, "max_quarantined in params.yaml is {'mine': 0.1}, and must be a table"),
        ("training__devices", 0, "training.devices in params.yaml is 0"),
        ("export__tolerance", "1e-4", "(YAML reads 1e-4 as a word: write 1.0e-4)"),
        ("study", [1], "study in params.yaml is [1], and must be a table"),
        ("export__tolerance", float("nan"), "export.tolerance in params.yaml is nan"),
    ],
)  # fmt: skip
def test_one_sentence_names_the_key(tmp_path, name, value, said):
    with pytest.raises(SystemExit, match=re.escape(said)) as error:
        loaded(tmp_path, **{name: value})
    assert "\n" not in str(error.value)


def test_what_is_there_is_known(tmp_path):
    assert loaded(tmp_path) == RECIPE
    assert set(rules.SECTIONS) - set(RECIPE) == set(), "rules of sections that the recipe has not"
    for section, keys in rules.SECTIONS.items():
        assert set(RECIPE[section]) == set(keys), section


def test_every_feature_that_can_be_uncommented_passes(tmp_path):
    lines = re.findall(r"^  # (\w+): (\{n_fft.*|\{.*length.*)$", (PROJECT / "params.yaml").read_text(), re.MULTILINE)
    features = {name: yaml.safe_load(entry) for name, entry in lines}
    assert len(features) > 15 and all((PROJECT / f"pipelines/features/{name}.py").exists() for name in features)
    assert set(loaded(tmp_path, features=RECIPE["features"] | features)["features"]) >= set(features)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([8000, 16_000, 22_050, 44_100]),
    st.sampled_from([256, 512, 1024, 2048]),
    st.integers(8, 256),
    st.floats(0, 500),
)
def test_empty_bands_are_those_of_librosas_filters(sample_rate, n_fft, n_mels, fmin):
    with np.errstate(all="ignore"):
        filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, htk=True, norm=None)
    empty = int((filters.max(axis=1) <= 1e-9).sum())
    assert abs(rules.empty_bands(sample_rate, n_fft, n_mels, fmin, sample_rate / 2) - empty) <= 1  # a bin on an edge
