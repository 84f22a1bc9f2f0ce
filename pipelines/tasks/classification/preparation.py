"""Prepare vectors for a model: scaling and selection of features, fitted on training clips."""

import numpy as np
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

SCALERS = {"zscore": StandardScaler, "minmax": MinMaxScaler, "unit": Normalizer}


def relevance(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The mutual information of each feature and the class, in nats (Kraskov et al. 2004); its tie-breaking noise is seeded."""
    return mutual_info_classif(values, classes, random_state=0)


def steps(options: dict, n_features: int) -> Pipeline:
    """The unfitted steps before the model. Selection comes after scaling: L1 needs features of one scale."""
    found = [("scaling", SCALERS[options["scaling"]]())]
    keep, chosen = min(options["keep"], n_features), options["selection"]
    if chosen == "variance":
        found.append(("selection", VarianceThreshold()))
    elif chosen == "mutual_information":
        found.append(("selection", SelectKBest(relevance, k=keep)))
    elif chosen == "l1":
        sparse = LogisticRegression(l1_ratio=1.0, C=0.1, solver="saga", max_iter=200, random_state=0)
        found.append(("selection", SelectFromModel(sparse, max_features=keep, threshold=-np.inf)))
    return Pipeline(found)


def training_rows(rows: np.ndarray, classes: np.ndarray, imbalance: str, seed: int) -> np.ndarray:
    """The rows to fit on. `subsampling` draws from every class as many as the smallest has."""
    if imbalance != "subsampling":
        return rows
    names, counts = np.unique(classes[rows], return_counts=True)
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(rows[classes[rows] == name], counts.min(), replace=False) for name in names]
    return np.sort(np.concatenate(drawn))


def weights(classes: np.ndarray, imbalance: str) -> np.ndarray | None:
    """A weight for each clip with `class_weights`: all classes weigh the same, the mean weight is 1."""
    return compute_sample_weight("balanced", classes) if imbalance == "class_weights" else None
