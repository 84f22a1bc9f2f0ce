"""Every feature equals its reference, on music and on awkward signals; a feature without a reference fails."""

import ast
import inspect
from pathlib import Path

import numpy as np
import pytest
import yaml
from features.references import DOWN_TO, FLOORS, REFERENCES, VARIANTS
from helpers import PROJECT, some

from pipelines import features

LINKED = "waveform"  # computes nothing
FILES = sorted(path.stem for path in (PROJECT / "pipelines/features").glob("*.py") if path.stem != "__init__")
NAMES = [name for name in FILES if name != LINKED]
CLIPS = [
    *("music", "music 11025", "music 22050", "music 44100", "chord", "odd length", "prime length", "noise", "clicks"),
    *("full scale", "direct current", "impulse", "silence", "shorter than a window"),
]
OFTEN = ("music", "odd length", "clicks", "impulse", "silence", "shorter than a window")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def defaults(module):
    """The parameters of `compute` and their defaults."""
    return {name: p.default for name, p in list(inspect.signature(module.compute).parameters.items())[2:]}


def relative_error(name, got, expected):
    """max |a - b| / max |b| over all frames."""
    if name in DOWN_TO:
        got, expected = (np.maximum(values, expected.max() - DOWN_TO[name][0]) for values in (got, expected))
    assert got.shape == expected.shape, f"shape {got.shape}, reference {expected.shape}"
    if not expected.size:
        return 0.0
    differences = np.abs(got.astype(np.float64) - expected)
    if name == "spectral_rolloff" and (differences > 0).mean() <= 0.01:
        return 0.0  # a sum that meets the threshold within rounding may end a bin further
    return differences.max() / max(np.abs(expected).max(), FLOORS.get(name, (1e-12,))[0])


def check(name, y, rate, **parameters):
    module = features.load(name)
    parameters = defaults(module) | parameters
    try:
        expected = REFERENCES[name](y, rate, parameters)
    except Exception as error:
        # librosa refuses what cannot be: we must say what to change
        with pytest.raises(ValueError, match="lower|raise|use|name|list"):
            module.compute(y, rate, **parameters)
        assert "Nyquist" in str(error), error
        return
    got = module.compute(y, rate, **parameters)
    if module.KIND == "pooled":
        assert list(got) == list(expected) and np.isfinite(list(got.values())).all()
        for column, value in expected.items():
            value, scale = value if isinstance(value, tuple) else (value, abs(value))
            assert abs(got[column] - value) <= 1e-4 * scale, f"{column}: {got[column]}, reference {value}"
        return
    assert got.ndim == 2 and got.dtype == np.float32 and np.isfinite(got).all()
    error = relative_error(name, got, expected)
    assert error <= 1e-4, f"relative error {error:.1e}"


@pytest.mark.parametrize("clip", some(CLIPS, *OFTEN))
@pytest.mark.parametrize("name", NAMES)
def test_every_feature_equals_its_reference(name, clip, clips):
    assert name in REFERENCES, f"{name} has no reference: add one to tests/features/references.py"
    check(name, *clips[clip])


@pytest.mark.parametrize("clip", some(["music", "music 44100", "odd length"], "music", "odd length"))
@pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=lambda value: value if isinstance(value, str) else None)
def test_with_other_parameters(name, parameters, clip, clips):
    check(name, *clips[clip], **parameters)


