"""k nearest neighbours: the classes of the nearest training clips vote."""

from sklearn.neighbors import KNeighborsClassifier

GRID = {"n_neighbors": [1, 3, 5, 11, 21], "weights": ["uniform", "distance"]}


def check(candidates, n_clips):
    """Raises `ValueError` where a candidate has more neighbours than there are training clips."""
    asked = [one["n_neighbors"] for one in candidates if isinstance(one.get("n_neighbors"), int)]
    if max(asked, default=0) > n_clips:
        raise ValueError(
            f"model knn with n_neighbors {max(asked)} has {n_clips} training clips: name no more neighbours than clips, "
            "as `parameters: {n_neighbors: [1, 3]}`"
        )


def create(seed, **parameters):
    return KNeighborsClassifier(**parameters)
