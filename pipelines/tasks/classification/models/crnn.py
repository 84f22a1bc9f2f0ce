"""CRNN on frames (log-mel): three convolutions, then a bidirectional GRU over time (after Choi et al. 2017, arXiv 1609.04243)."""

import torch
from torch import nn

BANDS, LONGEST = True, 256
PARAMETERS = {}
CHANNELS, POOLING, HIDDEN = (16, 32, 64), ((2, 4), (2, 4), (2, 4)), 64


def network(n_classes, n_bands, width):
    return CRNN(n_classes, n_bands, [max(4, round(n * width)) for n in CHANNELS], max(4, round(HIDDEN * width)))


class CRNN(nn.Module):
    def __init__(self, n_classes, n_bands, channels, hidden):
        super().__init__()
        layers = [nn.BatchNorm2d(1)]
        for n_in, n_out, pooling in zip([1, *channels[:-1]], channels, POOLING, strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            layers.append(nn.MaxPool2d(pooling, ceil_mode=True))
            n_bands = -(-n_bands // pooling[1])
        self.body = nn.Sequential(*layers)
        self.recurrent = nn.GRU(channels[-1] * n_bands, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * hidden, n_classes)

    def front(self, chunks):
        return chunks

    def classify(self, chunks):
        found = self.body(chunks.unsqueeze(1)).transpose(1, 2).flatten(2)  # (batch, frames, channels x bands)
        _, last = self.recurrent(found)
        embedding = torch.cat([last[0], last[1]], dim=1)
        return self.head(self.dropout(embedding)), embedding
