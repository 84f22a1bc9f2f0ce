"""The names of metrics as the literature writes them, for every page and card."""

NAMES = {
    "average_precision": "average precision",
    "macro_f1": "macro F1",
    "map": "mAP",
    "micro_f1": "micro F1",
    "museval_sdr": "museval SDR",
    "nats_per_step_apart": "nats per step, unseen groups",
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "sdr": "SDR",
    "si_sdr": "SI-SDR",
    "top_1_accuracy": "top-1 accuracy",
    "top_3_accuracy": "top-3 accuracy",
    "top_5_accuracy": "top-5 accuracy",
}
"""Key of reports/scores.json -> its name within a sentence; words after it stay (`macro_f1_drop`). The name of any other key is
the key with spaces."""


def name(metric: str) -> str:
    """A metric within a sentence: `ROC-AUC`, `balanced accuracy`, `macro F1 drop`."""
    known = max((key for key in NAMES if f"{metric}_".startswith(f"{key}_")), key=len, default="")
    return (NAMES.get(known, "") + metric.removeprefix(known).replace("_", " ")).strip()


def title(metric: str) -> str:
    """A metric as a heading: `Macro F1`, `mAP`. The first letter is a capital unless the first word has one already."""
    found = name(metric)
    return found[:1].upper() + found[1:] if found.partition(" ")[0].islower() else found