@pytest.mark.parametrize("name", NAMES)
def test_contract(name, clips):
    """A manual, a kind, and the same bands, finite, whatever comes in; the same bytes twice."""
    module = features.load(name)
    for word in ("Equal to", "Shape", "Units"):
        assert word in module.__doc__, f"the docstring of {name} does not say {word!r}"
    assert module.KIND in ("frames", "events", "pooled")
    assert all(default is not inspect.Parameter.empty for default in defaults(module).values())
    rng, widths = np.random.default_rng(2), set()
    loud = np.where(rng.random(3000) < 0.5, -1, 1).astype(np.float32)
    quiet = 1e-7 * rng.standard_normal(3000).astype(np.float32)
    for y in (np.zeros(0), np.zeros(1), np.ones(1), np.ones(5), np.zeros(3000), loud, quiet):
        y = y.astype(np.float32)
        found, again = module.compute(y, 16_000), module.compute(y, 16_000)
        if module.KIND == "pooled":
            found, again = (np.array([list(result.values())]) for result in (found, again))
        else:
            assert found.dtype == np.float32 and np.isfinite(found.astype(module.DTYPE)).all()
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found, again)
        widths.add(found.shape[1])
        if module.KIND == "frames" and name != "log_mel_hifigan":
            assert len(found) == 1 + len(y) // defaults(module)["hop_length"]
    assert len(widths) == 1


@pytest.mark.parametrize("name", NAMES)
def test_int16_and_a_memory_map_give_the_same(name, clips, tmp_path):
    y, rate = clips["chord"]
    whole = np.rint(y * 32_767).astype(np.int16)
    np.save(tmp_path / "clip.npy", whole)
    mapped = np.load(tmp_path / "clip.npy", mmap_mode="r")
    module = features.load(name)
    expected = module.compute(whole.astype(np.float32) / np.float32(32_768), rate)
    for found in (module.compute(whole, rate), module.compute(mapped, rate)):
        np.testing.assert_equal(found, expected)


def test_every_feature_of_the_recipe_is_there_and_takes_its_parameters():
    """Those in use, and those listed for use behind a `#`."""
    text = (Path(PROJECT) / "params.yaml").read_text()
    section = text[text.index("\nfeatures:") :].split("\n\n")[0]
    entries = yaml.safe_load(section.replace("\n  # ", "\n  "))["features"]
    assert set(FILES) <= {(parameters or {}).get("module", name) for name, parameters in entries.items()}
    for name, parameters in entries.items():
        module, rest = features.load(name), parameters or {}
        assert set(rest) <= set(defaults(module)), name


def test_the_waveform_is_the_sound_as_it_is():
    module = features.load(LINKED)
    y = np.arange(7, dtype=np.int16)
    assert module.KIND == "samples" and module.compute(y, 16_000) is y and y.dtype == module.DTYPE


def test_a_missing_feature_names_the_file_to_write():
    with pytest.raises(ValueError, match=r"write pipelines/features/wavelet\.py"):
        features.load("wavelet")
    with pytest.raises(ValueError, match=r"no feature 'log_mell'.* do you mean log_mel\?"):
        features.load("log_mell")


@pytest.mark.parametrize(
    ("name", "rate", "parameters"),
    [
        ("cqt", 8_000, {}),
        ("spectral_contrast", 11_025, {}),
        ("spectral_contrast", 16_000, {"n_fft": 64}),
        ("mfcc", 16_000, {"n_mfcc": 200}),
        ("mfcc", 16_000, {"deltas": 3}),
        ("log_mel", 16_000, {"fmin": 9_000}),
        ("f0", 16_000, {"fmin": 5.0}),
        ("onset_strength", 16_000, {"aggregate": "mode"}),
        ("pooled", 16_000, {"descriptors": ["colour"]}),
        ("pooled", 16_000, {"statistics": ["mode"]}),
        ("chroma_cqt", 16_000, {"bins_per_octave": 30}),
    ],
)
def test_what_cannot_be_says_what_to_change(name, rate, parameters):
    with pytest.raises(ValueError, match="use|raise|lower|must be"):
        features.load(name).compute(np.zeros(rate, dtype=np.float32), rate, **parameters)


def test_stereo_is_refused():
    with pytest.raises(ValueError, match="average the channels"):
        features.load("stft").compute(np.zeros((2, 16_000), dtype=np.float32), 16_000)


@pytest.mark.parametrize("name", NAMES)
def test_a_feature_imports_kernels_and_no_other_feature(name):
    text = (PROJECT / f"pipelines/features/{name}.py").read_text()
    imported = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert {module for module in imported if module.startswith("pipelines")} <= {"pipelines.features.kernels"}
