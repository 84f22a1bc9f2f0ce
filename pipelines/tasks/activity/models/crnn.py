"""CRNN on log-mel frames: convolutions that keep time, then a bidirectional GRU (Çakır et al. 2017, arXiv 1702.06286).

Time is pooled by four in the convolutions (64 ms of frames 16 ms apart), and each logit holds for its four frames. `width` scales
the channels; 1 is for a CPU.
"""

import torch
from torch import nn

LEVEL = "frame"
CHANNELS, POOLING, HIDDEN = (16, 32, 32), ((2, 4), (2, 4), (1, 4)), 48


def network(n_classes, n_bands, width):
    return CRNN(n_classes, n_bands, [max(4, round(n * width)) for n in CHANNELS], max(4, round(HIDDEN * width)))


class CRNN(nn.Module):
    def __init__(self, n_classes, n_bands, channels, hidden):
        super().__init__()
        layers = [nn.BatchNorm2d(1)]
        for n_in, n_out, pooling in zip([1, *channels[:-1]], channels, POOLING, strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            layers += [nn.MaxPool2d(pooling, ceil_mode=True), nn.Dropout(0.2)]
            n_bands = -(-n_bands // pooling[1])
        self.body = nn.Sequential(*layers)
        self.recurrent = nn.GRU(channels[-1] * n_bands, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * hidden, n_classes)

    def classify(self, chunks):
        """`(batch, frames, bands)` -> logits `(batch, frames, classes)`, embedding `(batch, 2 * hidden)`."""
        found = self.body(chunks.unsqueeze(1)).transpose(1, 2).flatten(2)  # (batch, frames / 4, channels x bands)
        states, _ = self.recurrent(found)
        logits = self.head(self.dropout(states))
        return torch.repeat_interleave(logits, 4, dim=1)[:, : chunks.shape[1]], states.mean(dim=1)
