"""Baselines against scikit-learn, and the rule that only the reference is looked at."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from pipelines.models import baselines
from pipelines.ops.settings import load_params

POOLED = np.random.default_rng(0).standard_normal((60, 30)) @ np.random.default_rng(1).standard_normal((30, 30))
POOLED[:, 3] = 5.0  # a constant statistic


def test_pca_equals_scikit_learn():
    got = baselines.load("pooled_pca").embed(POOLED, POOLED[:40], dimensions=8, seed=0)
    scaler = StandardScaler().fit(POOLED[:40])
    expected = PCA(8, svd_solver="full").fit(scaler.transform(POOLED[:40])).transform(scaler.transform(POOLED))
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-4)


@pytest.mark.parametrize("name", sorted(load_params()["baselines"]))
def test_contract(name):
    module, parameters = baselines.load(name), load_params()["baselines"][name]
    assert module.__doc__
    got = module.embed(POOLED, POOLED[:40], **parameters)
    assert got.dtype == np.float32 and len(got) == len(POOLED) and np.isfinite(got).all()
    np.testing.assert_array_equal(got, module.embed(POOLED, POOLED[:40], **parameters))
    # a scored clip does not change what is fitted
    other = POOLED.copy()
    other[50] += 100
    np.testing.assert_array_equal(got[:50], module.embed(other, other[:40], **parameters)[:50])
    # and clips of another dataset land where they would have landed among these
    np.testing.assert_allclose(got[40:], module.embed(POOLED[40:], POOLED[:40], **parameters), atol=1e-4)
    assert len(module.embed(POOLED[:3], POOLED[:3], **parameters)) == 3
