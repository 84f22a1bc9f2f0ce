"""Two-dimensional maps of an embedding, for display only: distances on them mean little.

`tsne` and `umap` map the clips they are given; `pca_onto` and `umap_onto` are fitted on some clips and project others."""

from contextlib import suppress

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from pipelines.evaluation.threads import one_thread


def _umap() -> type:
    """UMAP, whose compiled code is kept on disk: it would otherwise compile for 13 seconds in every process."""
    import sys

    from numba.core.registry import CPUDispatcher
    from umap import UMAP

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("umap", "pynndescent"):
            for function in vars(module).values():
                if isinstance(function, CPUDispatcher) and not function.overloads:
                    with suppress(RuntimeError):  # no place to keep it
                        function.enable_caching()
    return UMAP


def is_flat(points: np.ndarray) -> bool:
    """Whether all of `points` `(clips, d)` are one place, in the precision of float32.

    There is nothing to draw then, and t-SNE, which divides by their extent, ends the process (scikit-learn issue 28368).
    """
    return bool(np.ptp(points, axis=0).max() <= 1e-6 * max(np.abs(points).max(), 1e-30))


def tsne(points: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) of `(clips, d)` to `(clips, 2)`, started from PCA, one thread."""
    if len(points) < 4 or is_flat(points):
        return np.zeros((len(points), 2))
    with one_thread():
        perplexity = min(30, (len(points) - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points.astype(np.float32))


def umap(points: np.ndarray, seed: int) -> np.ndarray:
    """UMAP (McInnes et al. 2018) of `(clips, d)` to `(clips, 2)`; a seed makes it run on one thread."""
    if len(points) < 4 or is_flat(points):
        return np.zeros((len(points), 2))
    neighbours = min(15, len(points) - 1)
    return _umap()(n_neighbors=neighbours, init="pca", random_state=seed, n_jobs=1).fit_transform(points)


def pca_onto(reference: np.ndarray, points: np.ndarray, seed: int) -> np.ndarray:
    """`points` `(m, d)` on the two directions in which `reference` `(n, d)` varies most, `(m, 2)`."""
    size = min(2, *reference.shape)
    with one_thread():
        pca = PCA(size, svd_solver="full", random_state=seed).fit(reference)
        return np.pad(pca.transform(points), ((0, 0), (0, 2 - size)))


def umap_onto(reference: np.ndarray, points: np.ndarray, seed: int) -> np.ndarray:
    """`points` `(m, d)` in the UMAP of `reference` `(n, d)`, `(m, 2)`: points never move what was fitted.

    t-SNE cannot do this: it places the clips it was given and has no map for others.
    """
    if len(reference) < 4 or is_flat(reference):
        return np.zeros((len(points), 2))
    neighbours = min(15, len(reference) - 1)
    fitted = _umap()(n_neighbors=neighbours, init="pca", random_state=seed, n_jobs=1).fit(reference)
    return fitted.transform(points)
