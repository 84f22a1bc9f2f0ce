"""What a network is trained for: one class a clip (cross-entropy, macro F1), or several labels (binary cross-entropy, mAP)."""

from typing import ClassVar

import numpy as np
import torch
from torch import nn

from pipelines.core import chunks
from pipelines.metrics import multilabel, tagging
from pipelines.metrics.single_label import macro_f1
from pipelines.training import fit as training
from pipelines.training.inference import predict


class Classifying(training.Tagging):
    """One class a clip instead of tags: cross-entropy, weighted by `data["weights"]` `(classes,)`, and macro F1."""

    MONITORS: ClassVar = {"macro_f1": ("validation_macro_f1", "max")}
    FIGURE = "validation macro F1", "validation_macro_f1"

    def loss(self, logits, tags):
        weights = torch.from_numpy(self.data["weights"]).to(logits.device)
        return nn.functional.cross_entropy(logits, tags, weight=weights)

    def evaluate(self):
        actual = self.data["validation_tags"].argmax(axis=1)
        found = logits_of(self.tagger, self.data["clips"], self.data["validation_ids"], training.VALIDATION_CHUNKS)
        loss = nn.functional.cross_entropy(torch.from_numpy(found), torch.from_numpy(actual)).item()
        return {"validation_loss": loss, "validation_macro_f1": macro_f1(actual, found.argmax(axis=1))}


class Labelling(training.Tagging):
    """Several labels a clip, by a tagger's own loss; the epoch is chosen by mean average precision, which needs no threshold."""

    MONITORS: ClassVar = {"map": ("validation_map", "max")}
    FIGURE = "validation mAP", "validation_map"

    def evaluate(self):
        truth = self.data["validation_tags"]
        found = logits_of(self.tagger, self.data["clips"], self.data["validation_ids"], training.VALIDATION_CHUNKS)
        loss = nn.functional.binary_cross_entropy_with_logits(torch.from_numpy(found), torch.from_numpy(truth)).item()
        score = float(np.nan_to_num(multilabel.macro(tagging.pr_auc, truth > 0, found)))
        return {"validation_loss": loss, "validation_map": score}


def logits_of(network: nn.Module, clips: chunks.Clips, clip_ids: list[str], at_most: int = 0) -> np.ndarray:
    """`(clips, classes)` float32, means over a clip's chunks."""
    return predict(network, clips, clip_ids, at_most, activation=lambda logits: logits)[0]
