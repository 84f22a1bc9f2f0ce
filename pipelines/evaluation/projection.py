"""Two-dimensional maps of an embedding, for looking at only: distances on them mean little."""

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits


def tsne(points: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE (van der Maaten and Hinton 2008) of `(clips, d)` to `(clips, 2)`, started from PCA, one thread."""
    if len(points) < 4:
        return np.zeros((len(points), 2))
    with threadpool_limits(1):
        perplexity = min(30, (len(points) - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points.astype(np.float32))


def umap(points: np.ndarray, seed: int) -> np.ndarray:
    """UMAP (McInnes et al. 2018) of `(clips, d)` to `(clips, 2)`; a seed makes it run on one thread."""
    if len(points) < 4:
        return np.zeros((len(points), 2))
    from umap import UMAP  # importing it compiles for seconds

    neighbours = min(15, len(points) - 1)
    return UMAP(n_neighbors=neighbours, init="pca", random_state=seed, n_jobs=1).fit_transform(points)
