"""1D-CNN on samples: strided convolutions with batch norm, the mean over time (after Dai et al. 2017, arXiv 1610.00087)."""

from torch import nn

BANDS, LONGEST = False, 65_536
PARAMETERS = {}
CHANNELS = (32, 32, 64, 64, 128)
FIRST, STRIDE = 80, 4
"""The first kernel is 5 ms long at 16 kHz."""


def network(n_classes, n_bands, width):
    return CNN1d(n_classes, [max(4, round(n * width)) for n in CHANNELS])


class CNN1d(nn.Module):
    def __init__(self, n_classes, channels):
        super().__init__()
        layers = [nn.BatchNorm1d(1)]
        for place, (n_in, n_out) in enumerate(zip([1, *channels[:-1]], channels, strict=True)):
            kernel, stride = (3, 1) if place else (FIRST, STRIDE)
            layers += [
                nn.Conv1d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(n_out),
                nn.ReLU(),
            ]
            layers.append(nn.MaxPool1d(4, ceil_mode=True))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(channels[-1], n_classes)

    def front(self, chunks):
        return chunks

    def classify(self, chunks):
        embedding = self.body(chunks.unsqueeze(1)).mean(dim=2)
        return self.head(self.dropout(embedding)), embedding
