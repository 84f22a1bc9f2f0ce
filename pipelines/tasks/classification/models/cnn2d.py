"""2D-CNN on frames (log-mel): five 3 x 3 convolutions with batch norm and pooling, the mean over time and frequency."""

from torch import nn

BANDS, LONGEST = True, 256
PARAMETERS = {}
CHANNELS = (16, 32, 64, 64, 128)


def network(n_classes, n_bands, width):
    return CNN2d(n_classes, [max(4, round(n * width)) for n in CHANNELS])


class CNN2d(nn.Module):
    def __init__(self, n_classes, channels):
        super().__init__()
        layers = [nn.BatchNorm2d(1)]
        for n_in, n_out in zip([1, *channels[:-1]], channels, strict=True):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.body = nn.Sequential(*layers)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(channels[-1], n_classes)

    def front(self, chunks):
        return chunks

    def classify(self, chunks):
        embedding = self.body(chunks.unsqueeze(1)).mean(dim=(2, 3))
        return self.head(self.dropout(embedding)), embedding
