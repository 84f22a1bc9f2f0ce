"""Tag scores and embeddings of clips by a trained tagger."""

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from pipelines.core.chunks import Clips, batches

BATCH_SIZE = 16


def features(tagger: nn.Module, chunks: Tensor) -> Tensor:
    """What `tagger.classify` reads of `chunks` as shards hold them: frames `(batch, frames, bands)` as they are, sound `(batch,
    samples)` through the front end, in float32 and without gradients, because nothing in it is trained."""
    if chunks.ndim == 3:
        return chunks
    with torch.no_grad(), torch.autocast(chunks.device.type, enabled=False):
        return tagger.front(chunks)


@torch.no_grad()
def predict(
    tagger: nn.Module,
    clips: Clips,
    clip_ids: list[str],
    at_most: int = 0,
    context=nullcontext,
    activation=torch.sigmoid,
):
    """(probabilities `(clips, tags)`, embeddings `(clips, d)`), float32: means over a clip's non-overlapping chunks.

    at_most: evenly spaced chunks a clip; 0 for all. context: of the forward pass, for instance a lower precision. activation:
    makes of logits what is averaged.
    The tagger is in eval mode inside, and as it was afterwards.
    """
    was_training = tagger.training
    tagger.eval()
    device = next(tagger.parameters()).device
    sums = None
    counts = np.zeros((len(clip_ids), 1))
    for owners, chunks in batches(clips, clip_ids, BATCH_SIZE, at_most):
        with context():
            logits, embedding = tagger.classify(features(tagger, torch.from_numpy(chunks).to(device)))
        outputs = [
            values.float().cpu().numpy().astype(np.float64) for values in (activation(logits.float()), embedding)
        ]
        sums = sums or [np.zeros((len(clip_ids), values.shape[1])) for values in outputs]
        for total, values in zip(sums, outputs, strict=True):
            np.add.at(total, owners, values)
        np.add.at(counts, owners, 1)
    tagger.train(was_training)
    return tuple((total / counts).astype(np.float32) for total in sums)
