"""Prepare vectors for a model: scaling and selection of features, fitted on training clips."""

import fnmatch

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectFromModel, SelectKBest, VarianceThreshold, mutual_info_classif
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from pipelines.tasks.inputs import MISSING

SCALERS = {"zscore": StandardScaler, "minmax": MinMaxScaler, "unit": Normalizer}


def relevance(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The mutual information of each feature and the class, in nats (Kraskov et al. 2004); its tie-breaking noise is seeded."""
    return mutual_info_classif(values, classes, random_state=0)


def steps(options: dict, names: list[str]) -> Pipeline:
    """The unfitted steps before the model, of features with these names. What a clip lacks of a combined table gets the training
    clips' mean; the column that says so is a feature like any other. Selection comes after scaling: L1 needs features of one
    scale. Sequences, which have no names, pass as they are. Raises `ValueError` where `leave_out` names no feature, or all."""
    if not names:
        return Pipeline([("sequences", "passthrough")])
    found = [("scaling", SCALERS[options["scaling"]]())]
    n_features = len(names)
    if options["leave_out"]:
        left = kept_columns(names, options["leave_out"])
        n_features = len(left)
        found.insert(0, ("columns", ColumnTransformer([("kept", "passthrough", left)])))
    if any(name.endswith(MISSING) for name in names):
        imputer = SimpleImputer(keep_empty_features=True)
        found.insert(len(found) - 1, ("missing", imputer))
    keep, chosen = min(options["keep"], n_features), options["selection"]
    if chosen == "variance":
        found.append(("selection", VarianceThreshold()))
    elif chosen == "mutual_information":
        found.append(("selection", SelectKBest(relevance, k=keep)))
    elif chosen == "l1":
        sparse = LogisticRegression(l1_ratio=1.0, C=0.1, solver="saga", max_iter=200, random_state=0)
        found.append(("selection", SelectFromModel(sparse, max_features=keep, threshold=-np.inf)))
    return Pipeline(found)


def kept_columns(names: list[str], patterns: list[str]) -> list[int]:
    """The columns whose names match none of the patterns (`rms_*`)."""
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"leave_out: no feature is called {pattern}; there is {names[0]}, ..., {names[-1]}")
    left = [n for n, name in enumerate(names) if not any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    if patterns and not left:
        raise ValueError(f"leave_out: {', '.join(patterns)} leaves out all {len(names)} features")
    return left


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
