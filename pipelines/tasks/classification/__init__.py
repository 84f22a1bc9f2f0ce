"""Classify clips by one or several labels, by models of scikit-learn or networks, with hyperparameters chosen on validation.

target: the label. split: `published` is the dataset's; `grouped` draws one that keeps groups whole, for a dataset without one;
`random` ignores groups and shows by how much a score rises when clips of one group stand on two sides; `grouped_folds` answers
every clip by a model of the other `folds` (cross_validation.py).
scaling: `zscore`, `minmax` or `unit` (each clip's vector has length 1). selection: `variance` drops constant features,
`mutual_information` and `l1` keep `keep` of them. imbalance: `class_weights`, or `subsampling` of the larger classes.
leave_out: features that the model does not get, by name or pattern (`rms_*`): of those in the input, all else is prepared.
labels: label -> the class it counts as, or null for none, in the dataset that the run, or its cross test, reads.
parameters: hyperparameter -> value, or a list of values from which validation chooses, in place of the model's own `GRID`.
learning_curve: shares of the training clips ([0.1, 0.25, 0.5, 1.0]), of which the run is fitted again (curve.py).

`from: views` reads words or notes of clips, `from: combined` two tables side by side (early fusion; of a clip that one lacks, its
values are the training clips' mean). Several runs are fused by the family `fusion`.

`target: tags` is multi-label: a clip has any number of the manifest's `tags`. untagged: clips without any are refused, left out
because their labels are not known (`leave_out`), or have none of the labels (`keep`). A model is fitted for each label, whose
threshold is the one with the best F1 on validation; hyperparameters are those of the best mean average precision there.

Scaling, selection and model are fitted on training clips alone. Hyperparameters of a run with one label a clip are those of the
best macro F1 on validation.
"""

FROM = ("features", "embeddings", "views", "combined")
OPTIONS = {
    "target": (None, "word"),
    "split": ("published", ("published", "grouped", "random", "grouped_folds")),
    "folds": (5, "count"),
    "scaling": ("zscore", ("zscore", "minmax", "unit")),
    "selection": ("none", ("none", "variance", "mutual_information", "l1")),
    "keep": (50, "count"),
    "imbalance": ("none", ("none", "class_weights", "subsampling")),
    "leave_out": ([], "words"),
    "labels": ({}, "table"),
    "untagged": ("refuse", ("refuse", "leave_out", "keep")),
    "parameters": ({}, "table"),
    "learning_curve": ([], "shares"),
}
