"""Maps of points that are one place, and of few; and UMAP's compiled code, which is kept."""

import numpy as np
import pytest

from pipelines.evaluation import projection


@pytest.mark.parametrize("project", [projection.tsne, projection.umap])
@pytest.mark.parametrize("points", [np.ones((10, 5)), np.zeros((6, 3)), 1e6 + 1e-9 * np.arange(40.0).reshape(10, 4)])
def test_equal_points_are_drawn_as_one(project, points):
    """scikit-learn's t-SNE ends the process there."""
    np.testing.assert_array_equal(project(points, 0), np.zeros((len(points), 2)))


@pytest.mark.parametrize("n_places", [2, 3])
def test_copies_of_few_sounds_are_drawn(n_places):
    points = np.random.default_rng(0).standard_normal((n_places, 8))[np.arange(30) % n_places]
    for project in (projection.tsne, projection.umap):
        assert np.isfinite(project(points, 0)).all()
    assert np.isfinite(projection.umap_onto(points, points, 0)).all()


def test_what_umap_compiles_is_kept():
    projection.umap(np.random.default_rng(0).standard_normal((20, 3)), 0)
    from umap import umap_

    assert type(umap_.smooth_knn_dist._cache).__name__ == "FunctionCache"
